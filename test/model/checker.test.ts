import { describe, expect, test } from '@jest/globals'

import type { States } from '../../src/protocol/channel.js'
import type { PresenceEventType } from '../../src/protocol/events.js'
import { EventLog, type SeenEvent } from '../support/event-log.js'
import { check, checkDelays, checkIdle, checkLifetimes, checkRefusal, print } from './checker.js'
import type { Evidence, Published, PublishedChange, Watched } from './evidence.js'
import { PresenceModel } from './presence-model.js'

const CHANNEL = 'lobby'
const TIMEOUT_MS = 1_000
const RULES = { lagMs: 100, complete: true }
/** All that is checked is checked at this moment. */
const NOW = 10_000

/** One event, as a watcher is told it. */
function told(eventType: PresenceEventType, version: number, publisher = '', more: { states?: States; snapshot?: Record<string, States> } = {}): SeenEvent {
  const snapshot = more.snapshot === undefined ? null : Object.entries(more.snapshot).map(([userId, states]) => ({ userId, states, statesCount: Object.keys(states).length }))
  return { eventType, channelType: 'MESSAGE', channelName: CHANNEL, publisher, stateChanged: more.states ?? {}, interval: null, snapshot, timestamp: version, version }
}

/** A log in which each event arrives at a time of its own. */
function logOf(...rows: readonly (readonly [at: number, event: SeenEvent])[]): EventLog {
  const log = new EventLog('the watcher')
  for (const [at, event] of rows) log.packets.push({ at, events: [event], span: undefined })
  return log
}

/**
 * Ann joins at 1,000, changes a state at 2,000 and stays. Bob joins at 1,100, loses his connection at 3,000, is back at
 * 3,500, leaves at 5,000, and joins again at 6,000.
 */
function story(): PresenceModel {
  const model = new PresenceModel()
  model.session('ann-1', 'ann', TIMEOUT_MS)
  model.session('bob-1', 'bob', TIMEOUT_MS)
  model.joining('ann-1', CHANNEL, 1_000)(1_010)
  model.joining('bob-1', CHANNEL, 1_100)(1_110)
  model.writing('ann-1', CHANNEL, 'k', '1', 1_990)(2_000)
  model.down('bob-1', 3_000)
  expect(model.back('bob-1', 3_500)).toBe(500)
  model.leaving('bob-1', CHANNEL, 5_000)(5_010)
  model.joining('bob-1', CHANNEL, 6_000)(6_010)
  return model
}

const START = [900, told('SNAPSHOT', 1, '', { snapshot: {} })] as const
const ANN = [[1_010, told('REMOTE_JOIN', 2, 'ann')], [2_010, told('REMOTE_STATE_CHANGED', 4, 'ann', { states: { k: '1' } })]] as const
const BOB = [[1_110, told('REMOTE_JOIN', 3, 'bob')], [5_010, told('REMOTE_LEAVE', 5, 'bob')], [6_010, told('REMOTE_JOIN', 6, 'bob')]] as const
const RIGHT = [START, ANN[0], BOB[0], ANN[1], BOB[1], BOB[2]] as const

function watchedWith(log: EventLog, more: Partial<Watched> = {}): Watched {
  return { name: 'the watcher', user: 'eve', channel: CHANNEL, log, current: true, whole: true, ...more }
}

/** One change as Redis publishes it, at a time that is its version as well. */
function publishedOf(change: PublishedChange, more: Partial<Published> = {}): Published {
  return { server: 1, channel: CHANNEL, life: 'x', previous: 0, time: change.version, heardAt: change.version + 5, changes: [change], ...more }
}

function evidence(more: Partial<Evidence> = {}): Evidence {
  return {
    at: NOW,
    model: story(),
    watched: [watchedWith(logOf(...RIGHT))],
    connected: [
      { session: 'ann-1', user: 'ann', sessionId: 'a', nodeId: 'north' },
      { session: 'bob-1', user: 'bob', sessionId: 'b', nodeId: 'south' },
    ],
    stored: new Map([[CHANNEL, new Map([['ann', { states: { k: '1' }, holders: ['north'] }], ['bob', { states: {}, holders: ['south'] }]])]]),
    sessions: new Map([['ann', ['a']], ['bob', ['b']]]),
    where: new Map([['ann', [`MESSAGE:${CHANNEL}`]], ['bob', [`MESSAGE:${CHANNEL}`]]]),
    due: 0,
    feeds: [{ by: 'north', channel: CHANNEL, members: new Map<string, States>([['ann', { k: '1' }], ['bob', {}]]) }],
    published: [publishedOf({ kind: 'join', version: 2, user: 'ann' }), publishedOf({ kind: 'leave', version: 3, user: 'ann' }), publishedOf({ kind: 'join', version: 4, user: 'ann' })],
    ...more,
  }
}

