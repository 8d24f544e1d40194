import type { Feed, Missed } from '../feeds/types.js'
import type { ChangeBatch, Effect } from '../replica/replica.js'
import { sumsUp } from './interval.js'
import type { Packet } from './packet.js'
import { outOfService, snapshotOf } from './presence-events.js'
import { tellMissed, tellNet, tellSingly, type FanoutMetrics, type Stretch, type Telling } from './telling.js'
import { Watchers, type Outlet, type Watcher } from './watchers.js'

export interface AudienceOptions {
  readonly room: string
  readonly outlet: Outlet
  readonly flushMs: number
  readonly announceMax: number
  readonly intervalMs: number
  readonly backlogBytes: number
  readonly metrics: FanoutMetrics
  /** Somebody is owed a SNAPSHOT: call {@link Audience.settle} soon, and again while it answers false. */
  readonly onOwed: (audience: Audience) => void
}

/**
 * The watchers of one feed on this node.
 *
 * A watcher is either live - it is told what happens from its position on - or it is owed one SNAPSHOT, because it is
 * new here, or was too slow, and gets nothing else until then.
 *
 * Changes are announced in one of two ways:
 * - One by one, up to `announceMax` members. The first leaves at once and opens a window of `flushMs`; what happens
 *   within it leaves as one packet when it ends. All live watchers stand at the same position.
 * - Summed up, above it. The first opens an interval of `intervalMs`; at its end everybody gets one INTERVAL with the net,
 *   or nobody gets anything where there is none. Who begins within an interval gets a SNAPSHOT of that moment, and at
 *   the end an INTERVAL of the rest: cutting the interval short for everybody would make one for each newcomer.
 */
export class Audience {
  readonly #live: Watchers
  readonly #owed = new Map<string, Watcher>()
  /** Of those, who had a view of the channel before Redis lost it: nobody may be missing in theirs. */
  readonly #returning = new WeakSet<Watcher>()
  readonly #options: AudienceOptions
  readonly #telling: Telling
  #sumsUp: boolean
  #pending: Effect[] = []
  /** Where the live watchers in the room stand. */
  #sent: number
  /** The end of the last batch; what is between is pending, or was nobody's concern. */
  #moved: number
  /** Ends the window, or the interval. */
  #timer: NodeJS.Timeout | null = null
  /** The SNAPSHOT of a version is built once. */
  #snapshot: Packet | null = null

  constructor(
    readonly feed: Feed,
    options: AudienceOptions,
  ) {
    this.#options = options
    this.#live = new Watchers(options.room, options.outlet)
    this.#telling = { feed, live: this.#live, outlet: options.outlet, metrics: options.metrics }
    this.#sent = this.#moved = feed.replica.version
    this.#sumsUp = this.#shallSumUp(false)
  }

  get size(): number {
    return this.#live.size + this.#owed.size
  }

