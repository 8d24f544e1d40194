import type { Feed, Missed } from '../feeds/types.js'
import type { PacketSpan, PresenceEvent } from '../protocol/events.js'
import type { ChangeBatch, Effect } from '../replica/replica.js'
import { announce, isOwn, outOfService, refOf, snapshotOf, type Announcement, type Packet } from './presence-events.js'

/** A socket as the fan-out sees it. */
export interface Watcher {
  /** The socket's id. */
  readonly id: string
  readonly userId: string
  readonly sessionId: string
  /** Bytes that wait to be sent to it. */
  readonly backlogBytes: number
}

/** How packets leave: each call encodes its packet once, however many sockets get it. */
export interface Outlet {
  toRoom(room: string, except: readonly string[], packet: Packet): void
  toSockets(ids: readonly string[], packet: Packet): void
  join(id: string, room: string): void
  leave(id: string, room: string): void
}

/** What of the node's metrics the fan-out counts. */
export type FanoutMetrics = Readonly<Record<'packets' | 'events' | 'snapshots' | 'skipped', { inc(by?: number): void }>>

export interface AudienceOptions {
  readonly room: string
  readonly outlet: Outlet
  readonly flushMs: number
  readonly backlogBytes: number
  readonly metrics: FanoutMetrics
  /** Somebody is owed a SNAPSHOT: call {@link Audience.settle} soon, and again while it answers false. */
  readonly onOwed: (audience: Audience) => void
}

/**
 * The watchers of one feed on this node.
 *
 * A watcher is either live - it is in the room and stands where the last packet to the room ended, all of them at the
 * same position - or it is owed one SNAPSHOT, because it is new here, or was too slow, and gets nothing else until then.
 *
 * Packets: the first change leaves at once and opens a window of `flushMs`; what happens within it leaves as one packet
 * when it ends. (Summaries instead of single changes, for channels with many members, would be another `#flush`.)
 */
export class Audience {
  readonly #live = new Map<string, Watcher>()
  readonly #owed = new Map<string, Watcher>()
  readonly #liveByUser = new Map<string, Set<Watcher>>()
  readonly #options: AudienceOptions
  #pending: Effect[] = []
  /** Where the live watchers stand. */
  #sent: number
  /** The end of the last batch; what is between is pending, or was nobody's concern. */
  #moved: number
  #window: NodeJS.Timeout | null = null
  /** The SNAPSHOT of a version is built once. */
  #snapshot: Packet | null = null

  constructor(
    readonly feed: Feed,
    options: AudienceOptions,
  ) {
    this.#options = options
    this.#sent = this.#moved = feed.replica.version
  }

  get size(): number {
    return this.#live.size + this.#owed.size
  }

  /**
   * Lets a socket watch from the feed's position on. With `missed` it is told these changes now, and what follows; with
   * null it gets a SNAPSHOT as soon as this turn of the event loop has ended, and then what follows. One that watches
   * already begins again.
   */
  attach(watcher: Watcher, missed: Missed | null): void {
    this.detach(watcher.id)
    const { feed } = this
    if (missed?.version !== feed.replica.version || !this.#keepsUp(watcher)) {
      this.#owed.set(watcher.id, watcher)
      this.#options.onOwed(this)
      return
    }
    this.#level()
    if (missed.version !== missed.previous) {
      this.#tell(watcher, announce(refOf(feed.channel), feed.replica.life, missed.previous, missed.effects), this.#span(missed.previous))
    }
    this.#enter(watcher)
  }

  detach(id: string): void {
    this.#owed.delete(id)
    const watcher = this.#live.get(id)
    if (watcher !== undefined) this.#exit(watcher)
  }

