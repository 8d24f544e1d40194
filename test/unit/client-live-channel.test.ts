import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { EventQueue } from '../../src/client/emitter.js'
import { ChannelView } from '../../src/client/live-channel.js'
import { OwnStates } from '../../src/client/own-states.js'
import type { States } from '../../src/protocol/channel.js'
import type { PacketSpan, PresenceEvent, PresenceEventType, SnapshotEntry } from '../../src/protocol/events.js'

const CHANNEL = { channelName: 'room', channelType: 'MESSAGE' } as const

function span(previous: number, version: number, life = 'life'): PacketSpan {
  return { ...CHANNEL, life, previous, version }
}

function event(eventType: PresenceEventType, publisher: string, previous: number, version: number, more: Partial<PresenceEvent> = {}): PresenceEvent {
  return { ...CHANNEL, eventType, publisher, stateChanged: {}, interval: null, snapshot: null, timestamp: 7_000 + version, life: 'life', previous, version, ...more }
}

const entry = (userId: string, states: States = {}): SnapshotEntry => ({ userId, states, statesCount: Object.keys(states).length, joinedAt: 1_000 })
const snapshot = (version: number, entries: readonly SnapshotEntry[], life = 'life') => event('SNAPSHOT', '', 0, version, { snapshot: entries, life })
const interval = (previous: number, version: number, { join = [], leave = [], states = [] }: { join?: string[]; leave?: string[]; states?: { userId: string; states: States; statesCount: number }[] }) =>
  event('INTERVAL', '', previous, version, {
    interval: {
      join: { users: join, userCount: join.length },
      leave: { users: leave, userCount: leave.length },
      timeout: { users: [], userCount: 0 },
      userStateList: states,
      totalOccupancy: 0,
    },
  })

function liveView(members: readonly SnapshotEntry[] = [entry('me'), entry('tony')], version = 10) {
  const own = new OwnStates()
  const view = new ChannelView(CHANNEL, 'me', new EventQueue())
  view.begin(own)
  view.receive([snapshot(version, members)])
  const wrote = (at: number, states: States) => {
    own.wrote(at, (before) => ({ ...before, ...states }))
    view.ownChanged()
  }
  return { view, own, wrote }
}

const kinds = (received: ReturnType<ChannelView['receive']>) => received.messages.map(({ eventType, publisher }) => `${eventType} ${publisher}`.trim())
const statesOf = (view: ChannelView, user: string) => view.members.get(user)?.states

