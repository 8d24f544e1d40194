import type { ChannelRef, ChannelType } from '../protocol/channel.js'
import type { PacketSpan, Position, PresenceEvent, SnapshotEntry } from '../protocol/events.js'
import { ChannelReplica, sameStates, type Member } from '../replica/replica.js'
import { Emitter, type EventQueue, type Listener } from './emitter.js'
import type { PresenceMessage } from './events.js'
import { OwnStates } from './own-states.js'
import { batchOf, messageOf } from './wire.js'

/**
 * `syncing`: a snapshot, or what was missed, is under way. `live`: in step. `stale`: not kept in step now, because the
 * client is not connected or does not subscribe with presence, or because the node cannot vouch for the channel.
 */
export type ChannelStatus = 'syncing' | 'live' | 'stale'

export interface ChannelChange extends ChannelRef {
  readonly status: ChannelStatus
  readonly version: number
}

export interface LiveChannelEvents {
  readonly change: ChannelChange
}

/** A channel as the client knows it: a live view, kept by the same reducer as on the nodes. */
export interface LiveChannel extends ChannelRef {
  /** Who is there, oneself included. The map is kept up to date in place until the next SNAPSHOT: read it anew. */
  readonly members: ReadonlyMap<string, Member>
  /** 0 until the first SNAPSHOT. */
  readonly version: number
  readonly status: ChannelStatus
  /** `change` tells that members or status are not what they were; changes within one tick are told once. */
  addEventListener(type: 'change', listener: Listener<ChannelChange>): void
  removeEventListener(type: 'change', listener: Listener<ChannelChange>): void
  on(type: 'change', listener: Listener<ChannelChange>): this
  once(type: 'change', listener: Listener<ChannelChange>): this
  off(type: 'change', listener: Listener<ChannelChange>): this
}

/** What a packet came to: what the app is told, in order, and whether something before it is missing. */
export interface Received {
  readonly messages: readonly PresenceMessage[]
  readonly gap: boolean
}

const NOBODY: ReadonlyMap<string, Member> = new Map<string, Member>()
const KIND_OF = { REMOTE_JOIN: 'join', REMOTE_LEAVE: 'leave', REMOTE_TIMEOUT: 'timeout', REMOTE_STATE_CHANGED: 'state' } as const

export class ChannelView extends Emitter<LiveChannelEvents> implements LiveChannel {
  readonly channelName: string
  readonly channelType: ChannelType
  readonly #userId: string
  #own = new OwnStates()
  #replica: ChannelReplica | null = null
  #status: ChannelStatus = 'stale'
  #changeQueued = false

  constructor(channel: ChannelRef, userId: string, queue: EventQueue) {
    super(queue)
    this.channelName = channel.channelName
    this.channelType = channel.channelType
    this.#userId = userId
  }

  get members(): ReadonlyMap<string, Member> {
    return this.#replica?.members ?? NOBODY
  }

  get version(): number {
    return this.#replica?.version ?? 0
  }

  get status(): ChannelStatus {
    return this.#status
  }

  /** Where the replica stands; `null` before the first SNAPSHOT. */
  get position(): Position | null {
    return this.#replica === null ? null : { life: this.#replica.life, version: this.#replica.version }
  }

