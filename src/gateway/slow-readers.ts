import type { Connection } from './connection.js'

/** How often somebody who was too slow is looked at again, in milliseconds. */
const RETRY_MS = 100

export interface SlowReadersOptions<T> {
  /** Who has more waiting than this is told later. */
  readonly backlogBytes: number
  /** Whoever is owed more things than this is dropped: it reads nothing. */
  readonly most: number
  readonly send: (connection: Connection, thing: T) => void
  readonly onSkipped: () => void
}

/** Sends things to connections, of each thing the last that there was: a slow client is owed what it could not be sent, within bounds. */
export class SlowReaders<T> {
  readonly #owed = new Map<Connection, Map<string, T>>()
  #retry: NodeJS.Timeout | null = null

  constructor(private readonly options: SlowReadersOptions<T>) {}

  /** `key`: what a later one of the same stands for. */
  offer(connection: Connection, key: string, thing: T): void {
    const { backlogBytes, most, send, onSkipped } = this.options
    const owed = this.#owed.get(connection)
    if (owed === undefined && connection.backlogBytes <= backlogBytes) {
      send(connection, thing)
      return
    }
    if (owed === undefined) {
      onSkipped()
      this.#owed.set(connection, new Map([[key, thing]]))
    } else {
      owed.set(key, thing)
      if (owed.size > most) {
        this.#owed.delete(connection)
        connection.drop('unread')
      }
    }
    this.#retrySoon()
  }

  close(): void {
    if (this.#retry !== null) clearTimeout(this.#retry)
    this.#owed.clear()
  }

  #retrySoon(): void {
    if (this.#retry !== null || this.#owed.size === 0) return
    this.#retry = setTimeout(() => {
      this.#retry = null
      for (const [connection, owed] of this.#owed) {
        if (connection.alive && connection.backlogBytes > this.options.backlogBytes) continue
        this.#owed.delete(connection)
        if (connection.alive) for (const thing of owed.values()) this.options.send(connection, thing)
      }
      this.#retrySoon()
    }, RETRY_MS)
  }
}
