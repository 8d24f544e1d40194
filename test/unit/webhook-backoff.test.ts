import { expect, test } from '@jest/globals'

import { backoffMs } from '../../src/webhooks/backoff.js'

const attempts = Array.from({ length: 40 }, (_, index) => index + 1)

test('about 0.5, 1, 2 and 4 s, then twice as long each time, up to five minutes', () => {
  const pauses = attempts.map((attempt) => backoffMs(attempt, () => 0.5))
  expect(pauses.slice(0, 12)).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000, 300_000, 300_000])
  expect(pauses.at(-1)).toBe(300_000)
})

test('chance moves it by a tenth at most', () => {
  for (const attempt of attempts) {
    const middle = backoffMs(attempt, () => 0.5)
    expect(backoffMs(attempt, () => 0)).toBeCloseTo(0.9 * middle)
    expect(backoffMs(attempt, () => 1)).toBeCloseTo(1.1 * middle)
  }
})
