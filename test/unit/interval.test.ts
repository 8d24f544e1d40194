import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { batchOf } from '../../src/client/wire.js'
import { IntervalNet, netOf, sumsUp, type Reader } from '../../src/gateway/interval.js'
import type { IntervalInfo, PresenceEvent } from '../../src/protocol/events.js'
import { ChannelReplica, sameStates, type Change, type Effect, type Member } from '../../src/replica/replica.js'

const LIFE = 'life'
const START = 100

type States = Readonly<Record<string, string>>
type Act =
  | { readonly kind: 'enter'; readonly user: string; readonly states?: States }
  | { readonly kind: 'leave' | 'timeout'; readonly user: string }
  | { readonly kind: 'say'; readonly user: string; readonly states: States; readonly session?: string }

/** A channel in which something happened: who was there before, who is there now, and the effects in between. */
function played(before: Readonly<Record<string, States>>, acts: readonly Act[]) {
  const members = new Map<string, Member>(Object.entries(before).map(([userId, states]) => [userId, { userId, states, joinedAt: 1 }]))
  const replica = new ChannelReplica({ life: LIFE, version: START, members })
  const effects: Effect[] = []
  for (const act of acts) {
    const previous = replica.version
    const base = { version: previous + 1, userId: act.user, at: previous }
    const change = changeOf(act, base)
    const applied = replica.apply({ life: LIFE, previous, version: previous + 1, changes: [change] })
    if (applied.outcome === 'applied') effects.push(...applied.effects)
  }
  return { members, replica, effects }
}

function changeOf(act: Act, base: { version: number; userId: string; at: number }): Change {
  if (act.kind === 'enter') return { ...base, kind: 'assert', joinedAt: 2, states: act.states ?? {} }
  if (act.kind === 'say') return { ...base, kind: 'state', states: act.states, session: act.session ?? 'theirs' }
  return { ...base, kind: act.kind }
}

const enter = (user: string, states: States = {}): Act => ({ kind: 'enter', user, states })
const leave = (user: string): Act => ({ kind: 'leave', user })
const timeout = (user: string): Act => ({ kind: 'timeout', user })
const say = (user: string, states: States, session = 'theirs'): Act => ({ kind: 'say', user, states, session })

function summaryOf(before: Readonly<Record<string, States>>, acts: readonly Act[], reader?: Reader): IntervalInfo | null {
  const { effects, replica } = played(before, acts)
  return infoOf(netOf(effects).summary(replica.members.size, reader))
}

function infoOf(summary: string | null): IntervalInfo | null {
  return summary === null ? null : (JSON.parse(summary) as IntervalInfo)
}

/** A summary, short: who came, left, timed out, and the states that are told. */
function short(info: IntervalInfo | null) {
  if (info === null) return null
  const { join, leave: left, timeout: timedOut, userStateList } = info
  return { join: join.users, leave: left.users, timeout: timedOut.users, states: Object.fromEntries(userStateList.map(({ userId, states }) => [userId, { ...states }])) }
}

const NOBODY = { join: [], leave: [], timeout: [], states: {} }