  /** A subscription with presence begins: its SNAPSHOT is under way. `own` is shared with whoever writes states. */
  begin(own: OwnStates): void {
    this.#own = own
    if (this.#replica === null) this.mark('syncing')
  }

  /** The subscription is over; nobody is known to be there. */
  end(): void {
    this.#replica = null
    this.#own = new OwnStates()
    this.#status = 'stale'
    this.#change()
  }

  mark(status: ChannelStatus): void {
    if (this.#status === status) return
    this.#status = status
    this.#change()
  }

  /** What the server says will bring the view to this version: it is live when it is there. */
  expect(version: number): void {
    this.mark(this.#replica !== null && this.#replica.version >= version ? 'live' : 'syncing')
  }

  /** One's own states were written by this session; no event will say so. */
  ownChanged(): void {
    if (this.#showOwn()) this.#change()
  }

  receive(events: readonly PresenceEvent[], span?: PacketSpan): Received {
    const messages: PresenceMessage[] = []
    // A SNAPSHOT makes what comes before it in the packet old news.
    const start = events.findLastIndex(({ eventType }) => eventType === 'SNAPSHOT')
    const snapshot = events[start]
    if (snapshot !== undefined && this.#replace(snapshot)) messages.push(messageOf(snapshot))

    const following = events.slice(start + 1)
    const changes = following.filter(({ eventType }) => eventType !== 'ERROR_OUT_OF_SERVICE')
    const outOfService = following.filter(({ eventType }) => eventType === 'ERROR_OUT_OF_SERVICE')
    const moved = snapshot === undefined && outOfService.length === 0
    const applied = changes.length > 0 || moved ? this.#apply(changes, span) : { messages: [], gap: false }

    if (outOfService.length > 0) this.mark('stale')
    return { messages: [...messages, ...applied.messages, ...outOfService.map(messageOf)], gap: applied.gap }
  }

  #replace(event: PresenceEvent): boolean {
    const { life, version } = event
    const old = this.#replica !== null && this.#replica.life === life && version < this.#replica.version
    if (!old) {
      const members = new Map((event.snapshot ?? []).map((entry) => [entry.userId, memberOf(entry)]))
      const own = members.get(this.#userId)
      if (own !== undefined) this.#own.known(own.states, version)
      this.#own.settle(version)
      if (this.#replica === null) this.#replica = new ChannelReplica({ life, version, members })
      else this.#replica.replace({ life, version, members })
      this.#showOwn()
    }
    this.#status = 'live'
    this.#change()
    return !old
  }

  #apply(events: readonly PresenceEvent[], span?: PacketSpan): Received {
    const batch = batchOf(events, span)
    // Before the first SNAPSHOT there is nothing to apply to, and it says all that these events do.
    if (batch === null || this.#replica === null) return { messages: [], gap: false }
    const before = this.#replica.version
    // A net summary says nothing to a replica that stands inside its interval.
    const inside = batch.previous < before && before < batch.version && events.some(({ eventType }) => eventType === 'INTERVAL')
    const applied = inside ? ({ outcome: 'gap' } as const) : this.#replica.apply(batch)
    if (applied.outcome !== 'applied') return { messages: [], gap: applied.outcome === 'gap' }

    for (const change of batch.changes) {
      if (change.kind === 'state' && change.userId === this.#userId && change.version > before) this.#own.known(change.states, change.version)
    }
    this.#own.settle(batch.version)
    const ownShown = this.#showOwn()
    if (this.#status === 'syncing') this.mark('live')
    if (applied.effects.length > 0 || ownShown) this.#change()
    const news = new Set(applied.effects.map(({ kind, version, member }) => `${kind} ${version} ${member.userId}`))
    return { messages: events.filter((event) => event.version > before && this.#isNews(event, news)).map(messageOf), gap: false }
  }

  /** Events that change nothing here (a member who is known already) are not told; nor is oneself's coming and going. */
  #isNews({ eventType, publisher, version }: PresenceEvent, news: ReadonlySet<string>): boolean {
    if (eventType === 'INTERVAL') return true
    if (eventType === 'SNAPSHOT' || eventType === 'ERROR_OUT_OF_SERVICE') return false
    if (publisher === this.#userId && eventType !== 'REMOTE_STATE_CHANGED') return false
    return news.has(`${KIND_OF[eventType]} ${version} ${publisher}`)
  }

  /** Puts one's own states into the map, which no event of this session's changes reaches. */
  #showOwn(): boolean {
    const replica = this.#replica
    const member = replica?.members.get(this.#userId)
    if (replica === null || member === undefined) return false
    const { states } = this.#own
    if (sameStates(member.states, states)) return false
    replica.replace({ life: replica.life, version: replica.version, members: new Map(replica.members).set(this.#userId, { ...member, states: { ...states } }) })
    return true
  }

  /** Changes of one tick are told once; who listens reads what is true by then. */
  #change(): void {
    if (this.#changeQueued) return
    this.#changeQueued = true
    this.later(() => {
      this.#changeQueued = false
      this.deliver('change', { channelName: this.channelName, channelType: this.channelType, status: this.status, version: this.version })
    })
  }
}

function memberOf({ userId, states, joinedAt }: SnapshotEntry): Member {
  return { userId, states, joinedAt }
}
