import { setTimeout as pause } from 'node:timers/promises'

/** How long a test waits for what must happen, before it fails: far above what is measured, far below jest's own limit. */
export const PATIENCE_MS = 20_000
/** What scheduling on a busy machine may add to a bound that is about the cluster. */
export const MACHINE_MS = 2_500

/** Bounds a wait: rejects, and says what was awaited, when the promise has not settled in time. */
export async function within<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  const gaveUp = new AbortController()
  const bound = pause(ms, undefined, { signal: gaveUp.signal }).then(() => {
    throw new Error(`not within ${ms} ms: ${what}`)
  })
  try {
    return await Promise.race([promise, bound])
  } finally {
    gaveUp.abort()
    bound.catch(() => undefined)
  }
}

/**
 * Asks again and again until the answer is not `undefined`, `null` or `false`, for what cannot be listened to (Redis's
 * content, another process). An error is an answer too: the last one is the cause of the failure.
 */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T | undefined | null | false> | T | undefined | null | false,
  { withinMs = PATIENCE_MS, everyMs = 20 }: { withinMs?: number; everyMs?: number } = {},
): Promise<T> {
  const deadline = Date.now() + withinMs
  for (;;) {
    let cause: unknown
    try {
      const answer = await ask()
      if (answer !== undefined && answer !== null && answer !== false) return answer
    } catch (error) {
      cause = error
    }
    if (Date.now() >= deadline) throw new Error(`not within ${withinMs} ms: ${what}`, { cause })
    await pause(everyMs)
  }
}

/** A window of time that is itself what a test is about (a lease, a measurement). Never a hope that something is over. */
export async function elapse(ms: number): Promise<void> {
  await pause(ms)
}

/** A wake-up for whoever waits on something that others write: re-checked at each `touch`, bounded in time. */
export class Bell {
  #waiting = new Set<() => void>()

  ring(): void {
    for (const wake of [...this.#waiting]) wake()
  }

  /** Resolves with the first defined answer; rejects with what `describe` says after `ms`. What `find` throws, it rejects with. */
  async until<T>(find: () => T | undefined, ms: number, describe: () => string): Promise<T> {
    const first = find()
    if (first !== undefined) return first
    let wake: () => void = () => undefined
    let timer: NodeJS.Timeout | undefined
    try {
      return await new Promise<T>((resolve, reject) => {
        wake = () => {
          try {
            const answer = find()
            if (answer === undefined) return
            // Not asked again: `find` may have taken what it answers with.
            this.#waiting.delete(wake)
            resolve(answer)
          } catch (error) {
            this.#waiting.delete(wake)
            reject(error instanceof Error ? error : new Error(String(error)))
          }
        }
        timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${describe()}`)), ms)
        this.#waiting.add(wake)
      })
    } finally {
      clearTimeout(timer)
      this.#waiting.delete(wake)
    }
  }
}
