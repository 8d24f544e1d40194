/** Milliseconds. The first retry comes within `FIRST`, none later than `LONGEST`. */
const FIRST = 200
const LONGEST = 5_000

/**
 * The pause before a retry: exponential with full jitter, so that clients that lost the same node do not come back in
 * step (M. Brooker, "Exponential Backoff And Jitter", 2015).
 *
 * @param attempt 0 for the first retry
 * @param random in [0, 1)
 * @returns milliseconds
 */
export function backoffMs(attempt: number, random: () => number = Math.random): number {
  return Math.round(random() * Math.min(LONGEST, FIRST * 2 ** Math.min(attempt, 30)))
}

/** Resolves after `ms`, or rejects with the signal's reason as soon as it is aborted. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer)
      reject(signal.reason as Error)
    }
    if (signal.aborted) return reject(signal.reason as Error)
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop)
      resolve()
    }, ms)
    signal.addEventListener('abort', stop, { once: true })
  })
}