describe('the net of an interval', () => {
  test('tells who came, who left and who timed out, and the true total', () => {
    const info = summaryOf({ bob: {}, cy: {} }, [enter('ada'), leave('bob'), timeout('cy'), enter('dee')])
    expect(info).toEqual({
      join: { users: ['ada', 'dee'], userCount: 2 },
      leave: { users: ['bob'], userCount: 1 },
      timeout: { users: ['cy'], userCount: 1 },
      userStateList: [],
      totalOccupancy: 2,
    })
  })

  test('a stay that began and ended within it is nothing', () => {
    expect(summaryOf({}, [enter('ada'), say('ada', { a: '1' }), leave('ada')])).toBeNull()
    expect(short(summaryOf({}, [enter('ada'), leave('ada'), enter('ada')]))).toEqual({ ...NOBODY, join: ['ada'] })
  })

  test('a stay that ended and another that began are nothing but the states that differ', () => {
    expect(summaryOf({ ada: {} }, [leave('ada'), enter('ada')])).toBeNull()
    expect(summaryOf({ ada: { a: '1' } }, [timeout('ada'), enter('ada'), say('ada', { a: '1' })])).toBeNull()
    expect(short(summaryOf({ ada: { a: '1' } }, [leave('ada'), enter('ada')]))).toEqual({ ...NOBODY, states: { ada: {} } })
  })

  test('how the stay ended that was known counts, not how a later one did', () => {
    expect(short(summaryOf({ ada: {} }, [timeout('ada'), enter('ada'), leave('ada')]))).toEqual({ ...NOBODY, timeout: ['ada'] })
  })

  test('each member whose states changed is told once, with all of them, and none who is gone', () => {
    const acts = [say('ada', { a: '1' }), say('bob', { b: '1' }), say('ada', { a: '1', c: '2' }), say('cy', { c: '1' }), leave('cy')]
    expect(short(summaryOf({ ada: {}, bob: {}, cy: {} }, acts))).toEqual({ ...NOBODY, leave: ['cy'], states: { bob: { b: '1' }, ada: { a: '1', c: '2' } } })
  })

  test('states that are again what they were are nothing', () => {
    expect(summaryOf({ ada: { a: '1' } }, [say('ada', { a: '2' }), say('ada', { a: '1' })])).toBeNull()
  })

  test('who came with states is told in both places', () => {
    const one = { ...NOBODY, join: ['ada'], states: { ada: { a: '1' } } }
    expect(short(summaryOf({}, [enter('ada'), say('ada', { a: '1' })]))).toEqual(one)
    expect(short(summaryOf({}, [enter('ada', { a: '1' })]))).toEqual(one)
  })

  test('an empty run is nothing', () => {
    expect(new IntervalNet().summary(7)).toBeNull()
  })
})

describe('what a session did itself', () => {
  const mine: Reader = { userId: 'ada', sessionId: 'mine' }

  test("one's own coming and going is not told, that of others is", () => {
    expect(summaryOf({ ada: {} }, [leave('ada')], mine)).toBeNull()
    expect(short(summaryOf({}, [enter('ada'), enter('bob')], mine))).toEqual({ ...NOBODY, join: ['bob'] })
    expect(summaryOf({}, [enter('ada'), enter('bob')], mine)?.totalOccupancy).toBe(2)
  })

  test('states are told when another session had a hand in them, whatever came of it', () => {
    expect(summaryOf({ ada: {} }, [say('ada', { a: '1' }, 'mine')], mine)).toBeNull()
    expect(short(summaryOf({ ada: {} }, [say('ada', { a: '1' }, 'other')], mine))).toEqual({ ...NOBODY, states: { ada: { a: '1' } } })
    // Mine set it, the other session took it back: to the others nothing happened, but I know only of my own change.
    const back = [say('ada', { a: '1' }, 'mine'), say('ada', {}, 'other')]
    expect(summaryOf({ ada: {} }, back)).toBeNull()
    expect(short(summaryOf({ ada: {} }, back, mine))).toEqual({ ...NOBODY, states: { ada: {} } })
  })
})

test.each([
  [false, 10, false],
  [false, 11, true],
  [true, 9, true],
  [true, 8, false],
])('summed up before: %s, with %i members and a threshold of 10: %s', (before, members, after) => {
  expect(sumsUp(before, members, 10)).toBe(after)
})

const USERS = ['ada', 'bob', 'cy', 'dee', 'eve']
const states = fc.dictionary(fc.constantFrom('a', 'b'), fc.constantFrom('1', '2'), { maxKeys: 2 })
const act: fc.Arbitrary<Act> = fc.oneof(
  fc.record({ kind: fc.constant('enter' as const), user: fc.constantFrom(...USERS), states: fc.oneof(fc.constant({}), states) }),
  fc.record({ kind: fc.constantFrom('leave' as const, 'timeout' as const), user: fc.constantFrom(...USERS) }),
  fc.record({ kind: fc.constant('say' as const), user: fc.constantFrom(...USERS), states, session: fc.constantFrom('mine', 'other') }),
)
const history = fc.tuple(fc.dictionary(fc.constantFrom(...USERS), states), fc.array(act, { maxLength: 30 }))

