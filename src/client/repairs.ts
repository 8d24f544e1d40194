import { backoffMs, pause } from './backoff.js'

/**
 * What has to be asked for again, one request at a time for all of it: however many events show that something is
 * missing, a thing is wanted once, and not while it is being fetched.
 */
export class Repairs<Thing> {
  readonly #fetch: (things: readonly Thing[]) => Promise<readonly Thing[]>
  readonly #wanted = new Set<Thing>()
  #fetching: ReadonlySet<Thing> = new Set()
  #run: AbortController | null = null

  /** @param fetch resolves with those that are to be tried again after a pause; it must not reject. */
  constructor(fetch: (things: readonly Thing[]) => Promise<readonly Thing[]>) {
    this.#fetch = fetch
  }

  want(thing: Thing): void {
    if (this.#fetching.has(thing)) return
    this.#wanted.add(thing)
    if (this.#run !== null) return
    const run = new AbortController()
    this.#run = run
    // It ends when nothing is wanted any more, or with a rejected pause when it is stopped.
    this.#work(run.signal).catch(() => undefined)
  }

  forget(thing: Thing): void {
    this.#wanted.delete(thing)
  }

  /** Nothing is wanted any more, and what is being fetched may be wanted anew. */
  stop(): void {
    this.#run?.abort(new Error('stopped'))
    this.#run = null
    this.#wanted.clear()
    this.#fetching = new Set()
  }

  async #work(signal: AbortSignal): Promise<void> {
    for (let attempt = 0; this.#wanted.size > 0; ) {
      const due = new Set(this.#wanted)
      this.#wanted.clear()
      this.#fetching = due
      const again = await this.#fetch([...due])
      if (signal.aborted) return
      this.#fetching = new Set()
      for (const thing of again) this.#wanted.add(thing)
      if (again.length > 0) await pause(backoffMs(attempt++), signal)
      else attempt = 0
    }
    this.#run = null
  }
}
