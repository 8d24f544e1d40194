import type { Logger } from '../log.js'
import type { Metrics } from '../metrics/index.js'
import type { Lane } from '../presence/lane.js'
import type { PresenceStore } from '../presence/store.js'
import type { BeatReply, Membership, Op, Timer } from '../presence/types.js'

/** Memberships that one pass ends at most, and timers that it rings. */
const PASS_MAX = 200
/** Other nodes see the same deadline; a little apart, the first one finds the work and the rest find it done. */
const JITTER_MS = 100
const RETRY_MS = 50
/** Deadlines that fall this close together are swept together, in milliseconds. */
const SLACK_MS = 5

/** What is due at some time and is no membership. */
export interface Timers {
  /** Does what a timer stands for, and takes it away. What it leaves is tried again with the next heartbeat. */
  ring(lane: Lane, timer: Timer): Promise<void>
  /** Some of the partition were lost: sets those again whose time is still known. */
  rearm(lane: Lane): Promise<void>
}

/**
 * Ends what timed out. It looks when a heartbeat's answer, or a deadline that this node set itself, says that something
 * is due, and never otherwise. Whatever it finds is checked again by the script that ends it: sweepers may race.
 */
export class Sweeper {
  readonly #planned = new Map<number, { readonly at: number; readonly timer: NodeJS.Timeout }>()
  readonly #sweeping = new Set<number>()
  readonly #reminding = new Set<number>()
  #closed = false

  constructor(
    private readonly lanes: readonly Lane[],
    private readonly store: PresenceStore,
    private readonly node: string,
    private readonly heartbeatMs: number,
    private readonly metrics: Metrics,
    private readonly log: Logger,
    private readonly timers: Timers,
  ) {}

  /** After a heartbeat: is something due before the next one? */
  consider(lane: Lane, beat: BeatReply): void {
    if (beat.dueLost) void this.#remind(lane)
    const due = Math.min(beat.nextDue ?? Infinity, beat.nextLeaseEnd ?? Infinity)
    if (due === Infinity) return
    const inMs = (Math.max(due, beat.holdUntil) - beat.clock) / 1000
    if (inMs < this.heartbeatMs) this.#schedule(lane.partition, Math.max(0, inMs) + Math.random() * JITTER_MS)
  }

  /** A deadline that this node has just set. */
  deadline(partition: number, inMs: number): void {
    this.#schedule(partition, inMs + SLACK_MS)
  }

  close(): void {
    this.#closed = true
    for (const { timer } of this.#planned.values()) clearTimeout(timer)
    this.#planned.clear()
  }

  #schedule(partition: number, inMs: number): void {
    if (this.#closed) return
    const at = performance.now() + inMs
    const planned = this.#planned.get(partition)
    if (planned !== undefined && planned.at <= at) {
      // The earlier look will find that this one is still to come, and plan it.
      return
    }
    clearTimeout(planned?.timer)
    const timer = setTimeout(() => {
      this.#planned.delete(partition)
      void this.#sweep(partition)
    }, inMs)
    timer.unref()
    this.#planned.set(partition, { at, timer })
  }

  /** A list of deadlines, or of a node that is gone, lacks some: whoever or whatever has none gets one. */
  async #remind(lane: Lane): Promise<void> {
    if (this.#reminding.has(lane.partition)) return
    this.#reminding.add(lane.partition)
    try {
      const { status } = await lane.submit({ kind: 'search' })
      if (status === 'early') return
      this.log.warn({ partition: lane.partition }, 'data was lost; whoever nobody vouches for, and what lacks a timer, gets a deadline')
      for await (const found of this.store.ownership.unvouched(lane.partition)) {
        await Promise.all(found.map((membership) => lane.submit({ ...membership, kind: 'remind' })))
      }
      await this.timers.rearm(lane)
      await lane.submit({ kind: 'searched' })
    } catch (error) {
      // The next heartbeat says so again.
      this.log.debug({ err: error, partition: lane.partition }, 'remind')
    } finally {
      this.#reminding.delete(lane.partition)
    }
  }

  async #sweep(partition: number): Promise<void> {
    const lane = this.lanes[partition]
    if (lane === undefined || this.#closed) return
    if (this.#sweeping.has(partition)) {
      this.#schedule(partition, RETRY_MS)
      return
    }
    this.#sweeping.add(partition)
    try {
      const next = await this.#passes(lane)
      if (next !== null) this.#schedule(partition, next)
    } catch (error) {
      // The next heartbeat says again what is due.
      this.log.debug({ err: error, partition }, 'sweep')
    } finally {
      this.#sweeping.delete(partition)
    }
  }

  /** @returns in how many milliseconds the next deadline that this node knows of is due, or null. */
  async #passes(lane: Lane): Promise<number | null> {
    for (;;) {
      if (this.#closed) return null
      const soon = lane.clockNow + this.heartbeatMs * 1000
      const { due, timers, leases, next } = await this.store.dueCandidates(lane.partition, lane.clockNow + SLACK_MS * 1000, soon, PASS_MAX)
      for (const node of leases) if (node !== this.node) await this.#endLease(lane, node)
      const results = await Promise.all(due.map((membership) => lane.submit({ ...membership, kind: 'expire' })))
      const ended = results.filter((result) => result.status === 'ok').length
      this.metrics.swept.inc(ended)
      await Promise.all(timers.map((timer) => this.#rings(lane, timer)))
      if (results.some(({ farewell }) => farewell === true)) continue
      // There may be more; and those that could not be done now are not tried again at once.
      if (timers.length === PASS_MAX) return RETRY_MS
      if (ended === 0 || due.length < PASS_MAX) {
        // Refused: the script's clock was a little behind this node's estimate, or nothing ends just now.
        const early = results.some((result) => result.status === 'early') ? Math.max(lane.holdUntil, lane.clockNow + RETRY_MS * 1000) : Infinity
        const then = Math.min(early, next ?? Infinity)
        return then === Infinity ? null : (then - lane.clockNow) / 1000 + SLACK_MS
      }
    }
  }

  async #rings(lane: Lane, timer: Timer): Promise<void> {
    try {
      await this.timers.ring(lane, timer)
    } catch (error) {
      this.log.debug({ err: error, partition: lane.partition, kind: timer.kind }, 'timer')
    }
  }

  /** A node is gone: what it vouched for becomes due, so that its clients have their grace to come back elsewhere. */
  async #endLease(lane: Lane, node: string): Promise<void> {
    const ended = await lane.submit({ kind: 'endLease', node })
    if (ended.status !== 'ok' && ended.status !== 'same') return
    let whole = true
    for (;;) {
      if (this.#closed) return
      const { memberships, intact } = await this.store.ownership.owned(lane.partition, node, PASS_MAX)
      whole &&= intact
      if (memberships.length === 0) break
      const ops = memberships.map((membership: Membership): Op => ({ ...membership, kind: 'orphan', node }))
      const results = await Promise.all(ops.map((op) => lane.submit(op)))
      // 'early': the node is back and holds its lease again.
      if (results.some((result) => result.status === 'early')) return
    }
    await lane.submit({ kind: 'dropLease', node })
    if (!whole) void this.#remind(lane)
  }
}