function eventOf(interval: IntervalInfo, version: number): PresenceEvent {
  const channel = { channelName: 'room', channelType: 'MESSAGE' } as const
  return { ...channel, eventType: 'INTERVAL', publisher: '', stateChanged: {}, interval, snapshot: null, timestamp: 5, life: LIFE, previous: START, version }
}

function sameMembers(a: ReadonlyMap<string, Member>, b: ReadonlyMap<string, Member>, but?: string): boolean {
  const names = (members: ReadonlyMap<string, Member>) => [...members.keys()].filter((user) => user !== but).sort()
  return JSON.stringify(names(a)) === JSON.stringify(names(b)) && names(a).every((user) => sameStates(a.get(user)?.states ?? {}, b.get(user)?.states ?? {}))
}

describe('for every history', () => {
  test('the summary, applied to the members before, gives exactly the members after', () => {
    fc.assert(
      fc.property(history, ([before, acts]) => {
        const { members, replica, effects } = played(before, acts)
        const info = infoOf(netOf(effects).summary(replica.members.size))
        if (info === null) return sameMembers(members, replica.members)
        const view = new ChannelReplica({ life: LIFE, version: START, members })
        const batch = batchOf([eventOf(info, replica.version)])
        if (batch === null || view.apply(batch).outcome !== 'applied') throw new Error('not applied')
        return sameMembers(view.members, replica.members) && info.totalOccupancy === view.members.size
      }),
    )
  })

  test('it says nothing that does not change something, and nothing twice', () => {
    fc.assert(
      fc.property(history, ([before, acts]) => {
        const { members, replica, effects } = played(before, acts)
        const info = infoOf(netOf(effects).summary(replica.members.size))
        if (info === null) return true
        const moved = [info.join, info.leave, info.timeout].flatMap(({ users }) => users)
        const told = info.userStateList.map(({ userId }) => userId)
        return (
          new Set(moved).size === moved.length &&
          new Set(told).size === told.length &&
          info.join.users.every((user) => !members.has(user) && replica.members.has(user)) &&
          [...info.leave.users, ...info.timeout.users].every((user) => members.has(user) && !replica.members.has(user)) &&
          told.every((user) => !sameStates(members.get(user)?.states ?? {}, replica.members.get(user)?.states ?? {}))
        )
      }),
    )
  })

  test("a reader's summary is the common one but for the reader's user, and differs only where it is said to", () => {
    fc.assert(
      fc.property(history, fc.constantFrom(...USERS), ([before, acts], userId) => {
        const { replica, effects } = played(before, acts)
        const reader = { userId, sessionId: 'mine' }
        const net = netOf(effects)
        const [all, own] = [infoOf(net.summary(replica.members.size)), infoOf(net.summary(replica.members.size, reader))]
        const others = (info: IntervalInfo | null) => {
          const { join = [], leave: left = [], timeout: timedOut = [], states: said = {} } = short(info) ?? {}
          return [[join, left, timedOut].map((users) => users.filter((user) => user !== userId)), Object.entries(said).filter(([user]) => user !== userId)]
        }
        expect(others(own)).toEqual(others(all))
        if (!net.isApart(reader)) expect(own).toEqual(all)
        const foreign = effects.some((effect) => effect.kind === 'state' && effect.member.userId === userId && effect.session !== 'mine')
        expect(short(own)?.states[userId]).toEqual(foreign ? replica.members.get(userId)?.states : undefined)
      }),
    )
  })

  test('runs that end together can be put together in one pass', () => {
    fc.assert(
      fc.property(history, fc.nat(), ([before, acts], where) => {
        const { replica, effects } = played(before, acts)
        const cut = where % (effects.length + 1)
        const net = netOf(effects.slice(cut))
        for (const effect of effects.slice(0, cut).reverse()) net.precede(effect)
        expect(net.summary(replica.members.size)).toEqual(netOf(effects).summary(replica.members.size))
      }),
    )
  })
})
