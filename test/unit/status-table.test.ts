import { describe, expect, test } from '@jest/globals'

import { StatusTable } from '../../src/feeds/status-table.js'
import type { PeerStatus, StatusEvent, StatusReading, UserStatus } from '../../src/presence/status.js'

const SETTLING_MS = 500
const here: UserStatus = { status: 'ONLINE', lastSeen: null }
const lost: UserStatus = { status: 'UNREACHABLE', lastSeen: null }
const gone = (lastSeen: number | null = 5_000): UserStatus => ({ status: 'OFFLINE', lastSeen })

function reading(version: number, rows: readonly UserStatus[], { life = 'one', settlesInMs = 0 } = {}): StatusReading {
  return { life, version, settlesInMs, rows }
}

function event(previous: number, changes: readonly (readonly [version: number, userId: string, status: UserStatus])[], { life = 'one', app = 'dev' } = {}): StatusEvent {
  return { life, previous, changes: changes.map(([version, userId, status]) => ({ version, app, userId, ...status })) }
}

/** Carries out what is to be read, as a store that answers this would. */
function readAll(table: StatusTable, answer: (userId: string) => UserStatus, version: number, { now = 0, life = 'one', settlesInMs = 0, most = 1_000 } = {}): string[] {
  const news: string[] = []
  for (let take = table.take(most); take !== null; take = table.take(most)) {
    news.push(...told(table.adopt(take, reading(version, take.userIds.map(answer), { life, settlesInMs }), now)))
  }
  return news
}

const told = (news: readonly { readonly userId: string; readonly status: PeerStatus }[]): string[] => news.map(({ userId, status }) => `${userId} ${status}`)

/** A table in step, at version 10, that watches these. */
function inStep(users: Readonly<Record<string, UserStatus>>): StatusTable {
  const table = new StatusTable('dev', SETTLING_MS)
  for (const userId of Object.keys(users)) table.hold(userId)
  readAll(table, (userId) => users[userId] ?? here, 10)
  return table
}

describe('a table of statuses', () => {
  test('knows nothing of who was not read, and tells nobody of what is read first', () => {
    const table = new StatusTable('dev', SETTLING_MS)
    table.hold('ann')
    expect(table.get('ann')).toBeNull()
    expect(readAll(table, () => gone(), 10)).toEqual([])
    expect(table.get('ann')).toEqual(gone())
    expect(table.wants).toBe(false)
  })

  test('tells changes of those who are watched, once, and of nobody else', () => {
    const table = inStep({ ann: here })
    expect(told(table.receive(event(10, [[11, 'ann', lost], [12, 'bob', lost]]), 0))).toEqual(['ann UNREACHABLE'])
    expect(told(table.receive(event(12, [[13, 'ann', lost]]), 0))).toEqual([])
    expect(told(table.receive(event(13, [[14, 'ann', here]], { app: 'other' }), 0))).toEqual([])
    expect(told(table.receive(event(14, [[15, 'ann', gone(7_000)]]), 0))).toEqual(['ann OFFLINE'])
    expect(table.get('ann')).toEqual(gone(7_000))
    expect(table.wants).toBe(false)
  })

  test('drops what is not newer than the row', () => {
    const table = inStep({ ann: here })
    expect(table.receive(event(8, [[9, 'ann', lost]]), 0)).toEqual([])
    expect(table.wants).toBe(false)
    expect(table.get('ann')).toEqual(here)
  })

  test('keeps what an event said while it was being read', () => {
    const table = new StatusTable('dev', SETTLING_MS)
    table.hold('ann')
    readAll(table, () => here, 10)
    table.hold('bob')
    const take = table.take(10)
    table.receive(event(10, [[11, 'bob', gone()]]), 0)
    expect(table.get('bob')).toEqual(gone())
    if (take !== null) table.adopt(take, reading(10, [here]), 0)
    expect(table.get('bob')).toEqual(gone())
  })

  test('counts who holds a user', () => {
    const table = inStep({ ann: here })
    table.hold('ann')
    table.letGo('ann')
    expect(table.size).toBe(1)
    table.letGo('ann')
    table.letGo('nobody')
    expect([table.size, table.get('ann')]).toEqual([0, null])
  })

  test('reads in chunks, and again what could not be read', () => {
    const table = new StatusTable('dev', SETTLING_MS)
    for (const userId of ['a', 'b', 'c']) table.hold(userId)
    const take = table.take(2)
    expect(take?.userIds).toEqual(['a', 'b'])
    table.letGo('b')
    if (take !== null) table.giveBack(take)
    expect(table.take(5)?.userIds).toEqual(['c', 'a'])
    expect(table.take(5)).toBeNull()
  })
})