describe('a live channel', () => {
  test('is syncing until its SNAPSHOT is in; what comes before says nothing', () => {
    const view = new ChannelView(CHANNEL, 'me', new EventQueue())
    expect(view.status).toBe('stale')
    view.begin(new OwnStates())
    expect(view.status).toBe('syncing')
    expect(view.receive([event('REMOTE_JOIN', 'tony', 9, 10)], span(9, 10))).toEqual({ messages: [], gap: false })
    expect(kinds(view.receive([snapshot(10, [entry('me'), entry('tony', { a: '1' })])]))).toEqual(['SNAPSHOT'])
    expect(view.status).toBe('live')
    expect([...view.members.values()]).toEqual([
      { userId: 'me', states: {}, joinedAt: 1_000 },
      { userId: 'tony', states: { a: '1' }, joinedAt: 1_000 },
    ])
  })

  test('the app sees the shape of 000: no joinedAt, no life', () => {
    const view = new ChannelView(CHANNEL, 'me', new EventQueue())
    const { messages } = view.receive([snapshot(10, [entry('tony', { a: '1' })])])
    expect(messages).toEqual([
      {
        ...CHANNEL,
        eventType: 'SNAPSHOT',
        publisher: '',
        stateChanged: {},
        interval: null,
        snapshot: [{ userId: 'tony', states: { a: '1' }, statesCount: 1 }],
        timestamp: 7_010,
        version: 10,
      },
    ])
  })

  test('a join that brings states is two events of one version', () => {
    const { view } = liveView()
    const received = view.receive([event('REMOTE_JOIN', 'ana', 10, 12), event('REMOTE_STATE_CHANGED', 'ana', 10, 12, { stateChanged: { a: '1' } })], span(10, 12))
    expect(kinds(received)).toEqual(['REMOTE_JOIN ana', 'REMOTE_STATE_CHANGED ana'])
    expect(statesOf(view, 'ana')).toEqual({ a: '1' })
    expect(view.members.get('ana')?.joinedAt).toBe(7_012)
  })

  test('a gap changes nothing and is told; what fills it counts once', () => {
    const { view } = liveView()
    const late = [event('REMOTE_LEAVE', 'tony', 11, 12)]
    expect(view.receive(late, span(11, 12))).toEqual({ messages: [], gap: true })
    expect(view.members.has('tony')).toBe(true)
    const both = [event('REMOTE_JOIN', 'ana', 10, 11), ...late]
    expect(kinds(view.receive(both, span(10, 12)))).toEqual(['REMOTE_JOIN ana', 'REMOTE_LEAVE tony'])
    expect(view.receive(both, span(10, 12))).toEqual({ messages: [], gap: false })
  })

  test('a packet that the snapshot lies inside is told from there on', () => {
    const { view } = liveView()
    const received = view.receive([event('REMOTE_JOIN', 'tony', 8, 9), event('REMOTE_JOIN', 'ana', 9, 11)], span(8, 11))
    expect(kinds(received)).toEqual(['REMOTE_JOIN ana'])
  })

  test('another life is a gap, and its snapshot replaces everything', () => {
    const { view } = liveView()
    expect(view.receive([event('REMOTE_JOIN', 'ana', 10, 11, { life: 'next' })], span(10, 11, 'next')).gap).toBe(true)
    view.receive([snapshot(5, [entry('ana')], 'next')])
    expect([...view.members.keys()]).toEqual(['ana'])
    expect(view.position).toEqual({ life: 'next', version: 5 })
  })

  test('an older snapshot of the same life is old news', () => {
    const { view } = liveView()
    expect(view.receive([snapshot(9, [])]).messages).toEqual([])
    expect(view.version).toBe(10)
    expect(view.members.size).toBe(2)
  })

  test('without a span, the events themselves say where they go', () => {
    const { view } = liveView()
    expect(kinds(view.receive([event('REMOTE_LEAVE', 'tony', 10, 11)]))).toEqual(['REMOTE_LEAVE tony'])
    expect(view.receive([event('REMOTE_JOIN', 'ana', 12, 13)]).gap).toBe(true)
  })

  test("oneself's coming and going moves the view and is not told", () => {
    const { view } = liveView()
    expect(view.receive([event('REMOTE_TIMEOUT', 'me', 10, 11), event('REMOTE_JOIN', 'me', 11, 12)], span(10, 12)).messages).toEqual([])
    expect(view.version).toBe(12)
    expect(view.members.has('me')).toBe(true)
  })

  test('ERROR_OUT_OF_SERVICE makes it stale until the next SNAPSHOT', () => {
    const { view } = liveView()
    expect(kinds(view.receive([event('ERROR_OUT_OF_SERVICE', '', 10, 10)], span(10, 10)))).toEqual(['ERROR_OUT_OF_SERVICE'])
    expect(view.status).toBe('stale')
    view.receive([snapshot(10, [entry('me')])])
    expect(view.status).toBe('live')
  })

  test('an INTERVAL is the net of its interval', () => {
    const { view } = liveView()
    const summary = interval(10, 20, { join: ['ana'], leave: ['tony'], states: [{ userId: 'ana', states: { a: '1' }, statesCount: 1 }] })
    expect(kinds(view.receive([summary], span(10, 20)))).toEqual(['INTERVAL'])
    expect([...view.members.keys()]).toEqual(['me', 'ana'])
    expect(statesOf(view, 'ana')).toEqual({ a: '1' })
  })

  test('an INTERVAL says nothing to a view that stands inside it', () => {
    const { view } = liveView()
    expect(view.receive([interval(8, 20, { leave: ['tony'] })], span(8, 20))).toEqual({ messages: [], gap: true })
    expect(view.version).toBe(10)
  })

  test('changes of one tick are told once, and end with the subscription', async () => {
    const { view } = liveView()
    const told: string[] = []
    view.on('change', ({ status, version }) => told.push(`${status} ${version}`))
    view.receive([event('REMOTE_JOIN', 'ana', 10, 11)], span(10, 11))
    view.receive([event('REMOTE_LEAVE', 'ana', 11, 12)], span(11, 12))
    await new Promise((resolve) => setImmediate(resolve))
    expect(told).toEqual(['live 12'])
    view.end()
    await new Promise((resolve) => setImmediate(resolve))
    expect(told).toEqual(['live 12', 'stale 0'])
    expect(view.members.size).toBe(0)
  })
})

describe("one's own states in a live channel", () => {
  test('an acknowledged write shows, though no event tells of it', () => {
    const { view, wrote } = liveView()
    wrote(11, { mood: 'good' })
    expect(statesOf(view, 'me')).toEqual({ mood: 'good' })
    expect(view.receive([], span(10, 11))).toEqual({ messages: [], gap: false })
    expect(view.version).toBe(11)
    expect(statesOf(view, 'me')).toEqual({ mood: 'good' })
  })

  /** What the server does: this session's writes are acknowledged, the other session's are told; both move the version. */
  const WRITE = fc.record({ mine: fc.boolean(), key: fc.constantFrom('a', 'b'), value: fc.constantFrom('0', '1', '2'), closes: fc.boolean() })

  test('end up as on the server, however acknowledgements and packets interleave', () => {
    fc.assert(
      fc.property(fc.array(WRITE, { maxLength: 12 }), fc.array(fc.boolean(), { maxLength: 40 }), (writes, acksFirst) => {
        const { view, wrote } = liveView()
        let truth: States = {}
        const acks: (() => void)[] = []
        const packets: (() => void)[] = []
        let [version, from] = [10, 10]
        let events: PresenceEvent[] = []
        writes.forEach(({ mine, key, value, closes }, at) => {
          const before = version
          const now = ++version
          truth = { ...truth, [key]: value }
          if (mine) acks.push(() => wrote(now, { [key]: value }))
          else events.push(event('REMOTE_STATE_CHANGED', 'me', before, now, { stateChanged: truth }))
          if (!closes && at < writes.length - 1) return
          const [packet, start] = [events, from]
          packets.push(() => view.receive(packet, span(start, now)))
          events = []
          from = now
        })
        for (const ackFirst of acksFirst) (ackFirst ? acks : packets).shift()?.()
        for (const deliver of [...packets, ...acks]) deliver()
        expect(statesOf(view, 'me')).toEqual(truth)
        expect(view.version).toBe(version)
      }),
    )
  })
})