const breachesOf = (more: Partial<Evidence>) => check(evidence(more), RULES).breaches.map(({ invariant, what }) => `${invariant} ${what}`)
const breachesOfLog = (...rows: readonly (readonly [number, SeenEvent])[]) => breachesOf({ watched: [watchedWith(logOf(...rows), { view: new Map<string, States>([['ann', { k: '1' }], ['bob', {}]]) })] })

test('a true story has no breach', () => {
  const { breaches, events } = check(evidence(), RULES)
  expect(print(breaches)).toBe('')
  expect(events).toBe(9)
})

describe('the checker finds', () => {
  test('I1: a view that differs from Redis, in members or in states', () => {
    const view = new Map<string, States>([['ann', { k: '0' }], ['carl', {}]])
    expect(breachesOf({ watched: [watchedWith(logOf(...RIGHT), { view })] })).toEqual([
      expect.stringContaining('I1 ann has {"k":"0"}'),
      'I1 bob is missing',
      'I1 carl is there, and not in Redis',
    ])
  })

  test('I1: a view that was not told of a change', () => {
    expect(breachesOf({ watched: [watchedWith(logOf(START, ANN[0], BOB[0], BOB[1], BOB[2]))] })).toEqual([expect.stringContaining('I1 ann has {}')])
  })

  test('I1: a feed that differs, a where that lacks a channel, an acknowledged state that Redis lacks', () => {
    expect(breachesOf({ feeds: [{ by: 'north', channel: CHANNEL, members: new Map() }] })).toEqual(['I1 ann is missing', 'I1 bob is missing'])
    expect(breachesOf({ where: new Map([['ann', [`MESSAGE:${CHANNEL}`]]]) })).toEqual([expect.stringContaining('I1 it lists nothing instead')])
    const model = story()
    model.writing('ann-1', CHANNEL, 'k', '2', 6_990)(7_000)
    expect(breachesOf({ model })).toEqual([expect.stringContaining('I1 ann has {"k":"1"}, and [["k","2"]]')])
  })

  test('I2: a dead session that stays in Redis', () => {
    const model = story()
    model.down('bob-1', 7_000)
    const [ann] = evidence().connected
    expect(breachesOf({ model, due: 1, connected: ann === undefined ? [] : [ann] })).toEqual(
      expect.arrayContaining(['I2 bob is there, and should be gone', 'I2 session b is there, and its client is not', expect.stringContaining('I2 1 memberships wait')]),
    )
  })

  test('I2: a timeout before its time', () => {
    expect(breachesOfLog(START, ...ANN.slice(0, 1), BOB[0], [3_400, told('REMOTE_TIMEOUT', 4, 'bob')], [3_500, told('REMOTE_JOIN', 5, 'bob')], [5_010, told('REMOTE_LEAVE', 6, 'bob')])).toEqual([
      expect.stringContaining('I2 bob goes before its presenceTimeout is over'),
    ])
  })

  test('I2: a leave that is told as a timeout', () => {
    expect(breachesOf({ watched: [watchedWith(logOf(...RIGHT.slice(0, 4), [5_010, told('REMOTE_TIMEOUT', 5, 'bob')], BOB[2]))] })).toEqual([expect.stringContaining('I2 bob left, and is said to have timed out')])
  })

  test.each(['REMOTE_LEAVE', 'REMOTE_TIMEOUT'] as const)('I3: a %s of somebody who is connected', (kind) => {
    expect(breachesOfLog(START, ANN[0], BOB[0], [4_000, told(kind, 4, 'ann')], BOB[1])).toEqual([expect.stringContaining('I3 ann goes although it is connected')])
  })

  test('I3: a SNAPSHOT without somebody who is connected; members and sessions that Redis lacks', () => {
    expect(breachesOfLog(START, ANN[0], [4_000, told('SNAPSHOT', 4, '', { snapshot: { bob: {} } })])).toEqual([expect.stringContaining('I3 ann goes')])
    expect(breachesOf({ stored: new Map([[CHANNEL, new Map()]]), sessions: new Map(), watched: [], feeds: [] })).toEqual([
      'I3 ann is connected, and is not there',
      'I3 bob is connected, and is not there',
      'I3 session a is connected, and is not there',
      'I3 session b is connected, and is not there',
    ])
  })

  test('I4: a second join, an end of nobody, a state of nobody, a second end for one leave', () => {
    expect(breachesOfLog(START, ANN[0], [1_500, told('REMOTE_JOIN', 3, 'ann')], [5_010, told('REMOTE_LEAVE', 4, 'bob')], [5_020, told('REMOTE_STATE_CHANGED', 5, 'bob')])).toEqual([
      expect.stringContaining('I4 a second join of ann'),
      expect.stringContaining('I4 bob goes without being there'),
      expect.stringContaining('I4 a state of bob, who is not there'),
      'I4 bob left 1 times, and 0 ends were told',
    ])
    const flap = [[5_020, told('REMOTE_JOIN', 6, 'bob')], [5_030, told('REMOTE_LEAVE', 7, 'bob')], [6_010, told('REMOTE_JOIN', 8, 'bob')]] as const
    expect(breachesOfLog(START, BOB[0], BOB[1], ...flap)).toEqual([expect.stringContaining('I3 bob goes')])
  })

  test('I4: somebody who is told of what it did itself', () => {
    expect(breachesOf({ watched: [watchedWith(logOf(...RIGHT), { user: 'ann' })] })).toEqual([])
    expect(breachesOf({ watched: [watchedWith(logOf(...RIGHT), { user: 'ann', alone: true })] })).toEqual([expect.stringContaining('I4 it is told of what it did itself: REMOTE_STATE_CHANGED')])
  })

  test('I4: a leave that nobody was told of', () => {
    expect(breachesOfLog(START, ANN[0], BOB[0])).toEqual(['I4 bob left 1 times, and 0 ends were told'])
  })

  test('I5: versions that fall, a gap, another life unannounced, a SNAPSHOT from the past', () => {
    expect(breachesOfLog(START, BOB[0], ANN[0], BOB[1])).toEqual([expect.stringContaining('I5 a version that does not rise (3 before)')])
    const log = logOf()
    const span = { channelName: CHANNEL, channelType: 'MESSAGE' as const, life: 'x' }
    const snapshot = { ...told('SNAPSHOT', 10, '', { snapshot: { ann: {}, bob: {} } }), life: 'x' }
    log.packets.push({ at: 7_000, events: [snapshot], span: { ...span, previous: 0, version: 10 } })
    log.packets.push({ at: 7_100, events: [{ ...told('REMOTE_STATE_CHANGED', 13, 'ann', { states: { k: '1' } }) }], span: { ...span, previous: 12, version: 13 } })
    log.packets.push({ at: 7_200, events: [], span: { ...span, life: 'y', previous: 13, version: 14 } })
    log.packets.push({ at: 7_300, events: [{ ...snapshot, snapshot: [{ userId: 'ann', states: { k: '1' }, statesCount: 1 }, { userId: 'bob', states: {}, statesCount: 0 }] }], span: { ...span, previous: 0, version: 10 } })
    expect(breachesOf({ watched: [watchedWith(log)] })).toEqual([
      expect.stringContaining('I5 a gap: a packet follows on 12, the watcher stands at 10'),
      expect.stringContaining('I5 a packet of another life (y)'),
      expect.stringContaining('I5 a SNAPSHOT of 10, older'),
    ])
  })

  test('I5: SNAPSHOTs without end', () => {
    const last = { ...told('SNAPSHOT', 6, '', { snapshot: { ann: { k: '1' }, bob: {} } }), life: 'x' }
    const times = (count: number) => [...RIGHT, ...Array.from({ length: count }, (_, index) => [7_000 + index, last] as const)]
    expect(breachesOfLog(...times(20))).toEqual([])
    expect(breachesOfLog(...times(25))).toEqual([expect.stringContaining('I5 more than 20 SNAPSHOTs of one version, 6')])
  })

  test('I5: a packet that covers a change and does not tell of it', () => {
    const log = logOf(...RIGHT)
    const span = { channelName: CHANNEL, channelType: 'MESSAGE' as const, life: 'x', previous: 6, version: 8 }
    const snapshot = { ...told('SNAPSHOT', 6, '', { snapshot: { ann: { k: '1' }, bob: {} } }), life: 'x' }
    log.packets.push({ at: 6_500, events: [snapshot], span: { ...span, previous: 0, version: 6 } }, { at: 7_000, events: [], span })
    const covered = [publishedOf({ kind: 'state', version: 7, user: 'eve' }), publishedOf({ kind: 'assert', version: 8, user: 'ann' }), publishedOf({ kind: 'state', version: 9, user: 'ann' })]
    expect(breachesOf({ watched: [watchedWith(log)], published: covered })).toEqual([])
    const passedOver = [...covered.slice(0, 1), publishedOf({ kind: 'state', version: 8, user: 'ann' })]
    expect(breachesOf({ watched: [watchedWith(log)], published: passedOver })).toEqual(['I5 a packet says that it goes from 6 to 8, and does not tell of state ann @8'])
  })

  test('I6: a state that falls back, and a node that vouches for a session that is elsewhere', () => {
    const LATER = [[5_010, told('REMOTE_LEAVE', 7, 'bob')], [6_010, told('REMOTE_JOIN', 8, 'bob')]] as const
    const fallen = [...RIGHT.slice(0, 4), [2_100, told('REMOTE_STATE_CHANGED', 5, 'ann', { states: { k: '0' } })], ...LATER] as const
    expect(breachesOfLog(...fallen)).toEqual([expect.stringContaining('I6 k of ann fell from 1 to 0')])
    const gone = [...RIGHT.slice(0, 4), [2_100, told('REMOTE_STATE_CHANGED', 5, 'ann', { states: { other: '1' } })], [2_200, told('REMOTE_STATE_CHANGED', 6, 'ann', { states: { k: '1' } })], ...LATER] as const
    expect(breachesOfLog(...gone)).toEqual([expect.stringContaining('I6 k of ann is gone, and nobody removed it'), expect.stringContaining('I6 other of ann is gone')])
    const model = story()
    model.writing('ann-1', CHANNEL, 'k', null, 2_050)(2_060)
    model.writing('ann-1', CHANNEL, 'other', null, 2_050)(2_060)
    model.writing('ann-1', CHANNEL, 'k', '1', 2_150)(2_160)
    expect(breachesOf({ model, watched: [watchedWith(logOf(...gone))] })).toEqual([])
    const stored = new Map([[CHANNEL, new Map([['ann', { states: { k: '1' }, holders: ['north', 'old'] }], ['bob', { states: {}, holders: ['south'] }]])]])
    expect(breachesOf({ stored })).toEqual([expect.stringContaining('I6 node old vouches for 1 sessions of ann, and has 0')])
  })

  test('I6: a state that falls back with Redis, unless its member had left', () => {
    const model = story()
    model.writing('ann-1', CHANNEL, 'k', '2', 6_990)(7_000)
    const log = logOf(...RIGHT, [7_010, told('REMOTE_STATE_CHANGED', 7, 'ann', { states: { k: '2' } })], [8_500, told('SNAPSHOT', 9, '', { snapshot: { ann: { k: '1' }, bob: {} } })])
    const fallen = () => check(evidence({ model, watched: [watchedWith(log)] }), { ...RULES, complete: false, rolledBack: true }).breaches.filter(({ invariant }) => invariant === 'I6')
    expect(fallen().map(({ what }) => what)).toEqual([expect.stringContaining('k of ann fell from 2 to 1')])
    model.leaving('ann-1', CHANNEL, 8_000)(8_010)
    expect(fallen()).toEqual([])
  })

  test('I7: a member that is removed twice', () => {
    const published = ['join', 'timeout', 'timeout'].map((kind, index) => publishedOf({ kind, version: 2 + index, user: 'ann' }))
    expect(breachesOf({ published })).toEqual(['I7 ann is removed twice: timeout @4'])
  })

  test('I8: a change of another time than Redis shows, a member that is said to be there since another one, a watcher that is told another one', () => {
    const hour = 3_600_000
    const ann = { kind: 'join', version: 20, user: 'ann', joinedAt: hour }
    const at = { time: hour, heardAt: hour + 40 }
    expect(breachesOf({ published: [publishedOf(ann, at)] })).toEqual([])
    expect(breachesOf({ published: [publishedOf({ ...ann, kind: 'assert', joinedAt: hour - 60_000 }, at)] })).toEqual([])
    expect(breachesOf({ published: [publishedOf(ann, { ...at, heardAt: 2 * hour })] })).toEqual([expect.stringContaining('I8 changes of 3600000, heard at 7200000')])
    expect(breachesOf({ published: [publishedOf({ ...ann, joinedAt: hour + 1 }, at)] })).toEqual([expect.stringContaining('I8 ann joins at 3600000, and is said to be there since 3600001')])
    for (const joinedAt of [0, hour + 1]) {
      expect(breachesOf({ published: [publishedOf({ ...ann, kind: 'assert', joinedAt }, at)] })).toEqual([expect.stringContaining('I8 ann is put back at 3600000')])
    }
    expect(breachesOf({ published: [publishedOf({ kind: 'join', version: 2, user: 'ann' }, { time: 7, heardAt: 8 })] })).toEqual([expect.stringContaining('I8 REMOTE_JOIN of ann @2 is told as of 2, and Redis made it at 7')])
  })

  test('I9: a cluster that talks; I10: a key that stays; I11: a change that comes late; I12: bad input that does something', () => {
    const calls = Array.from({ length: 50 }, () => ({ name: 'evalsha', address: '' }))
    expect(checkIdle(calls, 1_000, 50)).toEqual([])
    expect(checkIdle(calls, 1_000, 20)).toEqual([expect.objectContaining({ invariant: 'I9' })])
    expect(checkLifetimes(['rollcall:partitions'])).toEqual([])
    expect(checkLifetimes(['rollcall:{1}:due'])).toEqual([expect.objectContaining({ invariant: 'I10' })])
    expect(checkDelays([{ watcher: 'ann', ms: 30 }], 100)).toEqual([])
    expect(checkDelays([{ watcher: 'ann', ms: 300 }], 100)).toEqual([expect.objectContaining({ invariant: 'I11' })])
    const refused = { ok: false, error: { code: 'INVALID_ARGUMENT', errorCode: -1 } }
    expect(checkRefusal({ key: 'a' }, { key: 'a' }, refused)).toEqual([])
    expect(checkRefusal({ key: 'a' }, { key: 'b' }, { ok: true })).toEqual([expect.objectContaining({ invariant: 'I12' }), expect.objectContaining({ invariant: 'I12' })])
  })
})

