import { setTimeout as delay } from 'node:timers/promises'
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import { RollcallError } from '../protocol/errors.js'
import type { Connection } from './connection.js'

/** A request's place under the rate. */
export interface Slot {
  /** Whether there was one when the request came; it is taken then. */
  readonly free: boolean
  /** Takes the next one there is. PRESENCE_REQUEST_CANCELLED when the client is gone first. */
  next(): Promise<void>
}

/** So many calls a second for each session and each request name, in fixed windows of a second. */
export class Rate {
  readonly #usual: RateLimiterMemory
  readonly #special: ReadonlyMap<string, RateLimiterMemory>

  /** @param special rates of requests that have one of their own, by name */
  constructor(callsPerSecond: number, special: Readonly<Record<string, number>> = {}) {
    // A limiter forgets each window by itself when it is over. That outlives the connection on purpose, or else
    // reconnecting would be a way around the limit.
    const limiter = (points: number): RateLimiterMemory => new RateLimiterMemory({ points, duration: 1 })
    this.#usual = limiter(callsPerSecond)
    this.#special = new Map(Object.entries(special).map(([name, points]) => [name, limiter(points)]))
  }

  /** Takes the same one turn of the event loop whatever comes of it, so that no request overtakes another here. */
  async slot(connection: Connection, name: string): Promise<Slot> {
    const limiter = this.#limiter(name)
    const key = `${connection.userId}\0${connection.sessionId}\0${name}`
    const wait = await take(limiter, key)
    return { free: wait === 0, next: () => this.#next(connection, limiter, key, wait) }
  }

  exceeded(name: string): RollcallError {
    return new RollcallError('RATE_EXCEEDED', `at most ${this.#limiter(name).points} calls a second`)
  }

  #limiter(name: string): RateLimiterMemory {
    return this.#special.get(name) ?? this.#usual
  }

  async #next(connection: Connection, limiter: RateLimiterMemory, key: string, firstMs: number): Promise<void> {
    for (let wait = firstMs; wait > 0; wait = await take(limiter, key)) {
      await delay(wait, undefined, { ref: false })
      connection.assertAlive()
    }
  }
}

/** Takes a slot; answers 0, or in how many milliseconds the window ends. */
async function take(limiter: RateLimiterMemory, key: string): Promise<number> {
  try {
    await limiter.consume(key)
    return 0
  } catch (refusal) {
    if (refusal instanceof RateLimiterRes) return Math.max(1, refusal.msBeforeNext)
    throw refusal
  }
}
