/** Milliseconds. */
const FIRST = 500
const LONGEST = 300_000
/** A fifth of it by chance: what failed together is not tried again together. */
const JITTER = 0.2

/**
 * The pause after a failed attempt: about 0.5, 1, 2, 4 s and so on, up to five minutes.
 *
 * @param attempt 1 for the first one
 * @param random in [0, 1)
 * @returns milliseconds
 */
export function backoffMs(attempt: number, random: () => number = Math.random): number {
  return Math.min(LONGEST, FIRST * 2 ** Math.min(attempt - 1, 30)) * (1 + (random() - 0.5) * JITTER)
}