describe('the model', () => {
  test('a second tab, and a return in time, are no window; a time-out, and a leave of all tabs, are', () => {
    const model = story()
    expect(model.windows(CHANNEL, 'bob').map(({ from, until, definite }) => [from, until, definite])).toEqual([
      [-Infinity, 1_110, false],
      [5_000, 6_010, true],
    ])
    model.session('bob-2', 'bob', TIMEOUT_MS)
    model.joining('bob-2', CHANNEL, 7_000)(7_010)
    model.leaving('bob-1', CHANNEL, 7_500)(7_510)
    expect(model.windows(CHANNEL, 'bob')).toHaveLength(2)
    model.down('bob-2', 8_000)
    expect(model.present(CHANNEL, 8_999)).toEqual(['ann', 'bob'])
    expect(model.present(CHANNEL, 9_000)).toEqual(['ann'])
    model.back('bob-2', 9_100)
    expect(model.present(CHANNEL, 9_200)).toEqual(['ann', 'bob'])
  })

  test('what was acknowledged before a stay ended is not asked for', () => {
    const model = story()
    expect([...model.states(CHANNEL, 'ann', NOW)]).toEqual([['k', '1']])
    model.leaving('ann-1', CHANNEL, 8_000)(8_010)
    model.joining('ann-1', CHANNEL, 8_500)(8_510)
    expect([...model.states(CHANNEL, 'ann', NOW)]).toEqual([])
    model.unknown('ann-1', CHANNEL, 8_100)
    expect(model.windows(CHANNEL, 'ann').at(-1)).toMatchObject({ ends: Infinity, definite: false })
  })
})
