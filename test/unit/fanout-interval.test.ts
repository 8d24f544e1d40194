import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import type { Missed } from '../../src/feeds/types.js'
import type { Fanout } from '../../src/gateway/fanout.js'
import type { Watcher } from '../../src/gateway/watchers.js'
import { BACKLOG, createFanout, createMetrics, FLUSH_MS, join, leave, Room, Sockets, state, timeout, watcher } from '../support/fanout-room.js'

/** Above 4 members summed up, until 3 (80 %, rounded down) are left. */
const ANNOUNCE_MAX = 4
const INTERVAL_MS = 1_000

let sockets: Sockets
let fanout: Fanout
let room: Room

const told = (id: string): string[][] => sockets.told(id)
const spans = (id: string): number[][] => sockets.spans(id)

/** The summaries that a socket got since it was last asked, short. */
function summaries(id: string) {
  return sockets.take(id).map(({ events }) =>
    events.map(({ eventType, interval }) => {
      if (interval === null) return eventType
      const { join: { users: joined }, leave: { users: left }, timeout: { users: timedOut }, userStateList, totalOccupancy } = interval
      return { joined, left, timedOut, states: Object.fromEntries(userStateList.map(({ userId, states }) => [userId, states])), totalOccupancy }
    }),
  )
}

const NOTHING = { joined: [], left: [], timedOut: [], states: {} }

async function arrive(...watchers: readonly Watcher[]): Promise<void> {
  for (const one of watchers) fanout.attach(room.feed, one, null, false)
  await Promise.resolve()
  jest.advanceTimersByTime(0)
  for (const { id } of watchers) sockets.received.delete(id)
}

/** A channel above the threshold, at version 105, with nothing pending. */
async function busy(...watchers: readonly Watcher[]): Promise<void> {
  room.change(join('a'), join('b'), join('c'), join('d'), join('e'))
  await arrive(...watchers)
}

beforeEach(() => {
  jest.useFakeTimers()
  sockets = new Sockets()
  fanout = createFanout(sockets, createMetrics(), { announceMax: ANNOUNCE_MAX, intervalMs: INTERVAL_MS })
  room = new Room(fanout)
})

afterEach(() => {
  fanout.close()
  jest.useRealTimers()
})

describe('above the threshold', () => {
  test('everybody gets one INTERVAL with the net of an interval, encoded once, and nothing before', async () => {
    await busy(watcher('w'), watcher('v'))
    sockets.encoded = 0
    room.change(join('f'), join('g'))
    jest.advanceTimersByTime(INTERVAL_MS - 1)
    room.change(leave('g'), timeout('a'), state('b', 's', { k: 'v' }))
    expect(spans('w')).toEqual([])
    jest.advanceTimersByTime(1)
    expect(spans('w')).toEqual([[105, 110]])
    expect(summaries('w')).toEqual([[{ joined: ['f'], left: [], timedOut: ['a'], states: { b: { k: 'v' } }, totalOccupancy: 5 }]])
    expect(sockets.encoded).toBe(1)
  })

  test('its event says from where to where it goes, and when the last change was', async () => {
    await busy(watcher('w'))
    room.change(join('f'))
    jest.advanceTimersByTime(INTERVAL_MS)
    expect(sockets.take('w')[0]?.events).toMatchObject([
      { eventType: 'INTERVAL', channelName: 'room', publisher: '', stateChanged: {}, snapshot: null, previous: 105, version: 106, timestamp: 7, life: 'life' },
    ])
  })

  test('an interval without a net is skipped, and the next one spans it', async () => {
    await busy(watcher('w'))
    room.change(join('f'), leave('f'))
    jest.advanceTimersByTime(5 * INTERVAL_MS)
    expect(told('w')).toEqual([])
    room.change(join('f'))
    jest.advanceTimersByTime(INTERVAL_MS)
    expect(spans('w')).toEqual([[105, 108]])
    expect(told('w')).toEqual([['INTERVAL']])
    jest.advanceTimersByTime(5 * INTERVAL_MS)
    expect(told('w')).toEqual([])
  })

  test('nobody is told of oneself, but of the states that another session of the user set', async () => {
    await busy(watcher('phone', 'a', 's1'), watcher('tab', 'a', 's2'), watcher('other'))
    room.change(state('a', 's1', { k: '1' }))
    jest.advanceTimersByTime(INTERVAL_MS)
    expect(spans('phone')).toEqual([[105, 106]])
    expect(summaries('phone')).toEqual([[]])
    for (const id of ['tab', 'other']) expect(summaries(id)).toEqual([[{ ...NOTHING, states: { a: { k: '1' } }, totalOccupancy: 5 }]])

    room.change(leave('a'), join('f'))
    jest.advanceTimersByTime(INTERVAL_MS)
    expect(summaries('phone')).toEqual([[{ ...NOTHING, joined: ['f'], totalOccupancy: 5 }]])
    expect(summaries('other')).toEqual([[{ ...NOTHING, joined: ['f'], left: ['a'], totalOccupancy: 5 }]])
  })

  test('what only one session has to be told moves all on', async () => {
    await busy(watcher('phone', 'a', 's1'), watcher('other'))
    room.change(state('a', 's1', { k: '1' }), state('a', 's2', {}))
    jest.advanceTimersByTime(INTERVAL_MS)
    expect(summaries('phone')).toEqual([[{ ...NOTHING, states: { a: {} }, totalOccupancy: 5 }]])
    expect(spans('other')).toEqual([[105, 107]])
    expect(told('other')).toEqual([[]])
  })
})

