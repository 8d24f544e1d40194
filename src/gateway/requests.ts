import type { Logger } from '../log.js'
import type { Metrics } from '../metrics/index.js'
import { RollcallError, type ErrorBody } from '../protocol/errors.js'
import type { Limits } from '../protocol/limits.js'
import type { RequestName } from '../protocol/requests.js'
import type { Connection } from './connection.js'
import { Rate, type Slot } from './rate.js'
import { refusalOf } from './refusal.js'

/**
 * Sends a request's one answer. What follows on it may be sent in the same turn. One that is still to come may be given as a promise: while
 * that is awaited the request is not counted among those under way, so the caller sees to it that there is an end to it.
 */
export type Respond<T> = (reply: T | Promise<T>) => void

export interface Handler {
  /** How errors name the operation (`000`). */
  readonly operation: string
  /** Takes requests over the rate too, and waits for a slot itself. Otherwise they are refused. */
  readonly waits?: boolean
  /** Parses the payload, does the work and responds once; or throws, and then the error is the answer. */
  handle(connection: Connection, payload: unknown, respond: Respond<object>, slot: Slot): Promise<void>
}

export type Handlers = Readonly<Record<RequestName, Handler>>

export interface RequestsDeps {
  readonly handlers: Handlers
  readonly limits: Pick<Limits, 'callsPerSecond' | 'messagesPerSecond' | 'pendingRequests' | 'backlogBytes'>
  readonly metrics: Pick<Metrics, 'requests' | 'errors'>
  readonly log: Logger
}

/** A client that asks but lets this many backlogs of answers pile up does not read them, and is dropped. */
const UNREAD_BACKLOGS = 16

/** The one door through which everything comes that clients send: counts, limits, hands over and answers. */
export class Requests {
  readonly #handlers: ReadonlyMap<string, Handler>
  readonly #rate: Rate

  constructor(private readonly deps: RequestsDeps) {
    this.#handlers = new Map(Object.entries(deps.handlers))
    this.#rate = new Rate(deps.limits.callsPerSecond, { sendMessage: deps.limits.messagesPerSecond })
  }

  /** Takes any event with any arguments from a client. */
  accept(connection: Connection, event: unknown, args: readonly unknown[]): void {
    if (event === 'closing') {
      connection.closing = true
      return
    }
    if (connection.backlogBytes > UNREAD_BACKLOGS * this.deps.limits.backlogBytes) {
      connection.drop('unread')
      return
    }
    const last = args.at(-1)
    const ack = typeof last === 'function' ? (last as (reply: unknown) => void) : null
    const name = typeof event === 'string' && this.#handlers.has(event) ? (event as RequestName) : null
    void this.#serve(connection, name, ack === null ? args : args.slice(0, -1), ack)
  }

  async #serve(connection: Connection, name: RequestName | null, args: readonly unknown[], ack: ((reply: unknown) => void) | null): Promise<void> {
    const handler = name === null ? undefined : this.#handlers.get(name)
    this.deps.metrics.requests.inc({ name: name ?? 'unknown' })
    let answered = false
    const answer = (reply: { readonly ok: true } | { readonly ok: false; readonly error: ErrorBody }): void => {
      if (answered) return
      answered = true
      if (!reply.ok) this.deps.metrics.errors.inc({ code: reply.error.code })
      if (connection.alive) ack?.(reply)
    }
    const refuse = (error: unknown): void => answer({ ok: false, error: refusalOf(error, handler?.operation ?? 'unknown', this.deps.log) })
    const accept = (reply: object): void => answer({ ok: true, timestamp: Date.now(), ...reply } as { readonly ok: true })
    const respond: Respond<object> = (reply) => {
      if (reply instanceof Promise) reply.then(accept, refuse)
      else accept(reply)
    }
    try {
      if (connection.pending >= this.deps.limits.pendingRequests) {
        throw new RollcallError('PRESENCE_TOO_MANY_PENDING', `at most ${this.deps.limits.pendingRequests} requests are under way at once`)
      }
      connection.pending++
      try {
        // Every request waits here for the same one turn, so that none overtakes another.
        const slot = await this.#rate.slot(connection, name ?? '')
        if (!slot.free && handler?.waits !== true) throw this.#rate.exceeded(name ?? '')
        connection.assertAlive()
        if (handler === undefined) throw new RollcallError('PRESENCE_INVALID_ARGUMENT', 'there is no request of this name')
        if (args.length !== 1) throw new RollcallError('PRESENCE_INVALID_ARGUMENT', 'a request has exactly one object')
        await handler.handle(connection, args[0], respond, slot)
      } finally {
        connection.pending--
      }
    } catch (error) {
      refuse(error)
    }
  }
}
