import { afterEach, beforeEach, describe, jest, test } from '@jest/globals'
import fc from 'fast-check'
import { EventQueue } from '../../src/client/emitter.js'
import { ChannelView } from '../../src/client/live-channel.js'
import { OwnStates } from '../../src/client/own-states.js'
import type { Fanout } from '../../src/gateway/fanout.js'
import type { States } from '../../src/protocol/channel.js'
import type { PresenceEvent } from '../../src/protocol/events.js'
import { sameStates } from '../../src/replica/replica.js'
import { BACKLOG, createFanout, createMetrics, join, leave, Room, Sockets, state, timeout, watcher, type ReadPacket, type Step, type Tester } from '../support/fanout-room.js'

/** Members that watch: they stay, so that their own views are whole. */
const STAYING = ['ada', 'bob']
const COMING = ['cy', 'dee', 'eve', 'fay', 'gus', 'hal']

/** Applies what it is told, in the order in which it comes, and knows nothing of versions; but checks that they rise without a gap. */
class PlainView {
  #users: Map<string, States> | null = null
  #position = 0

  constructor(private readonly me: Tester) {}

  receive({ events, span }: ReadPacket): void {
    // It moves nobody, and those who are owed a SNAPSHOT get it too.
    if (events.some(({ eventType }) => eventType === 'ERROR_OUT_OF_SERVICE')) return
    for (const event of events) this.#apply(event)
    const isStart = events.some(({ eventType }) => eventType === 'SNAPSHOT')
    if (!isStart && span.previous !== this.#position) throw new Error(`a packet follows on ${span.previous}, ${this.me.id} stands at ${this.#position}`)
    this.#position = span.version
  }

  /** What it would have to know: everybody but oneself. */
  assertSees(members: Room['replica']['members']): void {
    const seen = [...(this.#users ?? [])].filter(([user]) => user !== this.me.userId)
    const there = [...members.values()].filter(({ userId }) => userId !== this.me.userId)
    const same = seen.length === there.length && there.every(({ userId, states }) => sameStates(this.#users?.get(userId) ?? { none: '' }, states))
    if (!same) throw new Error(`${this.me.id} sees ${JSON.stringify(seen)}, and there are ${JSON.stringify(there)}`)
  }

  #apply({ eventType, publisher, stateChanged, snapshot, interval }: PresenceEvent): void {
    if (eventType === 'SNAPSHOT') {
      this.#users = new Map((snapshot ?? []).map(({ userId, states }) => [userId, states]))
      return
    }
    if (eventType === 'REMOTE_JOIN') this.#enter(publisher)
    if (eventType === 'REMOTE_LEAVE' || eventType === 'REMOTE_TIMEOUT') this.#exit(publisher)
    if (eventType === 'REMOTE_STATE_CHANGED') this.#say(publisher, stateChanged)
    if (interval === null) return
    const { join: joined, leave: left, timeout: timedOut, userStateList } = interval
    for (const user of [...left.users, ...timedOut.users]) this.#exit(user)
    for (const user of joined.users) this.#enter(user)
    for (const { userId, states } of userStateList) this.#say(userId, states)
    if (interval.totalOccupancy !== this.#known().size) throw new Error(`${interval.totalOccupancy} are there, ${this.me.id} knows of ${this.#known().size}`)
  }

  #enter(user: string): void {
    if (user === this.me.userId || this.#known().has(user)) throw new Error(`${this.me.id} is told of ${user} joining`)
    this.#known().set(user, {})
  }

  #exit(user: string): void {
    if (user === this.me.userId || !this.#known().delete(user)) throw new Error(`${this.me.id} is told of ${user} leaving`)
  }

  #say(user: string, states: States): void {
    if (!this.#known().has(user)) throw new Error(`${this.me.id} is told of states of ${user}`)
    this.#known().set(user, states)
  }

  #known(): Map<string, States> {
    if (this.#users === null) throw new Error(`${this.me.id} is told something before its SNAPSHOT`)
    return this.#users
  }
}

/** The SDK's view, with its session's own writes as they are acknowledged. */
class SdkView {
  readonly #own = new OwnStates()
  readonly view: ChannelView

  constructor(private readonly me: Tester) {
    this.view = new ChannelView({ channelName: 'room', channelType: 'MESSAGE' }, me.userId, new EventQueue())
    this.view.begin(this.#own)
  }

  receive({ events, span }: ReadPacket): void {
    if (this.view.receive(events, span).gap) throw new Error(`a gap for ${this.me.id}: ${JSON.stringify(span)} at ${this.view.version}`)
  }

  wrote(version: number, states: States): void {
    this.#own.wrote(version, () => states)
    this.view.ownChanged()
  }

  assertSees(members: Room['replica']['members']): void {
    const same = this.view.members.size === members.size && [...members].every(([user, { states }]) => sameStates(this.view.members.get(user)?.states ?? { none: '' }, states))
    if (!same) throw new Error(`${this.me.id} sees ${JSON.stringify([...this.view.members])}, and there are ${JSON.stringify([...members])}`)
  }
}

interface Seat {
  readonly me: Tester
  readonly plain: PlainView
  readonly sdk: SdkView
  /** Whether it watches. */
  away: boolean
}

const VALUES = [{}, { k: '1' }, { k: '2' }]
const act = fc.record({ user: fc.constantFrom(...STAYING, ...COMING), session: fc.constantFrom('s1', 's2'), states: fc.constantFrom(...VALUES), does: fc.constantFrom('come', 'come', 'go', 'time out', 'say', 'say', 'stay') })
type Act = typeof act extends fc.Arbitrary<infer T> ? T : never

const command = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('change' as const), acts: fc.array(act, { minLength: 1, maxLength: 4 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(1, 15, 150, 350) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('attach' as const, 'attach' as const, 'resume' as const, 'detach' as const, 'slow' as const, 'drained' as const), seat: fc.nat({ max: 4 }) }) },
  { weight: 3, arbitrary: fc.constant({ do: 'tick' as const }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('replace' as const), users: fc.subarray(COMING) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('service' as const), on: fc.boolean() }) },
)
type Command = typeof command extends fc.Arbitrary<infer T> ? T : never

class Story {
  readonly sockets = new Sockets()
  readonly fanout: Fanout = createFanout(this.sockets, createMetrics(), { announceMax: 5, intervalMs: 300 })
  readonly room = new Room(this.fanout)
  readonly seats: readonly Seat[] = [
    watcher('ada-1', 'ada', 's1'),
    watcher('ada-2', 'ada', 's2'),
    watcher('bob-1', 'bob', 's1'),
    watcher('guest', 'guest', 's1'),
    watcher('other', 'other', 's1'),
  ].map((me) => ({ me, plain: new PlainView(me), sdk: new SdkView(me), away: true }))

  #inService = true

  /** It begins at the threshold, with most of them watching. */
  constructor() {
    this.room.change(...STAYING.map((user) => join(user)), join('cy'), join('dee', { k: '1' }), join('eve'))
    for (const seat of this.seats.slice(0, 4)) this.#watch(seat, false)
    jest.runAllTicks()
    this.#deliver()
  }

  play(command: Command): void {
    switch (command.do) {
      case 'change':
        this.#change(command.acts)
        break
      case 'pass':
        jest.advanceTimersByTime(command.ms)
        break
      case 'tick':
        jest.runAllTicks()
        break
      case 'replace':
        this.room.replace(this.room.replica.version + 10, ...STAYING, ...command.users)
        break
      case 'service':
        this.#inService = command.on
        this.fanout.onService(command.on)
        break
      default:
        this.#seat(command.do, command.seat)
    }
    this.#deliver()
  }

  /** Everybody drains, service is back, time passes: now all that watch see what is there. */
  end(): void {
    for (const { me } of this.seats) me.backlogBytes = 0
    // Coming back into service gives everybody a SNAPSHOT, which would hide what they were told wrong.
    if (!this.#inService) this.fanout.onService(true)
    this.#deliver()
    jest.runAllTicks()
    for (let i = 0; i < 5; i++) {
      jest.advanceTimersByTime(1_000)
      this.#deliver()
    }
    for (const { away, plain, sdk } of this.seats) {
      if (away) continue
      plain.assertSees(this.room.replica.members)
      sdk.assertSees(this.room.replica.members)
    }
  }

  #deliver(): void {
    for (const seat of this.seats) {
      for (const packet of this.sockets.take(seat.me.id)) {
        if (seat.away) throw new Error(`${seat.me.id} does not watch, and is told something`)
        seat.plain.receive(packet)
        seat.sdk.receive(packet)
      }
    }
  }

  #change(acts: readonly Act[]): void {
    const there = new Set(this.room.replica.members.keys())
    const steps: Step[] = []
    const writes: { readonly user: string; readonly session: string; readonly states: States; readonly at: number }[] = []
    for (const { user, session, states, does } of acts) {
      const isThere = there.has(user)
      if (does === 'say' && isThere) {
        writes.push({ user, session, states, at: steps.length })
        steps.push(state(user, session, { ...states }))
      } else if (!STAYING.includes(user) && does === 'come' && !isThere) {
        there.add(user)
        steps.push(join(user, { ...states }))
      } else if (!STAYING.includes(user) && (does === 'go' || does === 'time out') && isThere) {
        there.delete(user)
        steps.push(does === 'go' ? leave(user) : timeout(user))
      }
    }
    const previous = this.room.replica.version
    this.room.change(...steps)
    for (const { user, session, states, at } of writes) {
      for (const { me, sdk } of this.seats) if (me.userId === user && me.sessionId === session) sdk.wrote(previous + at + 1, states)
    }
  }

  #seat(what: 'attach' | 'resume' | 'detach' | 'slow' | 'drained', index: number): void {
    const seat = this.seats[index]
    if (seat === undefined) return
    const { me } = seat
    switch (what) {
      case 'attach':
        this.#watch(seat, false)
        return
      case 'resume':
        this.#watch(seat, true)
        return
      case 'detach':
        seat.away = true
        this.fanout.detach(this.room.feed, me.id)
        return
      case 'slow':
        me.backlogBytes = BACKLOG + 1
        return
      case 'drained':
        me.backlogBytes = 0
    }
  }

  #watch(seat: Seat, continues: boolean): void {
    const position = seat.sdk.view.position
    seat.away = false
    this.fanout.attach(this.room.feed, seat.me, continues && position !== null ? this.room.feed.missedSince(position) : null, false)
  }
}

beforeEach(() => {
  jest.useFakeTimers()
})

afterEach(() => {
  jest.useRealTimers()
})

describe('whatever happens in a channel that crosses the threshold again and again', () => {
  test('everybody who watches is told it without a gap, each stay once, and sees what is there', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60, size: 'max' }), (commands) => {
        const story = new Story()
        try {
          for (const one of commands) story.play(one)
          story.end()
        } finally {
          story.fanout.close()
          jest.clearAllTimers()
        }
      }),
      { numRuns: 300 },
    )
  })
})
