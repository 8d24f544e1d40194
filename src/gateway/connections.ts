import type { Connection } from './connection.js'

/** The connections of this node, and those that are about to be gone. */
export class Connections {
  readonly #byUser = new Map<string, Set<Connection>>()
  readonly #ending = new Set<Promise<void>>()
  #size = 0

  /** Connections whose session is open. */
  get size(): number {
    return this.#size
  }

  add(connection: Connection): void {
    const ofUser = this.#byUser.get(connection.userId)
    if (ofUser === undefined) this.#byUser.set(connection.userId, new Set([connection]))
    else ofUser.add(connection)
    this.#size++
  }

  /** To be called once a connection has begun to end; `ended` is its {@link Connection.end}. */
  remove(connection: Connection, ended: Promise<void>): void {
    const ofUser = this.#byUser.get(connection.userId)
    if (ofUser?.delete(connection) !== true) return
    if (ofUser.size === 0) this.#byUser.delete(connection.userId)
    this.#size--
    this.#ending.add(ended)
    void ended.finally(() => this.#ending.delete(ended))
  }

  ofUser(userId: string): readonly Connection[] {
    return [...(this.#byUser.get(userId) ?? [])]
  }

  all(): readonly Connection[] {
    return [...this.#byUser.values()].flatMap((ofUser) => [...ofUser])
  }

  /** Resolves when the ends of all that are gone are written. */
  async settled(): Promise<void> {
    while (this.#ending.size > 0) await Promise.allSettled(this.#ending)
  }
}
