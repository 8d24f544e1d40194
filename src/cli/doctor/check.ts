import { setTimeout as pause } from 'node:timers/promises'

/** `warn`: it works, and could be better. `skip`: it could not be looked at, and `detail` says why. */
export type CheckStatus = 'ok' | 'warn' | 'fail' | 'skip'

/** One thing that was looked at. */
export interface Check {
  readonly name: string
  readonly status: CheckStatus
  /** What was found. */
  readonly detail: string
  /** What to do about it; null where there is nothing to do. */
  readonly advice: string | null
}

/** For how long something that cannot be looked at is tried again, and how often, in ms. */
const PATIENCE_MS = 5_000
const AGAIN_MS = 500

export const ok = (name: string, detail: string): Check => ({ name, status: 'ok', detail, advice: null })
export const warn = (name: string, detail: string, advice: string): Check => ({ name, status: 'warn', detail, advice })
export const fail = (name: string, detail: string, advice: string): Check => ({ name, status: 'fail', detail, advice })
export const skip = (name: string, detail: string, advice: string | null = null): Check => ({ name, status: 'skip', detail, advice })

/**
 * Runs a check that may throw or hang: both are findings, what throws only if it still does after some seconds. A busy
 * machine, or a connection that is just being made, is none.
 */
export async function attempt(name: string, ms: number, run: () => Promise<Check>, advice = 'It could not be looked at, for the reason above.'): Promise<Check> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Check>((resolve) => {
    timer = setTimeout(() => resolve(fail(name, `it took longer than ${ms / 1_000} s`, 'Try again; a network that loses packets looks like this too.')), ms)
  })
  const until = performance.now() + PATIENCE_MS
  try {
    for (;;) {
      try {
        return await Promise.race([run(), late])
      } catch (error) {
        if (performance.now() > until) return fail(name, messageOf(error), advice)
        await pause(AGAIN_MS)
      }
    }
  } finally {
    clearTimeout(timer)
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
