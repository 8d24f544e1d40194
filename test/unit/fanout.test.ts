import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import type { Missed } from '../../src/feeds/types.js'
import type { Fanout } from '../../src/gateway/fanout.js'
import type { Watcher } from '../../src/gateway/watchers.js'
import { BACKLOG, createFanout, createMetrics, FLUSH_MS, join, leave, LIFE, Room, Sockets, state, watcher } from '../support/fanout-room.js'

let sockets: Sockets
let metrics: ReturnType<typeof createMetrics>
let fanout: Fanout
let room: Room

const told = (id: string): string[][] => sockets.told(id)
const spans = (id: string): number[][] => sockets.spans(id)

async function arrive(...watchers: readonly Watcher[]): Promise<void> {
  for (const one of watchers) fanout.attach(room.feed, one, null, false)
  await Promise.resolve()
  jest.advanceTimersByTime(0)
  for (const { id } of watchers) sockets.received.delete(id)
}

beforeEach(() => {
  jest.useFakeTimers()
  sockets = new Sockets()
  metrics = createMetrics()
  fanout = createFanout(sockets, metrics)
  room = new Room(fanout)
})

afterEach(() => {
  fanout.close()
  jest.useRealTimers()
})

describe('a new watcher', () => {
  test('gets one SNAPSHOT, in order of user ids, and what follows', () => {
    room.change(join('b', { k: 'v' }), join('a'))
    fanout.attach(room.feed, watcher('w'), null, false)
    jest.runAllTicks()
    room.change(join('c'))
    const [first, second] = sockets.received.get('w') ?? []
    expect(first?.span).toEqual({ channelName: 'room', channelType: 'MESSAGE', life: LIFE, previous: 0, version: 102 })
    expect(first?.events[0]?.snapshot).toEqual([
      { userId: 'a', states: {}, statesCount: 0, joinedAt: 1 },
      { userId: 'b', states: { k: 'v' }, statesCount: 1, joinedAt: 1 },
    ])
    expect(second?.span).toMatchObject({ previous: 102, version: 103 })
    expect(second?.events).toMatchObject([{ eventType: 'REMOTE_JOIN', publisher: 'c', stateChanged: {}, timestamp: 7, previous: 102, version: 103, life: LIFE, interval: null, snapshot: null }])
  })

  test('shares the SNAPSHOT with those who come in the same turn', () => {
    for (const id of ['a', 'b', 'c']) fanout.attach(room.feed, watcher(id), null, false)
    jest.runAllTicks()
    expect(sockets.encoded).toBe(1)
    for (const id of ['a', 'b', 'c']) expect(told(id)).toEqual([['SNAPSHOT']])
    expect(metrics.snapshots.inc).toHaveBeenCalledWith(3)
  })

  test('does not see what is in its SNAPSHOT again, and the others see it first', async () => {
    await arrive(watcher('old'))
    room.change(join('a'))
    room.change(join('b')) // waits in the window
    fanout.attach(room.feed, watcher('new'), null, false)
    jest.runAllTicks()
    expect(told('old')).toEqual([['REMOTE_JOIN a'], ['REMOTE_JOIN b']])
    jest.advanceTimersByTime(FLUSH_MS)
    expect(told('new')).toEqual([['SNAPSHOT']])
    expect(told('old')).toEqual([])
  })

  test('that has a view of an earlier life gets its SNAPSHOT when what was lost is back, and others at once', () => {
    room.settled = false
    fanout.attach(room.feed, watcher('returns'), null, true)
    fanout.attach(room.feed, watcher('new'), null, false)
    jest.runAllTicks()
    expect(told('new')).toEqual([['SNAPSHOT']])
    room.change(join('a'))
    jest.advanceTimersByTime(1_000)
    expect(told('returns')).toEqual([])
    room.settled = true
    jest.advanceTimersByTime(100)
    expect(told('returns')).toEqual([['SNAPSHOT']])
  })

  test('that knows a position is told what it missed, and no SNAPSHOT', async () => {
    await arrive(watcher('old'))
    const { replica } = room
    room.change(join('a'), join('w'))
    const missed: Missed = {
      previous: 100,
      version: replica.version,
      effects: [
        { kind: 'join', member: { userId: 'a', states: {}, joinedAt: 1 }, version: 101, at: 7 },
        { kind: 'join', member: { userId: 'w', states: {}, joinedAt: 1 }, version: 102, at: 7 },
      ],
    }
    fanout.attach(room.feed, watcher('w'), missed, false)
    expect(spans('w')).toEqual([[100, 102]])
    expect(told('w')).toEqual([['REMOTE_JOIN a']])
    jest.advanceTimersByTime(FLUSH_MS)
    room.change(join('b'))
    expect(spans('w')).toEqual([[102, 103]])
  })

  test('that has missed nothing is told nothing', () => {
    fanout.attach(room.feed, watcher('w'), { previous: 100, version: 100, effects: [] }, false)
    jest.runAllTicks()
    expect(told('w')).toEqual([])
    room.change(join('a'))
    expect(told('w')).toEqual([['REMOTE_JOIN a']])
  })

  test('that attaches again begins again; one that detached hears nothing', async () => {
    const w = watcher('w')
    await arrive(w)
    fanout.attach(room.feed, w, null, false)
    jest.runAllTicks()
    expect(told('w')).toEqual([['SNAPSHOT']])
    fanout.detach(room.feed, 'w')
    expect(fanout.watchers).toBe(0)
    room.change(join('a'))
    jest.advanceTimersByTime(10_000)
    expect(told('w')).toEqual([])
  })

  test('waits while the feed may not answer', () => {
    room.fresh = false
    fanout.attach(room.feed, watcher('w'), null, false)
    jest.runAllTicks()
    jest.advanceTimersByTime(1_000)
    expect(told('w')).toEqual([])
    room.fresh = true
    jest.advanceTimersByTime(200)
    expect(told('w')).toEqual([['SNAPSHOT']])
  })
})

