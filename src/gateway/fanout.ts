import type { Feed, FeedListener, Missed } from '../feeds/types.js'
import type { ChangeBatch, Effect } from '../replica/replica.js'
import { Audience } from './audience.js'
import type { FanoutMetrics } from './telling.js'
import type { Outlet, Watcher } from './watchers.js'

/** How often a watcher that could not take its SNAPSHOT is looked at again. */
const RETRY_MS = 100
/** When service is back, the SNAPSHOTs of all channels are spread over this time. */
const RESYNC_SPREAD_MS = 1_000

export interface FanoutOptions {
  readonly outlet: Outlet
  /** Changes within this window share a packet, in ms. */
  readonly flushMs: number
  /** Above this many members a channel's changes are summed up, once in `intervalMs`. */
  readonly announceMax: number
  readonly intervalMs: number
  readonly backlogBytes: number
  readonly metrics: FanoutMetrics
}

/** Brings the feeds' changes to the sockets that watch them. The one {@link FeedListener} of a node. */
export class Fanout implements FeedListener {
  readonly #audiences = new Map<Feed, Audience>()
  readonly #resyncs = new Map<Audience, NodeJS.Timeout>()
  /** Audiences with somebody who is owed a SNAPSHOT: for the end of this turn, and for later. */
  #soon = new Set<Audience>()
  readonly #later = new Set<Audience>()
  #retry: NodeJS.Timeout | null = null
  #rooms = 0

  constructor(private readonly options: FanoutOptions) {}

  /** Sockets that watch, once for each channel. */
  get watchers(): number {
    let sum = 0
    for (const audience of this.#audiences.values()) sum += audience.size
    return sum
  }

  /** See {@link Audience.attach}. Whoever attaches holds a reference to the feed until it has detached. */
  attach(feed: Feed, watcher: Watcher, missed: Missed | null, returns: boolean): void {
    let audience = this.#audiences.get(feed)
    if (audience === undefined) {
      audience = new Audience(feed, { ...this.options, room: `feed:${++this.#rooms}`, onOwed: (owing) => this.#owe(owing) })
      this.#audiences.set(feed, audience)
    }
    audience.attach(watcher, missed, returns)
  }

  /** Does nothing for a socket that does not watch. */
  detach(feed: Feed, socketId: string): void {
    const audience = this.#audiences.get(feed)
    if (audience === undefined) return
    audience.detach(socketId)
    if (audience.size > 0) return
    this.#audiences.delete(feed)
    this.#forget(audience)
  }

  onBatch(feed: Feed, batch: ChangeBatch, effects: readonly Effect[]): void {
    this.#audiences.get(feed)?.moved(batch, effects)
  }

  onReplaced(feed: Feed): void {
    const audience = this.#audiences.get(feed)
    if (audience === undefined) return
    // This SNAPSHOT is the one that says that service is back, too.
    this.#cancelResync(audience)
    audience.replaced()
  }

  /** The node can, or cannot, vouch for what feeds say. */
  onService(inService: boolean): void {
    for (const audience of this.#audiences.values()) {
      this.#cancelResync(audience)
      if (inService) this.#resyncIn(audience, Math.random() * RESYNC_SPREAD_MS)
      else audience.suspended()
    }
  }

  close(): void {
    for (const audience of this.#audiences.values()) this.#forget(audience)
    this.#audiences.clear()
    if (this.#retry !== null) clearTimeout(this.#retry)
    this.#retry = null
  }

  #resyncIn(audience: Audience, ms: number): void {
    const timer = setTimeout(() => {
      this.#resyncs.delete(audience)
      if (audience.feed.fresh) audience.replaced()
      else this.#resyncIn(audience, RETRY_MS)
    }, ms)
    this.#resyncs.set(audience, timer)
  }

  #cancelResync(audience: Audience): void {
    clearTimeout(this.#resyncs.get(audience))
    this.#resyncs.delete(audience)
  }

  /**
   * Those who are owed a SNAPSHOT in the same turn of the event loop get it together, encoded once: many requests are
   * answered by one reply of the store.
   */
  #owe(audience: Audience): void {
    if (this.#soon.size === 0) process.nextTick(() => this.#settleSoon())
    this.#soon.add(audience)
  }

  #settleSoon(): void {
    const owing = this.#soon
    this.#soon = new Set()
    for (const audience of owing) if (!audience.settle()) this.#later.add(audience)
    this.#armRetry()
  }

  #armRetry(): void {
    if (this.#retry !== null || this.#later.size === 0) return
    this.#retry = setTimeout(() => {
      this.#retry = null
      for (const audience of this.#later) if (audience.settle()) this.#later.delete(audience)
      this.#armRetry()
    }, RETRY_MS)
  }

  #forget(audience: Audience): void {
    this.#cancelResync(audience)
    this.#soon.delete(audience)
    this.#later.delete(audience)
    audience.close()
  }
}
