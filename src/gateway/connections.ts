import type { Connection } from './connection.js'

/** The connections of this node, and those that are about to be gone. */
export class Connections {
  readonly #open = new Set<Connection>()
  readonly #ending = new Set<Promise<void>>()

  add(connection: Connection): void {
    this.#open.add(connection)
  }

  /** To be called once a connection has begun to end; `ended` is its {@link Connection.end}. */
  remove(connection: Connection, ended: Promise<void>): void {
    if (!this.#open.delete(connection)) return
    this.#ending.add(ended)
    void ended.finally(() => this.#ending.delete(ended))
  }

  all(): readonly Connection[] {
    return [...this.#open]
  }

  /** Resolves when the ends of all that are gone are written. */
  async settled(): Promise<void> {
    while (this.#ending.size > 0) await Promise.allSettled(this.#ending)
  }
}
