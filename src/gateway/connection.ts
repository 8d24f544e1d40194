import type { Grant } from '../auth/index.js'
import type { Feed, Feeds, Missed } from '../feeds/types.js'
import type { Metrics } from '../metrics/index.js'
import type { EndReason, Presence, Session } from '../presence/service.js'
import type { ChannelRef } from '../protocol/channel.js'
import { ERRORS, RollcallError } from '../protocol/errors.js'
import type { Received } from '../protocol/messages.js'
import type { Watcher } from './watchers.js'
import { backlogOf } from './backlog.js'
import type { Fanout } from './fanout.js'
import type { Calls } from './calls.js'
import type { PeerFanout, PeerWatcher } from './peer-fanout.js'
import { Serial } from './serial.js'
import { TokenClock } from './token-clock.js'
import type { GatewaySocket } from './types.js'

/** The grace of a client that said that its page is being closed. */
const CLOSING_GRACE_MS = 3_000

/** What a connection holds of one channel. */
export interface Subscription {
  readonly channel: ChannelRef
  /** Whether the user is in the channel through this session; a quiet subscriber is not. */
  member: boolean
  /** The feed that it watches, to which it holds a reference. */
  feed: Feed | null
}

/**
 * How a connection ends.
 * - `logout`: the client, or somebody with the right to, ended the session: it leaves at once.
 * - `lost`: the client may come back within its grace.
 * - `over`: the session has ended, or lives on elsewhere; there is nothing to write.
 */
export type Ending = 'logout' | 'lost' | 'over'

export interface ConnectionDeps {
  readonly presence: Presence
  readonly feeds: Feeds
  readonly fanout: Fanout
  readonly peers: Pick<PeerFanout, 'unsubscribe'>
  readonly calls: Pick<Calls, 'leave'>
  readonly metrics: Pick<Metrics, 'dropped'>
}

/** Why the node ends a connection. */
export type DropReason = EndReason | 'expired' | 'unread' | 'draining'

/** One client that is logged in, from the answer to its login until it is gone. */
export class Connection implements Watcher, PeerWatcher {
  /** By {@link keyOf}. */
  readonly subscriptions = new Map<string, Subscription>()
  /** Requests that name a channel take effect one after the other, in the order in which they came. */
  readonly turns = new Serial()
  /** Requests under way. */
  pending = 0
  /** The client said that its page is being closed. */
  closing = false
  /** Users whose status it is subscribed to; see {@link PeerWatcher}. */
  peers: Set<string> | null = null
  /** These three are made when they are needed: idle connections are what there is most of. */
  #reserved: Map<string, ChannelRef> | null = null
  #writes: Set<Promise<unknown>> | null = null
  #clock: TokenClock | null = null
  #grant: Grant
  #ending: Promise<void> | null = null

  constructor(
    readonly socket: GatewaySocket,
    readonly session: Session,
    grant: Grant,
    private readonly deps: ConnectionDeps,
    /** Up to where the session has had its messages, as it said itself. */
    readonly received: Received | null = null,
  ) {
    this.#grant = grant
  }

  get id(): string {
    return this.socket.id
  }

  get userId(): string {
    return this.session.userId
  }

  get sessionId(): string {
    return this.session.id
  }

  get backlogBytes(): number {
    return backlogOf(this.socket.conn)
  }

  get grant(): Grant {
    return this.#grant
  }

  /** Whether the client is still there; to be asked after every `await`. */
  get alive(): boolean {
    return this.#ending === null
  }

  /** Throws PRESENCE_REQUEST_CANCELLED when the client is gone. */
  assertAlive(): void {
    if (!this.alive) throw new RollcallError('PRESENCE_REQUEST_CANCELLED', 'the connection has ended')
  }

  /** The token is looked after from here on. */
  armClock(): void {
    if (!this.alive || (this.#grant.expiresAt === null && this.#clock === null)) return
    const { socket } = this
    this.#clock ??= new TokenClock({
      onWillExpire: () => socket.emit('token', { eventType: 'WILL_EXPIRE' }),
      onExpired: () => {
        socket.emit('token', { eventType: 'EXPIRED' })
        this.expel('expired')
      },
    })
    this.#clock.arm(this.#grant.expiresAt)
  }

  /** Takes over the rights and the end of a new token. */
  renew(grant: Grant): void {
    this.#grant = grant
    this.armClock()
  }