describe('who begins within an interval', () => {
  test('gets a SNAPSHOT at once and then the rest, and cuts nobody else short', async () => {
    await busy(watcher('old'))
    room.change(join('f'))
    jest.advanceTimersByTime(INTERVAL_MS / 2)
    fanout.attach(room.feed, watcher('new'), null, false)
    fanout.attach(room.feed, watcher('twin'), null, false)
    jest.runAllTicks()
    expect(spans('new')).toEqual([[0, 106]])
    expect(told('new')).toEqual([['SNAPSHOT']])
    sockets.received.clear()
    sockets.encoded = 0
    room.change(leave('f'), join('g'))
    jest.advanceTimersByTime(INTERVAL_MS / 2)
    expect(spans('new')).toEqual([[106, 108]])
    expect(spans('old')).toEqual([[105, 108]])
    expect(sockets.encoded).toBe(2) // one for the room, one for both newcomers
    expect(summaries('new')).toEqual([[{ ...NOTHING, joined: ['g'], left: ['f'], totalOccupancy: 6 }]])
    expect(summaries('old')).toEqual([[{ ...NOTHING, joined: ['g'], totalOccupancy: 6 }]])

    room.change(leave('g'))
    jest.advanceTimersByTime(INTERVAL_MS)
    for (const id of ['new', 'old']) expect(spans(id)).toEqual([[108, 109]])
  })

  test('and nothing more when nothing happens after it', async () => {
    await busy(watcher('old'))
    room.change(join('f'))
    await arrive(watcher('new'))
    jest.advanceTimersByTime(INTERVAL_MS)
    expect(told('old')).toEqual([['INTERVAL']])
    expect(told('new')).toEqual([])
    room.change(leave('f'))
    jest.advanceTimersByTime(INTERVAL_MS)
    expect(spans('new')).toEqual([[106, 107]])
  })

  test('an interval that is nothing to the others may be something to it', async () => {
    await busy(watcher('old'))
    room.change(join('f'))
    await arrive(watcher('new'))
    room.change(leave('f'))
    jest.advanceTimersByTime(INTERVAL_MS)
    expect(summaries('new')).toEqual([[{ ...NOTHING, left: ['f'], totalOccupancy: 5 }]])
    expect(spans('old')).toEqual([[105, 107]])
    expect(told('old')).toEqual([[]])
  })

  test('with a position: it is told what it missed as one INTERVAL, and then the rest', async () => {
    await busy(watcher('old'))
    room.change(join('f'))
    const missed: Missed = { previous: 104, version: 106, effects: ['e', 'f'].map((userId, at) => ({ kind: 'join', member: { userId, states: {}, joinedAt: 1 }, version: 105 + at, at: 7 })) }
    fanout.attach(room.feed, watcher('e'), missed, false)
    expect(spans('e')).toEqual([[104, 106]])
    expect(summaries('e')).toEqual([[{ ...NOTHING, joined: ['f'], totalOccupancy: 6 }]])
    room.change(leave('a'))
    jest.advanceTimersByTime(INTERVAL_MS)
    expect(spans('e')).toEqual([[106, 107]])
  })

  test('who leaves before the end hears nothing more', async () => {
    await busy(watcher('old'))
    room.change(join('f'))
    await arrive(watcher('new'))
    room.change(join('g'))
    fanout.detach(room.feed, 'new')
    jest.advanceTimersByTime(INTERVAL_MS)
    expect(told('new')).toEqual([])
    expect(fanout.watchers).toBe(1)
  })
})