describe('packets', () => {
  test('the first change leaves at once, then at most one packet a window', async () => {
    await arrive(watcher('w'))
    room.change(join('a'))
    expect(told('w')).toEqual([['REMOTE_JOIN a']])
    room.change(join('b'))
    room.change(join('c'), leave('a'))
    expect(told('w')).toEqual([])
    jest.advanceTimersByTime(FLUSH_MS)
    expect(spans('w')).toEqual([[101, 104]])
    expect(told('w')).toEqual([['REMOTE_JOIN b', 'REMOTE_JOIN c', 'REMOTE_LEAVE a']])
    room.change(leave('c'))
    expect(told('w')).toEqual([])
    jest.advanceTimersByTime(FLUSH_MS)
    expect(told('w')).toEqual([['REMOTE_LEAVE c']])
    jest.advanceTimersByTime(FLUSH_MS)
    room.change(leave('b'))
    expect(told('w')).toEqual([['REMOTE_LEAVE b']])
  })

  test('a packet is encoded once for all whom it does not concern', async () => {
    await arrive(...Array.from({ length: 50 }, (_, i) => watcher(`w${i}`)))
    sockets.encoded = 0
    room.change(join('a'))
    expect(sockets.encoded).toBe(1)
    expect(metrics.packets.inc).toHaveBeenLastCalledWith(50)
  })

  test('a batch that nobody needs to hear of is spanned by the next packet', async () => {
    await arrive(watcher('w'))
    room.change({ kind: 'leave', userId: 'nobody' })
    expect(told('w')).toEqual([])
    room.change(join('a'))
    expect(spans('w')).toEqual([[100, 102]])
  })

  test('and does not keep watchers from standing at one position', async () => {
    await arrive(watcher('old'))
    room.change({ kind: 'leave', userId: 'nobody' })
    fanout.attach(room.feed, watcher('new'), null, false)
    jest.runAllTicks()
    expect(spans('old')).toEqual([[100, 101]])
    room.change(join('a'))
    expect(spans('new')).toEqual([[0, 101], [101, 102]])
    expect(spans('old')).toEqual([[100, 101], [101, 102]])
  })

  test('what was pending when the last watcher began again is in its SNAPSHOT and not told twice', async () => {
    const w = watcher('w')
    await arrive(w)
    room.change(join('a'))
    room.change(join('b')) // waits in the window
    expect(told('w')).toEqual([['REMOTE_JOIN a']])
    fanout.attach(room.feed, w, null, false)
    jest.runAllTicks()
    jest.advanceTimersByTime(10 * FLUSH_MS)
    expect(told('w')).toEqual([['SNAPSHOT']])
  })

  test('a repaired member with states is a join and its states', async () => {
    await arrive(watcher('w'))
    room.change({ kind: 'assert', userId: 'a', joinedAt: 1, states: { k: 'v' } })
    expect(sockets.received.get('w')?.[0]?.events).toMatchObject([
      { eventType: 'REMOTE_JOIN', publisher: 'a', stateChanged: {}, version: 101 },
      { eventType: 'REMOTE_STATE_CHANGED', publisher: 'a', stateChanged: { k: 'v' }, version: 101 },
    ])
  })
})

