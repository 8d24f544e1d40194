import { jest } from '@jest/globals'
import type { Feed, Missed } from '../../src/feeds/types.js'
import { Fanout, type FanoutOptions } from '../../src/gateway/fanout.js'
import type { Packet } from '../../src/gateway/packet.js'
import type { Outlet, Watcher } from '../../src/gateway/watchers.js'
import type { PacketSpan, Position, PresenceEvent } from '../../src/protocol/events.js'
import { ChannelReplica, type Change, type ChangeBatch, type Effect } from '../../src/replica/replica.js'

export const FLUSH_MS = 20
export const BACKLOG = 1_000
export const LIFE = 'life'

/** A change, without its version: {@link Room.change} gives it the next one. */
export type Step = Change extends infer One ? (One extends Change ? Omit<One, 'version' | 'at'> : never) : never

export const join = (userId: string, states: Record<string, string> = {}): Step => ({ kind: 'join', userId, joinedAt: 1, states })
export const leave = (userId: string): Step => ({ kind: 'leave', userId })
export const timeout = (userId: string): Step => ({ kind: 'timeout', userId })
export const state = (userId: string, session: string, states: Record<string, string>): Step => ({ kind: 'state', userId, session, states })

/** A packet as a client reads it. */
export interface ReadPacket {
  readonly events: readonly PresenceEvent[]
  readonly span: PacketSpan
}

/** Rooms and sockets, as far as packets go. */
export class Sockets implements Outlet {
  readonly rooms = new Map<string, Set<string>>()
  readonly received = new Map<string, ReadPacket[]>()
  /** Packets that were encoded. */
  encoded = 0

  /** Whether it is known of all in a room that nothing waits: see {@link Outlet}. */
  clear = false

  toRoom(room: string, except: readonly string[], packet: Packet): boolean {
    this.toSockets([...(this.rooms.get(room) ?? [])].filter((id) => !except.includes(id)), packet)
    return this.clear
  }

  toSockets(ids: readonly string[], packet: Packet): void {
    this.encoded++
    const [events, span] = JSON.parse(`[${packet.json}]`) as [PresenceEvent[], PacketSpan]
    for (const id of ids) this.received.set(id, [...(this.received.get(id) ?? []), { events, span }])
  }

  join(id: string, room: string): void {
    this.rooms.set(room, (this.rooms.get(room) ?? new Set()).add(id))
  }

  leave(id: string, room: string): void {
    this.rooms.get(room)?.delete(id)
  }

  /** What a socket got since it was last asked. */
  take(id: string): readonly ReadPacket[] {
    const packets = this.received.get(id) ?? []
    this.received.delete(id)
    return packets
  }

  /** Event types and publishers that a socket was told since it was last asked, a list for each packet. */
  told(id: string): string[][] {
    return this.take(id).map(({ events }) => events.map(({ eventType, publisher }) => (publisher === '' ? eventType : `${eventType} ${publisher}`)))
  }

  spans(id: string): number[][] {
    return (this.received.get(id) ?? []).map(({ span }) => [span.previous, span.version])
  }
}

/** A feed whose channel does what the test says. */
export class Room {
  readonly replica = new ChannelReplica({ life: LIFE, version: 100, members: new Map() })
  fresh = true
  settled = true
  readonly feed: Feed
  /** What is kept for those who come back, and from where on. */
  #kept: Effect[] = []
  #keptFrom = this.replica.version

  constructor(private readonly fanout: Fanout) {
    const { replica } = this
    const isFresh = (): boolean => this.fresh
    const isSettled = (): boolean => this.settled
    this.feed = {
      channel: { app: 'dev', type: 'MESSAGE', name: 'room' },
      replica,
      atLeast: () => Promise.resolve(),
      missedSince: (since) => this.#missedSince(since),
      sortedUserIds: () => [...replica.members.keys()].sort(),
      get fresh() {
        return isFresh()
      },
      get settled() {
        return isSettled()
      },
    }
  }

  /** One batch of the store. */
  change(...steps: readonly Step[]): void {
    const previous = this.replica.version
    const changes = steps.map((step, index): Change => ({ ...step, version: previous + index + 1, at: 7 }))
    const batch: ChangeBatch = { life: LIFE, previous, changes, version: previous + Math.max(1, steps.length) }
    const applied = this.replica.apply(batch)
    if (applied.outcome !== 'applied') throw new Error(applied.outcome)
    this.#kept.push(...applied.effects)
    this.fanout.onBatch(this.feed, batch, applied.effects)
  }

  /** Something was missed. */
  replace(version: number, ...users: readonly string[]): void {
    const members = new Map(users.map((userId) => [userId, { userId, states: {}, joinedAt: 1 }]))
    this.replica.replace({ life: LIFE, version, members })
    this.#kept = []
    this.#keptFrom = version
    this.fanout.onReplaced(this.feed)
  }

  #missedSince({ life, version }: Position): Missed | null {
    const { replica } = this
    if (life !== replica.life || version > replica.version || version < this.#keptFrom) return null
    return { previous: version, version: replica.version, effects: this.#kept.filter((effect) => effect.version > version) }
  }
}

export interface Tester extends Watcher {
  backlogBytes: number
}

export const watcher = (id: string, userId = id, sessionId = `session of ${id}`): Tester => ({ id, userId, sessionId, backlogBytes: 0 })
const counter = () => ({ inc: jest.fn<(by?: number) => void>() })

export function createMetrics() {
  return { packets: counter(), events: counter(), snapshots: counter(), skipped: counter() }
}

/** A fan-out that announces change by change up to 1,000 members, unless it is told otherwise. */
export function createFanout(sockets: Sockets, metrics: FanoutOptions['metrics'], options: Partial<FanoutOptions> = {}): Fanout {
  return new Fanout({ outlet: sockets, flushMs: FLUSH_MS, announceMax: 1_000, intervalMs: 2_000, backlogBytes: BACKLOG, metrics, ...options })
}
