import { describe, expect, test } from '@jest/globals'

import { ChannelReplica, recordOfStates, sameStates, type Change, type ChangeBatch, type Member } from '../../src/replica/replica.js'

const LIFE = 'life-1'

function member(userId: string, states: Record<string, string> = {}, joinedAt = 1_000): Member {
  return { userId, states, joinedAt }
}

function replicaOf(version: number, ...members: readonly Member[]): ChannelReplica {
  return new ChannelReplica({ life: LIFE, version, members: new Map(members.map((one) => [one.userId, one])) })
}

/** A batch that follows on `previous`; its version is that of its last change, unless it says otherwise. */
function batch(previous: number, changes: readonly Change[], extra: Partial<ChangeBatch> = {}): ChangeBatch {
  return { life: LIFE, previous, changes, version: changes.at(-1)?.version ?? previous, ...extra }
}

const join = (version: number, userId: string, states = {}): Change => ({ kind: 'join', version, userId, at: version, joinedAt: version, states })
const assert = (version: number, userId: string, states = {}): Change => ({ kind: 'assert', version, userId, at: version, joinedAt: version, states })
const state = (version: number, userId: string, states = {}, session = 's'): Change => ({ kind: 'state', version, userId, at: version, states, session })
const leave = (version: number, userId: string): Change => ({ kind: 'leave', version, userId, at: version })
const timeout = (version: number, userId: string): Change => ({ kind: 'timeout', version, userId, at: version })

/** What a batch tells, shortened to kind and user. */
function told(replica: ChannelReplica, next: ChangeBatch): readonly string[] {
  const applied = replica.apply(next)
  if (applied.outcome !== 'applied') throw new Error(`the batch was not applied: ${applied.outcome}`)
  return applied.effects.map((effect) => `${effect.kind} ${effect.member.userId}`)
}

describe('a replica takes batches in order', () => {
  test('a batch that follows on its version moves it and tells each change once', () => {
    const replica = replicaOf(10)
    expect(told(replica, batch(10, [join(11, 'ada'), join(12, 'bob'), state(13, 'ada', { mic: 'on' })]))).toEqual(['join ada', 'join bob', 'state ada'])
    expect(replica.version).toBe(13)
    expect([...replica.members.keys()]).toEqual(['ada', 'bob'])
    expect(replica.members.get('ada')).toEqual({ userId: 'ada', states: { mic: 'on' }, joinedAt: 11 })
  })

  test('an effect carries the version and the time of its change, and the member after it', () => {
    const replica = replicaOf(10, member('ada', { mic: 'off' }))
    expect(replica.apply(batch(10, [state(11, 'ada', { mic: 'on' }, 'session-7')]))).toEqual({
      outcome: 'applied',
      effects: [{ kind: 'state', member: member('ada', { mic: 'on' }), before: { mic: 'off' }, session: 'session-7', version: 11, at: 11 }],
    })
  })

  test('a leave and a timeout tell who it was, with the states that died', () => {
    const replica = replicaOf(10, member('ada', { mic: 'on' }), member('bob'))
    expect(replica.apply(batch(10, [leave(11, 'ada'), timeout(12, 'bob')]))).toEqual({
      outcome: 'applied',
      effects: [
        { kind: 'leave', member: member('ada', { mic: 'on' }), version: 11, at: 11 },
        { kind: 'timeout', member: member('bob'), version: 12, at: 12 },
      ],
    })
    expect(replica.members.size).toBe(0)
  })

  test('a leave and a re-join in one batch are two changes, and the states died between them', () => {
    const replica = replicaOf(10, member('ada', { mic: 'on' }, 5))
    expect(told(replica, batch(10, [leave(11, 'ada'), join(12, 'ada')]))).toEqual(['leave ada', 'join ada'])
    expect(replica.members.get('ada')).toEqual(member('ada', {}, 12))
  })

  test('an empty batch moves the version and tells nothing', () => {
    const replica = replicaOf(10)
    expect(told(replica, batch(10, [], { version: 15 }))).toEqual([])
    expect(replica.version).toBe(15)
  })
})