describe('what a session did itself', () => {
  test('a user hears nothing of its own coming and going, but its position moves', async () => {
    await arrive(watcher('phone', 'tony'), watcher('other'))
    room.change(join('tony'), join('ann'))
    expect(spans('phone')).toEqual([[100, 102]])
    expect(told('phone')).toEqual([['REMOTE_JOIN ann']])
    expect(told('other')).toEqual([['REMOTE_JOIN tony', 'REMOTE_JOIN ann']])
    jest.advanceTimersByTime(FLUSH_MS)
    room.change(leave('tony'))
    expect(spans('phone')).toEqual([[102, 103]])
    expect(told('phone')).toEqual([[]])
  })

  test('a state is told to the sessions of its user but for the one that set it', async () => {
    await arrive(watcher('phone', 'tony', 's1'), watcher('tab', 'tony', 's2'), watcher('other', 'ann', 's1'))
    room.change(join('tony'))
    jest.advanceTimersByTime(FLUSH_MS)
    sockets.received.clear()
    room.change(state('tony', 's1', { k: 'v' }))
    expect(told('phone')).toEqual([[]])
    expect(told('tab')).toEqual([['REMOTE_STATE_CHANGED tony']])
    expect(told('other')).toEqual([['REMOTE_STATE_CHANGED tony']])
  })
})

describe('a slow client', () => {
  test('is skipped, costs nobody else anything, and gets exactly one SNAPSHOT when it has drained', async () => {
    const slow = watcher('slow')
    await arrive(slow, watcher('quick'))
    slow.backlogBytes = BACKLOG + 1
    room.change(join('a'))
    for (let i = 0; i < 10; i++) {
      jest.advanceTimersByTime(200)
      room.change(state('a', 's', { i: String(i) }))
    }
    expect(told('slow')).toEqual([])
    expect(told('quick')).toHaveLength(11)
    expect(metrics.skipped.inc).toHaveBeenCalledTimes(1)

    slow.backlogBytes = 0
    jest.advanceTimersByTime(200)
    expect(told('slow')).toEqual([['SNAPSHOT']])
    room.change(join('b'))
    expect(spans('slow')).toEqual([[111, 112]])
    expect(told('slow')).toEqual([['REMOTE_JOIN b']])
  })

  test('is looked for again after a packet that found something waiting, or a newcomer; not after one that found nothing', async () => {
    const slow = watcher('slow')
    await arrive(slow)
    const change = (user: string): void => {
      jest.advanceTimersByTime(200)
      room.change(join(user))
    }
    sockets.clear = true
    change('a')
    slow.backlogBytes = BACKLOG + 1
    change('b')
    expect(told('slow')).toEqual([['REMOTE_JOIN a'], ['REMOTE_JOIN b']])
    sockets.clear = false
    change('c')
    expect(told('slow')).toEqual([['REMOTE_JOIN c']])
    change('d')
    expect(told('slow')).toEqual([])
    expect(metrics.skipped.inc).toHaveBeenCalledTimes(1)
  })

  test('that is slow again before its SNAPSHOT is not skipped twice', async () => {
    const slow = watcher('slow')
    await arrive(slow)
    slow.backlogBytes = BACKLOG + 1
    room.change(join('a'))
    room.replace(500, 'a', 'b')
    jest.advanceTimersByTime(1_000)
    expect(told('slow')).toEqual([])
    slow.backlogBytes = 0
    jest.advanceTimersByTime(1_000)
    expect(told('slow')).toEqual([['SNAPSHOT']])
  })
})

describe('repairs', () => {
  test('a replaced replica is one SNAPSHOT, and what was pending is in it', async () => {
    await arrive(watcher('w'))
    room.change(join('a'))
    room.change(join('b'))
    room.replace(500, 'a', 'c')
    expect(told('w')).toEqual([['REMOTE_JOIN a'], ['SNAPSHOT']])
    jest.advanceTimersByTime(10 * FLUSH_MS)
    expect(told('w')).toEqual([])
    room.change(leave('c'))
    expect(spans('w')).toEqual([[500, 501]])
  })

  test('out of service and back: said once a channel, and then one SNAPSHOT', async () => {
    await arrive(watcher('w'))
    fanout.onService(false)
    expect(told('w')).toEqual([['ERROR_OUT_OF_SERVICE']])
    fanout.onService(true)
    jest.advanceTimersByTime(1_100)
    expect(told('w')).toEqual([['SNAPSHOT']])
  })

  test('a repair that comes first is that SNAPSHOT', async () => {
    await arrive(watcher('w'))
    fanout.onService(false)
    fanout.onService(true)
    room.replace(500, 'a')
    jest.advanceTimersByTime(2_000)
    expect(told('w')).toEqual([['ERROR_OUT_OF_SERVICE'], ['SNAPSHOT']])
  })

  test('a feed that is not in step yet does not say that it is back', async () => {
    await arrive(watcher('w'))
    fanout.onService(false)
    room.fresh = false
    fanout.onService(true)
    jest.advanceTimersByTime(5_000)
    expect(told('w')).toEqual([['ERROR_OUT_OF_SERVICE']])
    room.fresh = true
    jest.advanceTimersByTime(200)
    expect(told('w')).toEqual([['SNAPSHOT']])
  })
})