describe('what was missed', () => {
  test('a gap has all read again; what differs is told', () => {
    const table = inStep({ ann: here, bob: here, cy: gone() })
    expect(told(table.receive(event(15, [[16, 'ann', lost]]), 0))).toEqual(['ann UNREACHABLE'])
    expect(table.wants).toBe(true)
    expect(readAll(table, (userId) => (userId === 'ann' ? lost : userId === 'bob' ? gone(6_000) : gone()), 16, { most: 2 })).toEqual(['bob OFFLINE'])
    expect(told(table.receive(event(16, [[17, 'ann', here]]), 0))).toEqual(['ann ONLINE'])
    expect(table.wants).toBe(false)
  })

  test('somebody who came and went is told of; a clock that reckons a little differently is not', () => {
    const table = inStep({ ann: gone(5_000), bob: gone(5_000), cy: gone(null) })
    table.doubt()
    expect(readAll(table, (userId) => gone(userId === 'bob' ? 5_002 : userId === 'ann' ? 60_000 : null), 20)).toEqual(['ann OFFLINE'])
    expect(table.get('ann')).toEqual(gone(60_000))
  })

  test('when Redis does not know any more when somebody was last seen, the node still does', () => {
    const table = inStep({ ann: gone(5_000) })
    table.doubt()
    expect(readAll(table, () => gone(null), 20)).toEqual([])
    expect(table.get('ann')).toEqual(gone(5_000))
  })

  test('a heartbeat that is ahead is given until the next one', () => {
    const table = inStep({ ann: here })
    table.beat('one', 12)
    expect(table.wants).toBe(false)
    table.receive(event(10, [[12, 'ann', lost]]), 0)
    table.beat('one', 14)
    expect(table.wants).toBe(false)
    table.beat('one', 15)
    expect(table.wants).toBe(true)
    expect(readAll(table, () => here, 15)).toEqual(['ann ONLINE'])
    table.beat('one', 15)
    table.beat('one', 15)
    expect(table.wants).toBe(false)
    // The event was only slow.
    expect(table.receive(event(12, [[15, 'ann', here]]), 0)).toEqual([])
    expect(table.wants).toBe(false)
  })

  test('a heartbeat of another life is given until the next one, too', () => {
    const table = inStep({ ann: here })
    table.beat('two', 3)
    expect(table.wants).toBe(false)
    table.beat('two', 3)
    expect(table.wants).toBe(true)
  })

  test('a reading that was under way when something was missed does not count as one of all', () => {
    const table = inStep({ ann: here })
    table.hold('bob')
    const take = table.take(5)
    table.doubt()
    if (take !== null) table.adopt(take, reading(10, [here]), 0)
    expect(table.take(5)).toMatchObject({ userIds: ['ann', 'bob'], first: true })
  })
})

describe('another life', () => {
  test('ONLINE is believed at once, anything worse when it has settled', () => {
    const table = inStep({ ann: here, bob: here, cy: lost, dee: gone() })
    expect(table.receive(event(0, [[3, 'bob', here]], { life: 'two' }), 1_000)).toEqual([])
    const answer = (userId: string): UserStatus => (userId === 'ann' ? gone(null) : userId === 'bob' ? gone(null) : userId === 'cy' ? gone(null) : here)
    expect(readAll(table, answer, 2, { life: 'two', now: 1_000, settlesInMs: 300 })).toEqual(['dee ONLINE'])
    expect([table.get('ann'), table.get('bob'), table.get('cy')]).toEqual([here, here, lost])
    // Nobody who knew an earlier life believes it before the least time.
    expect(table.settlesAt).toBe(1_000 + SETTLING_MS)
    expect(told(table.receive(event(3, [[4, 'dee', lost]], { life: 'two' }), 1_100))).toEqual([])
    table.settle()
    expect(readAll(table, (userId) => (userId === 'bob' ? here : userId === 'dee' ? lost : gone(null)), 5, { life: 'two', now: 1_600 })).toEqual(['ann OFFLINE', 'cy OFFLINE', 'dee UNREACHABLE'])
    expect(table.settlesAt).toBeNull()
  })

  test('the first one has nothing that could be missing', () => {
    const table = inStep({ ann: here })
    expect(told(table.receive(event(10, [[11, 'ann', lost]]), 0))).toEqual(['ann UNREACHABLE'])
  })

  test('events that come before its first reading are applied after it', () => {
    const table = inStep({ ann: gone(), bob: gone() })
    table.receive(event(0, [[3, 'ann', here]], { life: 'two' }), 0)
    const take = table.take(1)
    expect(take?.userIds).toEqual(['ann'])
    table.receive(event(3, [[4, 'bob', here]], { life: 'two' }), 0)
    const news = take === null ? [] : table.adopt(take, reading(3, [here], { life: 'two' }), 0)
    expect(told(news)).toEqual(['ann ONLINE', 'bob ONLINE'])
    // Bob was not read in this life yet, and what was read at 3 is older than what he is.
    expect(table.take(5)?.userIds).toEqual(['bob'])
  })

  test('an event of the life before that comes late costs one reading and changes nothing', () => {
    const table = inStep({ ann: here })
    table.receive(event(0, [[3, 'ann', here]], { life: 'two' }), 0)
    readAll(table, () => here, 3, { life: 'two' })
    expect(table.receive(event(10, [[11, 'ann', gone()]]), 5_000)).toEqual([])
    expect(readAll(table, () => here, 3, { life: 'two', now: 5_000 })).toEqual([])
    expect([table.life, table.wants]).toEqual(['two', false])
    expect(told(table.receive(event(3, [[4, 'ann', lost]], { life: 'two' }), 5_000))).toEqual(['ann UNREACHABLE'])
  })

  test('of one that begins between two chunks everything is read', () => {
    const table = inStep({ a: here, b: here, c: here })
    table.doubt()
    const take = table.take(2)
    if (take !== null) table.adopt(take, reading(10, [here, here]), 0)
    const next = table.take(2)
    expect(next?.userIds).toEqual(['c'])
    if (next !== null) table.adopt(next, reading(1, [here], { life: 'two' }), 0)
    expect(table.take(5)?.userIds).toEqual(['a', 'b'])
  })
})