  /**
   * Lets a socket watch from the feed's position on. With `missed` it is told these changes now, and what follows; with
   * null it gets a SNAPSHOT as soon as this turn of the event loop has ended, and then what follows. One that watches
   * already begins again.
   *
   * @param returns it has a view of an earlier life, so a SNAPSHOT waits until all that was lost may have been put back.
   */
  attach(watcher: Watcher, missed: Missed | null, returns: boolean): void {
    this.detach(watcher.id)
    if (returns) this.#returning.add(watcher)
    else this.#returning.delete(watcher)
    const { feed } = this
    if (missed?.version !== feed.replica.version || !this.#keepsUp(watcher)) {
      this.#owed.set(watcher.id, watcher)
      this.#options.onOwed(this)
      return
    }
    this.#makeReady()
    if (missed.version !== missed.previous) tellMissed(this.#telling, watcher, missed, { summed: this.#sumsUp })
    this.#enter(watcher)
  }

  detach(id: string): void {
    this.#owed.delete(id)
    this.#live.delete(id)
  }

  /** Takes in what a batch did to the replica. */
  moved(batch: ChangeBatch, effects: readonly Effect[]): void {
    const before = this.#sumsUp
    const after = this.#shallSumUp(before)
    this.#snapshot = null
    // What happened below the threshold is announced one by one.
    if (after && !before && this.#pending.length > 0) this.#announce()
    this.#moved = batch.version
    if (after !== before) this.#stopTimer()
    this.#sumsUp = after
    if (this.#live.size === 0) {
      this.#makeReady()
      return
    }
    this.#pending.push(...effects)
    if (before && !after) {
      // The last INTERVAL. From here on all stand at one position.
      this.#sumUp({ evenIfEmpty: this.#live.ahead > 0 })
      this.#startTimer()
      return
    }
    // A batch without effects moves no one by itself; the next packet spans it.
    if (effects.length === 0 || this.#timer !== null) return
    if (!after) this.#announce()
    this.#startTimer()
  }

  /** The replica was replaced: whoever watches needs one SNAPSHOT, and what was pending is in it. */
  replaced(): void {
    this.#snapshot = null
    this.#pending = []
    this.#stopTimer()
    this.#sent = this.#moved = this.feed.replica.version
    this.#sumsUp = this.#shallSumUp(this.#sumsUp)
    this.#live.gather()
    this.#shedSlow()
    if (this.#live.size === 0) return
    const packet = this.#currentSnapshot()
    this.#live.tellRoom([], packet)
    this.#options.metrics.snapshots.inc(this.#live.size)
  }

  /** Says that the node cannot vouch for the channel now. */
  suspended(): void {
    this.#level()
    const packet = outOfService(this.feed)
    if (this.#live.size > 0) this.#live.tellRoom([], packet)
    const others = [...this.#owed.values()].filter((watcher) => this.#keepsUp(watcher)).map(({ id }) => id)
    if (others.length > 0) this.#options.outlet.toSockets(others, packet)
  }

  /** Gives what is owed to those who can take it; whether nobody is owed anything any more. */
  settle(): boolean {
    // What a feed says may not be given out before it is in step again.
    if (!this.feed.fresh) return this.#owed.size === 0
    const { settled } = this.feed
    const ready = [...this.#owed.values()].filter((watcher) => this.#keepsUp(watcher) && (settled || !this.#returning.has(watcher)))
    if (ready.length > 0) {
      this.#makeReady()
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
    this.#stopTimer()
    this.#pending = []
    for (const { id } of this.#live) this.#live.delete(id)
    this.#owed.clear()
  }

  #shallSumUp(before: boolean): boolean {
    return sumsUp(before, this.feed.replica.members.size, this.#options.announceMax)
  }

  #startTimer(): void {
    const ms = this.#sumsUp ? this.#options.intervalMs : this.#options.flushMs
    if (ms === 0) return
    this.#timer = setTimeout(() => {
      this.#timer = null
      if (this.#pending.length === 0) return
      if (this.#sumsUp) this.#sumUp({ evenIfEmpty: false })
      else {
        this.#announce()
        this.#startTimer()
      }
    }, ms)
  }

  #stopTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  /** Before somebody begins at the replica's position: who is announced everything one by one is brought there, too. */
  #makeReady(): void {
    if (this.#live.size > 0) {
      if (!this.#sumsUp) this.#level()
      return
    }
    this.#pending = []
    this.#sent = this.#moved
  }

  /** Brings all live watchers to the replica's position. */
  #level(): void {
    if (this.#live.size === 0 || this.#sent === this.#moved) return
    if (!this.#sumsUp) {
      this.#announce()
      return
    }
    this.#stopTimer()
    this.#sumUp({ evenIfEmpty: true })
  }

  /** Tells the room what is pending, change by change. */
  #announce(): void {
    tellSingly(this.#telling, this.#take())
    this.#sent = this.#moved
  }

  /**
   * Ends the interval: everybody is told the net since it was told last, and stands where the replica does. Where nobody
   * has anything to be told nothing is sent, and the next packet spans it - unless all have to stand at one position now.
   */
  #sumUp({ evenIfEmpty }: { readonly evenIfEmpty: boolean }): void {
    if (tellNet(this.#telling, this.#take(), { evenIfEmpty })) this.#sent = this.#moved
  }

  /** What is pending, for those who keep up. */
  #take(): Stretch {
    this.#shedSlow()
    const effects = this.#pending
    this.#pending = []
    return { previous: this.#sent, version: this.#moved, effects }
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
    for (const watcher of this.#live.slow(this.#options.backlogBytes)) {
      this.#live.delete(watcher.id)
      this.#owed.set(watcher.id, watcher)
      this.#options.metrics.skipped.inc()
      shed = true
    }
    if (shed) this.#options.onOwed(this)
  }

  #enter(watcher: Watcher): void {
    this.#live.add(watcher, this.#sent === this.#moved ? null : this.#moved)
  }
}