  /** Takes in what a batch did to the replica. */
  moved(batch: ChangeBatch, effects: readonly Effect[]): void {
    this.#snapshot = null
    this.#moved = batch.version
    if (this.#live.size === 0) {
      this.#sent = this.#moved
      return
    }
    // A batch without effects moves no one by itself; the next packet spans it.
    if (effects.length === 0) return
    this.#pending.push(...effects)
    if (this.#window === null) this.#flushAndWait()
  }

  /** The replica was replaced: whoever watches needs one SNAPSHOT, and what was pending is in it. */
  replaced(): void {
    this.#snapshot = null
    this.#pending = []
    this.#sent = this.#moved = this.feed.replica.version
    this.#shedSlow()
    if (this.#live.size === 0) return
    const packet = this.#currentSnapshot()
    this.#options.outlet.toRoom(this.#options.room, [], packet)
    this.#options.metrics.snapshots.inc(this.#live.size)
  }

  /** Says that the node cannot vouch for the channel now. */
  suspended(): void {
    this.#level()
    const packet = outOfService(this.feed)
    if (this.#live.size > 0) this.#options.outlet.toRoom(this.#options.room, [], packet)
    const others = [...this.#owed.values()].filter((watcher) => this.#keepsUp(watcher)).map(({ id }) => id)
    if (others.length > 0) this.#options.outlet.toSockets(others, packet)
  }

  /** Gives what is owed to those who can take it; whether nobody is owed anything any more. */
  settle(): boolean {
    // What a feed says may not be given out before it is in step again.
    if (!this.feed.fresh) return this.#owed.size === 0
    const ready = [...this.#owed.values()].filter((watcher) => this.#keepsUp(watcher))
    if (ready.length > 0) {
      this.#level()
      this.#options.outlet.toSockets(
        ready.map(({ id }) => id),
        this.#currentSnapshot(),
      )
      this.#options.metrics.snapshots.inc(ready.length)
      for (const watcher of ready) {
        this.#owed.delete(watcher.id)
        this.#enter(watcher)
      }
    }
    return this.#owed.size === 0
  }

  close(): void {
    if (this.#window !== null) clearTimeout(this.#window)
    this.#window = null
    this.#pending = []
    for (const watcher of this.#live.values()) this.#exit(watcher)
    this.#owed.clear()
  }

  #flushAndWait(): void {
    this.#flush()
    if (this.#options.flushMs === 0) return
    this.#window = setTimeout(() => {
      this.#window = null
      if (this.#pending.length > 0) this.#flushAndWait()
    }, this.#options.flushMs)
  }

  /** Sends what is pending, so that the live watchers stand where the replica does. */
  #flush(): void {
    this.#shedSlow()
    const pending = this.#pending
    this.#pending = []
    const span = this.#span(this.#sent)
    this.#sent = this.#moved
    if (this.#live.size === 0) return

    const announcements = announce(refOf(this.feed.channel), span.life, span.previous, pending)
    const apart = this.#concernedBy(pending)
    const events = announcements.flatMap((announcement) => announcement.events)
    if (apart.size < this.#live.size) this.#options.outlet.toRoom(this.#options.room, [...apart].map(({ id }) => id), { events, span })
    for (const watcher of apart) this.#tell(watcher, announcements, span)
    this.#options.metrics.packets.inc(this.#live.size)
    this.#options.metrics.events.inc(events.length * this.#live.size)
  }

  /** Brings the live watchers to the replica's position before somebody else begins there. */
  #level(): void {
    if (this.#live.size > 0 && this.#sent !== this.#moved) this.#flush()
    else this.#sent = this.#moved
  }

  /** One watcher's own version of a packet; it may be left with no event, but its position moves. */
  #tell(watcher: Watcher, announcements: readonly Announcement[], span: PacketSpan): void {
    const events: PresenceEvent[] = announcements.filter(({ effect }) => !isOwn(effect, watcher)).flatMap((announcement) => announcement.events)
    this.#options.outlet.toSockets([watcher.id], { events, span })
  }

  /** The live watchers who may not see all of these effects. Costs what is concerned, not what watches. */
  #concernedBy(effects: readonly Effect[]): Set<Watcher> {
    const concerned = new Set<Watcher>()
    for (const effect of effects) {
      for (const watcher of this.#liveByUser.get(effect.member.userId) ?? []) {
        if (isOwn(effect, watcher)) concerned.add(watcher)
      }
    }
    return concerned
  }

  #span(previous: number): PacketSpan {
    return { ...refOf(this.feed.channel), life: this.feed.replica.life, previous, version: this.#moved }
  }

  #currentSnapshot(): Packet {
    this.#snapshot ??= snapshotOf(this.feed)
    return this.#snapshot
  }

  #keepsUp(watcher: Watcher): boolean {
    return watcher.backlogBytes <= this.#options.backlogBytes
  }

  /** A slow client costs itself only: it leaves the room and is owed a SNAPSHOT (I11). */
  #shedSlow(): void {
    let shed = false
    for (const watcher of this.#live.values()) {
      if (this.#keepsUp(watcher)) continue
      this.#exit(watcher)
      this.#owed.set(watcher.id, watcher)
      this.#options.metrics.skipped.inc()
      shed = true
    }
    if (shed) this.#options.onOwed(this)
  }

  #enter(watcher: Watcher): void {
    this.#live.set(watcher.id, watcher)
    const ofUser = this.#liveByUser.get(watcher.userId)
    if (ofUser === undefined) this.#liveByUser.set(watcher.userId, new Set([watcher]))
    else ofUser.add(watcher)
    this.#options.outlet.join(watcher.id, this.#options.room)
  }

  #exit(watcher: Watcher): void {
    this.#live.delete(watcher.id)
    const ofUser = this.#liveByUser.get(watcher.userId)
    ofUser?.delete(watcher)
    if (ofUser?.size === 0) this.#liveByUser.delete(watcher.userId)
    this.#options.outlet.leave(watcher.id, this.#options.room)
  }
}
