import { MultiMap } from '../presence/multi-map.js'
import type { Waiting } from '../presence/types.js'
import type { Connection } from './connection.js'

/** A login under way. */
export interface Arrival {
  /** What was posted since it began. */
  readonly waiting: Waiting
  /** Over, whatever came of it. */
  end(): void
}

/** Told of each connection that is ready to be sent what is addressed to its user. */
export type Welcome = (connection: Connection, waiting: Waiting) => void

/** Told of each connection that is not to be sent anything any more. */
export type Gone = (connection: Connection) => void

interface Expected {
  waiting: Waiting
}

const NOTHING: Waiting = { messages: false, invitations: false }

/**
 * The connections of this node by user: whom post is handed to. A session is in Redis a moment before its connection is ready here;
 * what is posted in between counts as waiting for it, so that nothing is left for the next login.
 */
export class Users {
  readonly #connections = new MultiMap<Connection>()
  readonly #expected = new MultiMap<Expected>()
  readonly #welcomes: Welcome[] = []
  readonly #gone: Gone[] = []

  /** A login begins: to be called before the store is told of the session. */
  expect(userId: string): Arrival {
    const expected: Expected = { waiting: NOTHING }
    this.#expected.add(userId, expected)
    return {
      get waiting() {
        return expected.waiting
      },
      end: () => this.#expected.delete(userId, expected),
    }
  }

  onWelcome(welcome: Welcome): void {
    this.#welcomes.push(welcome)
  }

  onGone(gone: Gone): void {
    this.#gone.push(gone)
  }

  /** The client has been told that it is in. */
  add(connection: Connection, waiting: Waiting): void {
    this.#connections.add(connection.userId, connection)
    for (const welcome of this.#welcomes) welcome(connection, waiting)
  }

  remove(connection: Connection): void {
    this.#connections.delete(connection.userId, connection)
    for (const gone of this.#gone) gone(connection)
  }

  /** Everybody who has a connection here. */
  userIds(): Iterable<string> {
    return this.#connections.keys()
  }

  /** All connections of a user here, and none that has not been welcomed. */
  of(userId: string): Iterable<Connection> {
    return this.#connections.of(userId)
  }

  /** Everybody who has been welcomed. */
  *all(): Iterable<Connection> {
    for (const userId of this.#connections.keys()) yield* this.#connections.of(userId)
  }

  /** Post that is kept: who is just logging in finds it waiting. */
  posted(userId: string, what: keyof Waiting): void {
    for (const expected of this.#expected.of(userId)) expected.waiting = { ...expected.waiting, [what]: true }
  }

  /** Post may have been missed: there may be some for whoever is just logging in. */
  missed(what: keyof Waiting, concerns: (userId: string) => boolean): void {
    for (const userId of this.#expected.keys()) if (concerns(userId)) this.posted(userId, what)
  }
}

export function both(a: Waiting, b: Waiting): Waiting {
  return { messages: a.messages || b.messages, invitations: a.invitations || b.invitations }
}
