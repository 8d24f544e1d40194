import type { Logger } from '../log.js'
import type { Metrics } from '../metrics/index.js'
import { RollcallError } from '../protocol/errors.js'
import type { NodePresence } from '../presence/node-presence.js'
import type { UserStatus } from '../presence/status.js'
import { byPartition } from '../presence/statuses.js'
import { userChannel } from '../presence/types.js'
import { PartitionStatuses, type PartitionContext } from './partition-statuses.js'
import { resyncAll } from './resync.js'
import type { PeerNews } from './status-table.js'

/** How long a partition's subscription stays when nobody is watched there, in milliseconds. */
const LINGER_MS = 30_000

/** Told of every change, in order. Calls are synchronous and must not throw. */
export type PeerListener = (news: readonly PeerNews[]) => void

/** What the gateway needs of peers' statuses. */
export interface Peers {
  /**
   * Takes a reference to each of these users, and resolves when the status of all is known. Every successful call is
   * paired with a {@link release} of the same users. PRESENCE_OPERATION_FAILED, and then nothing is held.
   */
  acquire(userIds: readonly string[]): Promise<void>
  release(userIds: Iterable<string>): void
  /** Of a user that is held. */
  status(userId: string): UserStatus
  /** Each one that is added is told of all users who are held, whoever holds them. */
  listen(listener: PeerListener): void
  /** Users that are watched on this node. */
  readonly size: number
}

/**
 * The light path: a status and a version for each watched user, no roster and no history, and one subscription a partition
 * however many users of it are watched. What was missed is read again (`status-table.ts` says when).
 */
export class PeerStatuses implements Peers {
  readonly #parts = new Map<number, PartitionStatuses>()
  readonly #lingering = new Map<number, NodeJS.Timeout>()
  readonly #context: PartitionContext
  readonly #listeners: PeerListener[] = []
  #closed = false

  constructor(
    private readonly presence: Pick<NodePresence, 'store' | 'app' | 'inService'>,
    heartbeatMs: number,
    metrics: Pick<Metrics, 'gaps'>,
    log: Logger,
  ) {
    this.#context = {
      store: presence.store,
      app: presence.app,
      // A life has put back what an earlier one had within two heartbeats.
      leastSettlingMs: 2 * heartbeatMs,
      onNews: (news) => {
        for (const listener of this.#listeners) listener(news)
      },
      onMissed: () => metrics.gaps.inc(),
      onTrouble: (partition, error) =>
        log.warn({ reason: error instanceof Error ? error.message : String(error), partition }, 'statuses of peers could not be read; it is tried again'),
    }
    presence.store.onSubscriberReset(() => void resyncAll(this.#parts.values(), (part) => part.resync()))
  }

  get size(): number {
    let sum = 0
    for (const part of this.#parts.values()) sum += part.size
    return sum
  }

  listen(listener: PeerListener): void {
    this.#listeners.push(listener)
  }

  async acquire(userIds: readonly string[]): Promise<void> {
    if (this.#closed) throw failed()
    const held = [...byPartition(this.presence.store, this.presence.app, userIds)].map(([partition, users]) => {
      const part = this.#part(partition)
      part.hold(users)
      return { partition, part, users }
    })
    try {
      const outcomes = await Promise.allSettled(
        held.map(async ({ partition, part, users }) => {
          await part.known(users)
          if (!this.presence.inService(partition)) throw new Error('the node cannot vouch for the statuses of this partition right now')
        }),
      )
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
    } catch (error) {
      for (const { partition, part, users } of held) this.#letGo(partition, part, users)
      throw failed(error)
    }
  }

  release(userIds: Iterable<string>): void {
    for (const [partition, users] of byPartition(this.presence.store, this.presence.app, userIds)) {
      const part = this.#parts.get(partition)
      if (part !== undefined) this.#letGo(partition, part, users)
    }
  }

  status(userId: string): UserStatus {
    const { store, app } = this.presence
    const known = this.#parts.get(store.partitionOf(userChannel(app, userId)))?.get(userId)
    if (known == null) throw failed()
    return known
  }

  /** A heartbeat was answered. */
  beat(partition: number, life: string, statusVersion: number): void {
    this.#parts.get(partition)?.beat(life, statusVersion)
  }

  /** The partition began another life. */
  rebase(partition: number, life: string): void {
    this.#parts.get(partition)?.rebase(life)
  }

  close(): void {
    this.#closed = true
    for (const timer of this.#lingering.values()) clearTimeout(timer)
    this.#lingering.clear()
    for (const part of this.#parts.values()) part.close()
    this.#parts.clear()
  }

  #part(partition: number): PartitionStatuses {
    clearTimeout(this.#lingering.get(partition))
    this.#lingering.delete(partition)
    const there = this.#parts.get(partition)
    if (there !== undefined) return there
    const part = new PartitionStatuses(partition, this.#context)
    this.#parts.set(partition, part)
    return part
  }

  #letGo(partition: number, part: PartitionStatuses, users: readonly string[]): void {
    part.letGo(users)
    if (part.size > 0 || this.#closed || this.#lingering.has(partition)) return
    const timer = setTimeout(() => {
      this.#lingering.delete(partition)
      this.#parts.delete(partition)
      part.close()
    }, LINGER_MS)
    timer.unref()
    this.#lingering.set(partition, timer)
  }
}

function failed(cause?: unknown): RollcallError {
  return new RollcallError('PRESENCE_OPERATION_FAILED', 'the statuses of peers could not be read', '', { cause })
}
