import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'

import { RecentOwners } from '../../src/store/redis/recent-owners.js'

beforeEach(() => {
  jest.useFakeTimers()
})
afterEach(() => {
  jest.useRealTimers()
})

test('a node is declared for a minute after it was last named', () => {
  const owners = new RecentOwners()
  owners.add('a')
  jest.advanceTimersByTime(40_000)
  owners.add('b')
  expect(owners.recent).toEqual(['a', 'b'])
  jest.advanceTimersByTime(40_000)
  expect(owners.recent).toEqual(['b'])
  owners.add('b')
  jest.advanceTimersByTime(40_000)
  expect(owners.recent).toEqual(['b'])
})

test('of more than sixteen, the one that was named first is forgotten', () => {
  const owners = new RecentOwners()
  for (let number = 0; number < 17; number++) owners.add(`node-${number}`)
  expect(owners.recent).toHaveLength(16)
  expect(owners.recent).not.toContain('node-0')
})