describe('a replica refuses what does not follow', () => {
  const before = () => replicaOf(10, member('ada', { mic: 'on' }))

  test.each([
    ['a batch that begins later is a gap', batch(11, [join(12, 'bob')]), 'gap'],
    ['a batch of another life is a gap', batch(10, [join(11, 'bob')], { life: 'life-2' }), 'gap'],
    ['an older batch of another life is a gap too', batch(1, [join(2, 'bob')], { life: 'life-2' }), 'gap'],
    ['a batch that ends where it stands is old', batch(8, [join(9, 'bob'), leave(10, 'bob')]), 'old'],
    ['a batch that ends before is old', batch(3, [leave(4, 'ada')]), 'old'],
  ] as const)('%s, and nothing is changed', (_, next, outcome) => {
    const replica = before()
    expect(replica.apply(next)).toEqual({ outcome })
    expect({ life: replica.life, version: replica.version, members: replica.members }).toEqual({
      life: LIFE,
      version: 10,
      members: new Map([['ada', member('ada', { mic: 'on' })]]),
    })
  })

  test('a replica that stands inside a batch takes the rest of it only', () => {
    const replica = replicaOf(12, member('ada'))
    expect(told(replica, batch(10, [join(11, 'bob'), leave(12, 'bob'), join(13, 'cy'), leave(14, 'ada')]))).toEqual(['join cy', 'leave ada'])
    expect([...replica.members.keys()]).toEqual(['cy'])
    expect(replica.version).toBe(14)
  })

  test('the same batch twice is applied once', () => {
    const replica = replicaOf(10)
    const next = batch(10, [join(11, 'ada')])
    expect(told(replica, next)).toEqual(['join ada'])
    expect(replica.apply(next)).toEqual({ outcome: 'old' })
  })
})

describe('repairs change what differs and say no more than that', () => {
  test('an assert of a member that is lacking is a join, with the join time that it carries', () => {
    const replica = replicaOf(10)
    expect(told(replica, batch(10, [assert(11, 'ada', { mic: 'on' })]))).toEqual(['join ada'])
    expect(replica.members.get('ada')).toEqual(member('ada', { mic: 'on' }, 11))
  })

  test('an assert of the same states tells nothing, and takes over the join time', () => {
    const replica = replicaOf(10, member('ada', { mic: 'on', mood: 'fine' }, 3))
    expect(told(replica, batch(10, [assert(11, 'ada', { mood: 'fine', mic: 'on' })]))).toEqual([])
    expect(replica.members.get('ada')?.joinedAt).toBe(11)
    expect(replica.version).toBe(11)
  })

  test('an assert of other states is a change of state by no session', () => {
    const replica = replicaOf(10, member('ada', { mic: 'on' }))
    expect(replica.apply(batch(10, [assert(11, 'ada', { mic: 'off' })]))).toMatchObject({ effects: [{ kind: 'state', session: '' }] })
  })

  test('a second join of a member that is there is not announced again', () => {
    const replica = replicaOf(10, member('ada'))
    expect(told(replica, batch(10, [join(11, 'ada')]))).toEqual([])
  })

  test.each([
    ['a state', state(11, 'ghost', { mic: 'on' })],
    ['a leave', leave(11, 'ghost')],
    ['a timeout', timeout(11, 'ghost')],
  ] as const)('%s of who is not there is passed over, and the version moves', (_, change) => {
    const replica = replicaOf(10, member('ada'))
    expect(told(replica, batch(10, [change]))).toEqual([])
    expect([...replica.members.keys()]).toEqual(['ada'])
    expect(replica.version).toBe(11)
  })
})

describe('a snapshot', () => {
  test('replaces everything, also by an older position of another life', () => {
    const replica = replicaOf(10, member('ada'))
    replica.replace({ life: 'life-2', version: 3, members: new Map([['bob', member('bob')]]) })
    expect({ life: replica.life, version: replica.version }).toEqual({ life: 'life-2', version: 3 })
    expect([...replica.members.keys()]).toEqual(['bob'])
    expect(told(replica, batch(3, [join(4, 'cy')], { life: 'life-2' }))).toEqual(['join cy'])
  })

  test('is copied: whoever gave it does not see later changes, and cannot make any', () => {
    const given = new Map([['ada', member('ada')]])
    const replica = new ChannelReplica({ life: LIFE, version: 10, members: given })
    replica.apply(batch(10, [join(11, 'bob')]))
    given.delete('ada')
    expect([...given.keys()]).toEqual([])
    expect([...replica.members.keys()]).toEqual(['ada', 'bob'])
  })
})

describe('states', () => {
  test.each([
    [{}, {}, true],
    [{ a: '1' }, { a: '1' }, true],
    [{ a: '1', b: '2' }, { b: '2', a: '1' }, true],
    [{ a: '1' }, { a: '2' }, false],
    [{ a: '1' }, {}, false],
    [{}, { a: '1' }, false],
    [{ a: '1' }, { b: '1' }, false],
    [{ toString: 'x' }, { other: 'x' }, false],
  ])('%j and %j are the same: %s', (a, b, same) => {
    expect(sameStates(a as Record<string, string>, b as Record<string, string>)).toBe(same)
  })

  test('a name such as __proto__ is a key like any other', () => {
    const states = recordOfStates([['__proto__', 'x'], ['constructor', 'y']])
    expect(Object.keys(states)).toEqual(['__proto__', 'constructor'])
    expect(Object.getPrototypeOf(states)).toBeNull()
    expect(({} as Record<string, unknown>).x).toBeUndefined()
  })
})
