import type { Logger } from '../log.js'
import type { Metrics } from '../metrics/index.js'
import { RollcallError } from '../protocol/errors.js'
import type { NodePresence } from '../presence/node-presence.js'
import { channelId, type Channel, type Op } from '../presence/types.js'
import type { Member } from '../replica/replica.js'
import { ChannelFeed, type FeedContext } from './channel-feed.js'
import { resyncAll } from './resync.js'
import type { Feed, FeedListener, Feeds } from './types.js'

/** How long a feed that nobody uses is kept in step, in milliseconds: a list that is asked for again is warm. */
const LINGER_MS = 30_000

/** The feeds of one node, by channel. */
export class ChannelFeeds implements Feeds {
  readonly #feeds = new Map<string, ChannelFeed>()
  readonly #lingering = new Map<ChannelFeed, NodeJS.Timeout>()
  #listener: FeedListener | null = null
  #closed = false
  readonly #context: FeedContext

  constructor(
    private readonly presence: NodePresence,
    placeholderMs: number,
    metrics: Metrics,
    log: Logger,
  ) {
    this.#context = {
      store: presence.store,
      inService: (partition) => presence.inService(partition),
      putBack: async (channel, members, asOf, seen) => {
        const lane = presence.lanes[presence.store.partitionOf(channel)]
        if (lane === undefined) return ''
        const placeholder = ({ userId, joinedAt, states }: Member): Op => ({ kind: 'placeholder', channel, userId, timeoutMs: placeholderMs, seen: seen.version, known: { revision: asOf, joinedAt, states } })
        const results = await Promise.all(members.map((member) => lane.submit(placeholder(member), { wanted: () => lane.life === seen.life })))
        if (results.some(({ status }) => status === 'conflict')) throw new Error('somebody left while members were being put back')
        return results.at(-1)?.channelLife ?? ''
      },
      onDamaged: (channel) => presence.members.reportDamaged(channel),
      onBatch: (feed, batch, effects) => {
        for (const effect of effects) metrics.changes.inc({ kind: effect.kind })
        this.#listener?.onBatch(feed, batch, effects)
      },
      onReplaced: (feed) => this.#listener?.onReplaced(feed),
      onGap: () => metrics.gaps.inc(),
      onRebase: () => metrics.rebases.inc(),
      onTrouble: (error, channel) =>
        log.warn({ reason: error instanceof Error ? error.message : String(error), channel: channelId(channel) }, 'a feed could not be fetched; it tries again'),
    }
    presence.store.onSubscriberReset(() => {
      for (const feed of this.#feeds.values()) feed.mayHaveMissed()
      void resyncAll(this.#feeds.values(), (feed) => feed.resync({ behind: true }))
    })
  }

  get size(): number {
    return this.#feeds.size
  }

  listen(listener: FeedListener): void {
    this.#listener = listener
  }

  async acquire(channel: Channel): Promise<Feed> {
    if (this.#closed) throw new RollcallError('PRESENCE_OPERATION_FAILED', 'the node is closing')
    const id = channelId(channel)
    let feed = this.#feeds.get(id)
    if (feed === undefined) {
      feed = new ChannelFeed(id, this.#context)
      this.#feeds.set(id, feed)
    }
    clearTimeout(this.#lingering.get(feed))
    this.#lingering.delete(feed)
    feed.refs += 1
    try {
      await feed.ready
      return feed
    } catch (error) {
      feed.refs -= 1
      if (feed.refs === 0) this.#drop(id, feed)
      else if (this.#feeds.get(id) === feed) this.#feeds.delete(id)
      throw new RollcallError('PRESENCE_OPERATION_FAILED', 'the channel could not be read', '', { cause: error })
    }
  }

  release(feed: Feed): void {
    if (!(feed instanceof ChannelFeed)) return
    feed.refs -= 1
    if (feed.refs > 0 || this.#closed) return
    const timer = setTimeout(() => this.#drop(channelId(feed.channel), feed), LINGER_MS)
    timer.unref()
    this.#lingering.set(feed, timer)
  }

  /** The feeds of one partition that are there now. */
  *of(partition: number): Iterable<ChannelFeed> {
    for (const feed of this.#feeds.values()) if (feed.partition === partition) yield feed
  }

  get(channel: Channel): ChannelFeed | undefined {
    return this.#feeds.get(channelId(channel))
  }

  /** The partition began another life: every feed that is not in it yet compares with what is there now. */
  rebase(partition: number, life: string): void {
    for (const feed of this.of(partition)) if (feed.replica.life !== life) feed.resync({ behind: false })
  }

  close(): void {
    this.#closed = true
    for (const timer of this.#lingering.values()) clearTimeout(timer)
    this.#lingering.clear()
    for (const [id, feed] of this.#feeds) this.#drop(id, feed)
  }

  #drop(id: string, feed: ChannelFeed): void {
    feed.close()
    this.#lingering.delete(feed)
    if (this.#feeds.get(id) === feed) this.#feeds.delete(id)
  }
}