describe('crossing the threshold', () => {
  test('up: what waited is announced one by one, what crossed it is summed up', async () => {
    room.change(join('a'), join('b'))
    await arrive(watcher('w'))
    room.change(join('c'))
    room.change(join('d')) // waits in the window
    room.change(join('e'))
    expect(told('w')).toEqual([['REMOTE_JOIN c'], ['REMOTE_JOIN d']])
    jest.advanceTimersByTime(INTERVAL_MS)
    expect(spans('w')).toEqual([[104, 105]])
    expect(told('w')).toEqual([['INTERVAL']])
  })

  test('down: at 80 % one last INTERVAL at once, then one by one', async () => {
    await busy(watcher('w'))
    room.change(leave('a')) // 4, the threshold itself: not yet
    room.change(join('f'), leave('f'))
    jest.advanceTimersByTime(INTERVAL_MS)
    expect(told('w')).toEqual([['INTERVAL']])
    room.change(state('b', 's', { k: 'v' }))
    room.change(leave('c')) // 3
    expect(summaries('w')).toEqual([[{ ...NOTHING, left: ['c'], states: { b: { k: 'v' } }, totalOccupancy: 3 }]])
    jest.advanceTimersByTime(FLUSH_MS)
    room.change(leave('d'))
    expect(told('w')).toEqual([['REMOTE_LEAVE d']])
    jest.advanceTimersByTime(10 * INTERVAL_MS)
    expect(told('w')).toEqual([])
    room.change(join('c'), join('d')) // 4: not yet
    expect(told('w')).toEqual([['REMOTE_JOIN c', 'REMOTE_JOIN d']])
  })

  test('down: newcomers get the rest of the last interval, and then stand with the others', async () => {
    await busy(watcher('old'))
    room.change(join('f'))
    await arrive(watcher('new'))
    room.change(leave('d'), leave('e'), leave('f'))
    expect(spans('new')).toEqual([[106, 109]])
    expect(summaries('new')).toEqual([[{ ...NOTHING, left: ['d', 'e', 'f'], totalOccupancy: 3 }]])
    expect(summaries('old')).toEqual([[{ ...NOTHING, left: ['d', 'e'], totalOccupancy: 3 }]])
    jest.advanceTimersByTime(FLUSH_MS)
    room.change(leave('a'))
    for (const id of ['new', 'old']) expect(spans(id)).toEqual([[109, 110]])
  })

  test('down: all stand at one position even if none of them has anything to be told', async () => {
    room.change(join('a'), join('b'), join('c'), join('d'), join('e'))
    await arrive(watcher('phone', 'a', 's1'))
    room.change(leave('e'))
    jest.advanceTimersByTime(INTERVAL_MS)
    room.change(leave('nobody'))
    await arrive(watcher('tab', 'a', 's2'))
    sockets.received.clear()
    room.change(leave('a')) // 3, and no news to its own sessions
    expect(spans('phone')).toEqual([[106, 108]])
    expect(spans('tab')).toEqual([[107, 108]])
    for (const id of ['phone', 'tab']) expect(told(id)).toEqual([[]])
    jest.advanceTimersByTime(FLUSH_MS)
    room.change(leave('b'))
    for (const id of ['phone', 'tab']) expect(told(id)).toEqual([['REMOTE_LEAVE b']])
  })
})

describe('what else goes on', () => {
  test('a slow client is skipped at the end of the interval, and gets one SNAPSHOT when it has drained', async () => {
    const slow = watcher('slow')
    await busy(slow, watcher('quick'))
    slow.backlogBytes = BACKLOG + 1
    room.change(join('f'))
    jest.advanceTimersByTime(INTERVAL_MS)
    room.change(join('g'))
    slow.backlogBytes = 0
    jest.advanceTimersByTime(200)
    expect(told('slow')).toEqual([['SNAPSHOT']])
    room.change(leave('f'))
    jest.advanceTimersByTime(INTERVAL_MS)
    expect(spans('slow')).toEqual([[107, 108]])
    expect(told('quick')).toEqual([['INTERVAL'], ['INTERVAL']])
  })

  test('a replaced replica is one SNAPSHOT, for newcomers too, and what was pending is in it', async () => {
    await busy(watcher('old'))
    room.change(join('f'))
    await arrive(watcher('new'))
    room.change(join('g'))
    room.replace(500, 'a', 'b', 'c', 'd', 'e', 'x')
    jest.advanceTimersByTime(5 * INTERVAL_MS)
    for (const id of ['new', 'old']) expect(told(id)).toEqual([['SNAPSHOT']])
    room.change(leave('x'))
    jest.advanceTimersByTime(INTERVAL_MS)
    for (const id of ['new', 'old']) expect(spans(id)).toEqual([[500, 501]])
  })

  test('a replaced replica may be below the threshold, or above it', async () => {
    await busy(watcher('w'))
    room.change(join('f'))
    room.replace(500, 'a', 'b')
    room.change(join('c'))
    expect(told('w')).toEqual([['SNAPSHOT'], ['REMOTE_JOIN c']])
    room.replace(600, 'a', 'b', 'c', 'd', 'e')
    room.change(leave('a'))
    expect(told('w')).toEqual([['SNAPSHOT']])
    jest.advanceTimersByTime(INTERVAL_MS)
    expect(told('w')).toEqual([['INTERVAL']])
  })

  test('out of service: what is known is told first, to each from where it stands', async () => {
    await busy(watcher('old'))
    room.change(join('f'))
    await arrive(watcher('new'))
    room.change(join('g'))
    fanout.onService(false)
    expect(spans('old')).toEqual([[105, 107], [107, 107]])
    expect(spans('new')).toEqual([[106, 107], [107, 107]])
    expect(told('new')).toEqual([['INTERVAL'], ['ERROR_OUT_OF_SERVICE']])
    fanout.onService(true)
    jest.advanceTimersByTime(1_100)
    expect(told('new')).toEqual([['SNAPSHOT']])
  })
})
