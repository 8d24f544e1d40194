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
  readonly #limiter: RateLimiterMemory

  constructor(readonly callsPerSecond: number) {
    // The limiter forgets each window by itself when it is over. That outlives the connection on purpose, or else
    // reconnecting would be a way around the limit.
    this.#limiter = new RateLimiterMemory({ points: callsPerSecond, duration: 1 })
  }

  /** Takes the same one turn of the event loop whatever comes of it, so that no request overtakes another here. */
  async slot(connection: Connection, name: string): Promise<Slot> {
    const key = `${connection.userId}\0${connection.sessionId}\0${name}`
    const wait = await this.#take(key)
    return { free: wait === 0, next: () => this.#next(connection, key, wait) }
  }

  async #next(connection: Connection, key: string, firstMs: number): Promise<void> {
    for (let wait = firstMs; wait > 0; wait = await this.#take(key)) {
      await delay(wait, undefined, { ref: false })
      connection.assertAlive()
    }
  }

  /** Takes a slot; answers 0, or in how many milliseconds the window ends. */
  async #take(key: string): Promise<number> {
    try {
      await this.#limiter.consume(key)
      return 0
    } catch (refusal) {
      if (refusal instanceof RateLimiterRes) return Math.max(1, refusal.msBeforeNext)
      throw refusal
    }
  }

  exceeded(): RollcallError {
    return new RollcallError('RATE_EXCEEDED', `at most ${this.callsPerSecond} calls a second`)
  }
}
