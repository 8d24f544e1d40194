import { setTimeout as delay } from 'node:timers/promises'

/** How often something is tried, and the first pause before it is tried again, in milliseconds, which doubles. */
const TRIES = 6
const RETRY_MS = 200

export interface PersistOptions {
  readonly tries?: number
  /** Whether what failed so may pass. */
  readonly passes?: (error: unknown) => boolean
  /** Ends the pauses. */
  readonly signal?: AbortSignal
}

/** Tries what nobody waits for until it is done, or cannot be: rejects with the last failure, or with an `AbortError`. */
export async function persist(work: () => Promise<unknown>, { tries = TRIES, passes = () => true, signal }: PersistOptions = {}): Promise<void> {
  for (let left = tries, pauseMs = RETRY_MS; ; left -= 1, pauseMs *= 2) {
    try {
      await work()
      return
    } catch (error) {
      if (left <= 1 || !passes(error)) throw error
    }
    await delay(pauseMs * (0.5 + Math.random() / 2), undefined, { ref: false, ...(signal !== undefined && { signal }) })
  }
}