  /** Counts a channel that is being subscribed to. CHANNEL_LIMIT. Ends with {@link unreserve}. */
  reserve(channel: ChannelRef, limit: number): void {
    const key = keyOf(channel)
    if (this.subscriptions.has(key)) return
    if (this.subscriptions.size + (this.#reserved?.size ?? 0) >= limit) {
      throw new RollcallError('CHANNEL_LIMIT', `a client is in at most ${limit} channels`)
    }
    ;(this.#reserved ??= new Map()).set(key, channel)
  }

  unreserve(channel: ChannelRef): void {
    this.#reserved?.delete(keyOf(channel))
    if (this.#reserved?.size === 0) this.#reserved = null
  }

  /** What is subscribed to, or just being subscribed to. */
  channelsInUse(): readonly ChannelRef[] {
    return [...new Map([...(this.#reserved ?? []), ...[...this.subscriptions].map(([key, { channel }]) => [key, channel] as const)]).values()]
  }

  /** A write of this session: its end waits for it, so that nothing of the session is written after its last word. */
  async write<T>(work: Promise<T>): Promise<T> {
    const writes = (this.#writes ??= new Set())
    writes.add(work)
    try {
      return await work
    } finally {
      writes.delete(work)
      if (writes.size === 0 && this.#writes === writes) this.#writes = null
    }
  }

  /** Watches, from where `missed` ends, or from a SNAPSHOT on; see `Audience.attach`. Takes over one reference to the feed. */
  watch(subscription: Subscription, feed: Feed, missed: Missed | null, returns: boolean): void {
    const before = subscription.feed
    if (before !== null && before !== feed) this.deps.fanout.detach(before, this.id)
    subscription.feed = feed
    this.deps.fanout.attach(feed, this, missed, returns)
    if (before !== null) this.deps.feeds.release(before)
  }

  unwatch(subscription: Subscription): void {
    const { feed } = subscription
    if (feed === null) return
    subscription.feed = null
    this.deps.fanout.detach(feed, this.id)
    this.deps.feeds.release(feed)
  }

  /**
   * Ends the session as a logout, with a farewell that keeps plain clients from reconnecting by themselves; `why` is told to one that
   * was ended for good.
   */
  expel(reason: DropReason, why?: string): void {
    if (!this.alive) return
    this.deps.metrics.dropped.inc({ reason })
    if (why !== undefined) this.socket.emit('kicked', { reason: why, errorCode: ERRORS[reason === 'replaced' ? 'DUPLICATE_USER_ID' : 'NOT_LOGIN'].errorCode })
    void this.end('logout')
    this.socket.disconnect(true)
  }

  /**
   * Another connection has the session now. A client that is told so stops for good: two that hold one session id would
   * otherwise take it from each other for ever. One that has come back by itself does not listen here any more.
   */
  supersede(reason: string): void {
    if (!this.alive) return
    this.deps.metrics.dropped.inc({ reason: 'superseded' })
    this.socket.emit('kicked', { reason, errorCode: ERRORS.DUPLICATE_USER_ID.errorCode })
    void this.end('over')
    this.socket.disconnect(true)
  }

  /** Drops the transport at once, with what waits to be sent, so that the client reconnects and begins again. */
  drop(reason: DropReason): void {
    if (this.alive) this.deps.metrics.dropped.inc({ reason })
    void this.end(reason === 'ended' ? 'over' : 'lost')
    this.socket.conn.close(true)
  }

  /** Lets go of everything; resolves when the end is written. Only the first call counts, and it never rejects. */
  end(how: Ending): Promise<void> {
    this.#ending ??= this.#end(how)
    return this.#ending
  }

  async #end(how: Ending): Promise<void> {
    this.#clock?.clear()
    for (const subscription of this.subscriptions.values()) this.unwatch(subscription)
    this.subscriptions.clear()
    this.deps.peers.unsubscribe(this, null)
    this.deps.presence.abandon(this.session)
    if (how === 'logout') this.deps.calls.leave(this)
    while (this.#writes !== null) await Promise.allSettled(this.#writes)
    if (how === 'logout') await this.deps.presence.close(this.session)
    if (how === 'lost') await this.deps.presence.suspend(this.session, this.closing ? CLOSING_GRACE_MS : undefined)
  }
}

/** One string a channel, for a connection's maps. Types have no colon. */
export function keyOf({ channelType, channelName }: ChannelRef): string {
  return `${channelType}:${channelName}`
}
