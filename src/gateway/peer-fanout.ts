import type { Peers } from '../feeds/peer-statuses.js'
import type { PeerNews } from '../feeds/status-table.js'
import { MultiMap } from '../presence/multi-map.js'
import type { UserStatus } from '../presence/status.js'
import { RollcallError } from '../protocol/errors.js'
import type { PeerChange } from '../protocol/events.js'

/** How often somebody who was too slow is looked at again, in milliseconds. */
const RETRY_MS = 100
/** Changes that are told in one turn of the event loop: when a node dies, everybody has some to be told. */
const TURN_MAX = 5_000

/** A connection as the fan-out of peers sees it. */
export interface PeerWatcher {
  readonly id: string
  readonly backlogBytes: number
  /** Throws PRESENCE_REQUEST_CANCELLED when the client is gone. */
  assertAlive(): void
  /** Users that it is subscribed to; null until there are any. It belongs to {@link PeerFanout}. */
  peers: Set<string> | null
}

export interface PeerFanoutOptions {
  readonly peers: Peers
  /** Sends the same to each of these sockets; encodes it once. */
  readonly tell: (socketIds: readonly string[], changes: readonly PeerChange[]) => void
  /** Changes within this window go to a client together, in ms. */
  readonly flushMs: number
  /** Who has more waiting than this is told later, and then what came of it. */
  readonly backlogBytes: number
  readonly metrics: Readonly<Record<'peerChanges' | 'skipped', { inc(by?: number): void }>>
}

/** Brings changes of users' statuses to the connections that are subscribed to them. */
export class PeerFanout {
  readonly #watchers = new MultiMap<PeerWatcher>()
  /** What a connection has not been told, of each user the last; and what those have not who are too slow. */
  readonly #pending = new Map<PeerWatcher, Map<string, PeerChange>>()
  readonly #owed = new Map<PeerWatcher, Map<string, PeerChange>>()
  #flush: NodeJS.Timeout | null = null
  #retry: NodeJS.Timeout | null = null
  #flushedAt = -Infinity
  #pairs = 0
  #closed = false

  constructor(private readonly options: PeerFanoutOptions) {
    options.peers.listen((news) => this.#receive(news))
  }

  /** Pairs of a connection and a user that it is subscribed to. */
  get pairs(): number {
    return this.#pairs
  }

  /**
   * Subscribes to all of these users or to none; to be called for one request of a connection at a time. Changes are told
   * from the turn on in which it resolves. PRESENCE_TOO_MANY_PEERS, PRESENCE_OPERATION_FAILED.
   */
  async subscribe(watcher: PeerWatcher, userIds: readonly string[], most: number): Promise<void> {
    const { peers } = this.options
    const others = userIds.filter((userId) => watcher.peers?.has(userId) !== true)
    if ((watcher.peers?.size ?? 0) + others.length > most) throw new RollcallError('PRESENCE_TOO_MANY_PEERS', `a client is subscribed to at most ${most} peers`)
    // Those that it has already are known, unless the node cannot vouch for them now: that is looked at for all.
    await peers.acquire(userIds)
    try {
      watcher.assertAlive()
    } catch (error) {
      peers.release(userIds)
      throw error
    }
    peers.release(userIds.filter((userId) => watcher.peers?.has(userId) === true))
    for (const userId of others) {
      ;(watcher.peers ??= new Set()).add(userId)
      this.#watchers.add(userId, watcher)
    }
    this.#pairs += others.length
  }

  /** `null`: from all. Does nothing for users that it is not subscribed to. */
  unsubscribe(watcher: PeerWatcher, userIds: readonly string[] | null): void {
    const { peers } = watcher
    if (peers === null) return
    const gone = [...(userIds ?? peers)].filter((userId) => peers.delete(userId))
    if (peers.size === 0) watcher.peers = null
    for (const userId of gone) this.#watchers.delete(userId, watcher)
    for (const waiting of [this.#pending, this.#owed]) {
      const untold = waiting.get(watcher)
      for (const userId of gone) untold?.delete(userId)
      if (untold?.size === 0) waiting.delete(watcher)
    }
    this.#pairs -= gone.length
    this.options.peers.release(gone)
  }

  /** Of a user that a connection is subscribed to. */
  status(userId: string): UserStatus {
    return this.options.peers.status(userId)
  }

  close(): void {
    this.#closed = true
    for (const timer of [this.#flush, this.#retry]) if (timer !== null) clearTimeout(timer)
    this.#pending.clear()
    this.#owed.clear()
  }

  #receive(news: readonly PeerNews[]): void {
    if (news.length === 0 || this.#closed) return
    const timestamp = Date.now()
    for (const { userId, status, lastSeen } of news) {
      const change: PeerChange = { userId, status, lastSeen, timestamp }
      for (const watcher of this.#watchers.of(userId)) {
        const waiting = this.#owed.has(watcher) ? this.#owed : this.#pending
        const untold = waiting.get(watcher)
        if (untold === undefined) waiting.set(watcher, new Map([[userId, change]]))
        else untold.set(userId, change)
      }
    }
    this.#flushSoon()
  }

  /** The first changes leave when the turn in which they came is over; those of a window after that leave together. */
  #flushSoon(ms = this.#flushedAt + this.options.flushMs - performance.now()): void {
    if (this.#flush !== null || this.#pending.size === 0 || this.#closed) return
    this.#flush = setTimeout(
      () => {
        this.#flush = null
        this.#flushAll()
      },
      Math.max(0, ms),
    )
  }

  #flushAll(): void {
    const { tell, backlogBytes, metrics } = this.options
    this.#flushedAt = performance.now()
    // A user whom many watch: they are told the same, and it is encoded once.
    const alike = new Map<PeerChange, string[]>()
    let told = 0
    for (const [watcher, untold] of this.#pending) {
      if (told >= TURN_MAX) break
      this.#pending.delete(watcher)
      if (watcher.backlogBytes > backlogBytes) {
        metrics.skipped.inc()
        this.#owed.set(watcher, untold)
        continue
      }
      told += untold.size
      const [first] = untold.values()
      if (untold.size !== 1 || first === undefined) tell([watcher.id], [...untold.values()])
      else {
        const others = alike.get(first)
        if (others === undefined) alike.set(first, [watcher.id])
        else others.push(watcher.id)
      }
    }
    for (const [change, ids] of alike) tell(ids, [change])
    metrics.peerChanges.inc(told)
    this.#flushSoon(0)
    this.#retrySoon()
  }

  #retrySoon(): void {
    if (this.#retry !== null || this.#owed.size === 0) return
    this.#retry = setTimeout(() => {
      this.#retry = null
      for (const [watcher, untold] of this.#owed) {
        if (watcher.backlogBytes > this.options.backlogBytes) continue
        this.#owed.delete(watcher)
        this.#pending.set(watcher, untold)
      }
      this.#flushSoon()
      this.#retrySoon()
    }, RETRY_MS)
  }
}
