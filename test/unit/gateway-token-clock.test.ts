import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import { TokenClock } from '../../src/gateway/token-clock.js'

const DAY_MS = 86_400_000
let said: string[]
let clock: TokenClock

beforeEach(() => {
  jest.useFakeTimers()
  said = []
  clock = new TokenClock({ onWillExpire: () => said.push('will expire'), onExpired: () => said.push('expired') })
})

afterEach(() => {
  clock.clear()
  jest.useRealTimers()
})

test('warns 30 s before the end', () => {
  clock.arm(Date.now() + 60_000)
  jest.advanceTimersByTime(29_999)
  expect(said).toEqual([])
  jest.advanceTimersByTime(1)
  expect(said).toEqual(['will expire'])
  jest.advanceTimersByTime(30_000)
  expect(said).toEqual(['will expire', 'expired'])
})

test('a short token is warned of at once, one that has ended ends', () => {
  clock.arm(Date.now() + 1_000)
  jest.advanceTimersByTime(0)
  expect(said).toEqual(['will expire'])
  clock.arm(Date.now() - 1)
  jest.advanceTimersByTime(1)
  expect(said).toEqual(['will expire', 'will expire', 'expired'])
})

test('a year is longer than a timer can be', () => {
  clock.arm(Date.now() + 365 * DAY_MS)
  jest.advanceTimersByTime(364 * DAY_MS)
  expect(said).toEqual([])
  jest.advanceTimersByTime(DAY_MS)
  expect(said).toEqual(['will expire', 'expired'])
})

test('a new token takes the place of the old one, and one without an end of both', () => {
  clock.arm(Date.now() + 40_000)
  jest.advanceTimersByTime(20_000)
  expect(said).toEqual(['will expire'])
  clock.arm(Date.now() + 60_000)
  jest.advanceTimersByTime(25_000)
  expect(said).toEqual(['will expire'])
  clock.arm(null)
  jest.advanceTimersByTime(DAY_MS)
  expect(said).toEqual(['will expire'])
})
