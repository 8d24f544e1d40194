import type { RollcallClient } from '../../src/client/index.js'
import type { PeerChange, PeerStatus } from '../../src/protocol/events.js'
import type { PlainClient } from './plain.js'
import { Bell, PATIENCE_MS } from './wait.js'

/** What a client is told of other users' statuses from now on. */
export class PeerLog {
  /** Each event, as it came. */
  readonly events: (readonly PeerChange[])[] = []
  readonly #bell = new Bell()
  readonly #read = new Map<string, number>()

  constructor(client: RollcallClient | PlainClient) {
    const add = (changes: readonly PeerChange[]): void => {
      this.events.push(changes)
      this.#bell.ring()
    }
    if ('socket' in client) client.socket.on('peers', add)
    else client.on('peers', add)
  }

  of(userId: string): PeerChange[] {
    return this.events.flat().filter((change) => change.userId === userId)
  }

  /** The statuses that a user went through. */
  path(userId: string): PeerStatus[] {
    return this.of(userId).map(({ status }) => status)
  }

  /** The next change of a user, after those that were awaited before; it has to be to this status. */
  async next(userId: string, status: PeerStatus, ms = PATIENCE_MS): Promise<PeerChange> {
    const at = this.#read.get(userId) ?? 0
    const change = await this.#bell.until(() => this.of(userId)[at], ms, () => `${userId} turns ${status}; it was ${this.path(userId).join(', ') || 'told of nothing'}`)
    if (change.status !== status) throw new Error(`${userId} turned ${change.status} and not ${status}: ${this.path(userId).join(', ')}`)
    this.#read.set(userId, at + 1)
    return change
  }
}
