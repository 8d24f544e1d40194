import { beforeEach, expect, test } from '@jest/globals'

import type { OutboxEntry } from '../../src/presence/outbox.js'
import type { RedisStore } from '../../src/store/index.js'
import { singleRedis, type RunningSetup } from '../contract/setups.js'
import { of, room, states, TestNode } from '../contract/test-node.js'
import { useTestScope } from '../support/scope.js'
import { elapse, eventually } from '../support/wait.js'

const scope = useTestScope()
const lobby = room('lobby')
const ALL = 1_000_000

let redis: RunningSetup
let store: RedisStore
let maker: TestNode
let partition: number

beforeEach(async () => {
  redis = await singleRedis.start(scope)
  store = await redis.open(scope, 'maker')
  store.keepOutbox(1_000, 'test')
  store.outbox.keepGivenUp(3)
  partition = store.partitionOf(lobby)
  maker = new TestNode('maker', store, partition)
  await maker.beat()
})

const claim = (node: string, receivers: readonly string[] = ['r'], leaseMs = 10_000) => store.outbox.claim(partition, node, receivers, leaseMs)
const kinds = (entries: readonly OutboxEntry[]) => entries.map(({ event }) => event.kind)
const readAll = () => store.outbox.read(partition, '', ALL)

async function last(): Promise<OutboxEntry> {
  const entry = (await readAll()).at(-1)
  if (entry === undefined) throw new Error('the outbox is empty')
  return entry
}

test('entries come in order, with one id each, and are counted in their life', async () => {
  await maker.join(lobby, 'ann')
  await maker.do({ ...of(lobby, 'ann'), kind: 'state', attach: 1, base: 0, states: states({ mood: 'a\0b' }) })
  await maker.do({ ...of(lobby, 'ann'), kind: 'leave', attach: 1 })
  const entries = await readAll()
  expect(entries.map(({ event, sequence, app, life }) => ({ ...event, sequence, app, life }))).toEqual([
    { kind: 'occupied', channel: lobby, sequence: 1, app: 'test', life: maker.life },
    { kind: 'join', channel: lobby, userId: 'ann', sequence: 2, app: 'test', life: maker.life },
    { kind: 'state', channel: lobby, userId: 'ann', states: { mood: 'a\0b' }, sequence: 3, app: 'test', life: maker.life },
    { kind: 'leave', channel: lobby, userId: 'ann', sequence: 4, app: 'test', life: maker.life },
    { kind: 'vacated', channel: lobby, sequence: 5, app: 'test', life: maker.life },
  ])
  expect(new Set(entries.map(({ id }) => id)).size).toBe(5)
  expect(kinds(await store.outbox.read(partition, entries[1]?.place ?? '', 2))).toEqual(['state', 'leave'])
})

test('one node has a receiver until its claim ends or is released; others learn when that is', async () => {
  expect((await claim('a')).mine.get('r')).toEqual({ held: false, place: '', life: maker.life, sequence: 0, behind: 0 })
  expect((await claim('a')).mine.get('r')?.held).toBe(true)
  const refused = await claim('b')
  expect([...refused.mine]).toEqual([])
  expect(refused.freeInMs).toBeGreaterThan(9_000)
  const mixed = await claim('b', ['r', 's'])
  expect([...mixed.mine.keys()]).toEqual(['s'])
  await store.outbox.release(partition, 'a')
  expect((await claim('b', ['r', 's'], 100)).mine.get('r')?.held).toBe(false)
  await elapse(150)
  expect((await claim('a')).mine.get('r')?.held).toBe(false)
})

test('who writes or releases wakes those who listen', async () => {
  const heard: string[] = []
  const stop = await store.outbox.onWritten(partition, (what) => heard.push(what))
  await maker.join(lobby, 'ann')
  await claim('a')
  await store.outbox.release(partition, 'b')
  await store.outbox.release(partition, 'a')
  await eventually('both are heard', () => heard.length === 2)
  expect(heard).toEqual(['written', 'released'])
  stop()
})

test('the cursor moves for its owner only, never backwards, and what all have had is let go', async () => {
  await claim('a', ['r', 's'])
  for (const user of ['ann', 'bob', 'cem']) await maker.join(lobby, user)
  const [first, second, third, fourth] = (await readAll()) as [OutboxEntry, OutboxEntry, OutboxEntry, OutboxEntry]
  expect(await store.outbox.acknowledge(partition, 'b', 'r', third)).toBe(false)
  expect((await claim('a', ['r', 's'])).mine.get('r')).toMatchObject({ place: '', behind: 4 })
  expect(await store.outbox.acknowledge(partition, 'a', 'r', third)).toBe(true)
  expect(await store.outbox.acknowledge(partition, 'a', 'r', first)).toBe(true)
  expect(await store.outbox.acknowledge(partition, 'a', 's', second)).toBe(true)
  const { mine } = await claim('a', ['r', 's'])
  expect(mine.get('r')).toMatchObject({ place: third.place, sequence: 3, behind: 1 })
  expect(mine.get('s')).toMatchObject({ place: second.place, sequence: 2, behind: 2 })
  expect((await readAll()).map(({ id }) => id)).toEqual([third.id, fourth.id])
  // A node that knows of one receiver only lets go of nothing that another has not had.
  await store.outbox.acknowledge(partition, 'a', 'r', fourth)
  await store.outbox.release(partition, 'a')
  await claim('b', ['r'])
  expect(await readAll()).toHaveLength(2)
  // Once nobody has served that one for long, it counts no more.
  await redis.command('HSET', `rollcall:{${partition}}:claims`, 's', 'a 1000')
  await claim('b', ['r'])
  expect(await readAll()).toEqual([])
  expect(await redis.command('HKEYS', `rollcall:{${partition}}:cursors`)).toEqual(['r'])
})

test('a receiver that comes later begins with what is there, and counts from it', async () => {
  await claim('a', ['r'])
  await maker.join(lobby, 'ann')
  await store.outbox.acknowledge(partition, 'a', 'r', await last())
  await claim('a', ['r'])
  await maker.join(lobby, 'bob')
  expect((await claim('a', ['r', 's'])).mine.get('s')).toMatchObject({ place: '', sequence: 2, behind: 1 })
})

test('an app\'s events are written by whichever node makes them while the app has receivers, and by none when it has not', async () => {
  const other = new TestNode('other', await redis.open(scope, 'other'), partition)
  await other.beat()
  const elsewhere = { ...lobby, app: 'elsewhere' }
  await other.join(lobby, 'ann')
  await claim('a', ['test:r', 'testing:r'])
  await other.join(lobby, 'bob')
  await other.join(elsewhere, 'bob')
  await maker.join(elsewhere, 'cem')
  expect((await readAll()).map(({ app, event }) => [app, event.kind])).toEqual([['test', 'join']])
  await redis.command('HSET', `rollcall:{${partition}}:claims`, 'test:r', 'a 1000')
  await claim('b', ['elsewhere:r'])
  await other.join(lobby, 'dan')
  await other.join(elsewhere, 'dan')
  expect((await readAll()).map(({ app, event }) => [app, event.kind])).toEqual([['test', 'join'], ['elsewhere', 'join']])
})

test('a flush: the next claim begins anew, an owner may go on, and nothing is in the way of what comes then', async () => {
  await claim('a')
  await maker.join(lobby, 'ann')
  const before = await last()
  await store.outbox.acknowledge(partition, 'a', 'r', before)
  await redis.flush()
  expect(await store.outbox.acknowledge(partition, 'a', 'r', before)).toBe(true)
  await redis.flush()
  await maker.beat()
  expect((await claim('a')).mine.get('r')).toEqual({ held: false, place: '', life: maker.life, sequence: 0, behind: 0 })
  await maker.join(lobby, 'bob')
  expect((await claim('a')).mine.get('r')).toMatchObject({ held: true, place: '', behind: 2 })
})

test('an outbox that began anew by an earlier clock is read from its beginning', async () => {
  await claim('a')
  await maker.join(lobby, 'ann')
  await store.outbox.acknowledge(partition, 'a', 'r', { ...(await last()), place: '9999999999999-0' })
  expect((await claim('a')).mine.get('r')).toMatchObject({ held: false, place: '', sequence: 0, behind: 2 })
})

test('what is given up is kept, up to a number, with all that it takes to send it again', async () => {
  await claim('a')
  await maker.join(lobby, 'ann')
  await maker.do({ ...of(lobby, 'ann'), kind: 'state', attach: 1, base: 0, states: states({ mood: 'é' }) })
  await maker.do({ ...of(lobby, 'ann'), kind: 'leave', attach: 1 })
  const entries = await readAll()
  for (const entry of entries) {
    await store.outbox.acknowledge(partition, 'a', 'r', entry, { id: entry.id, receiver: 'r', attempts: 12, lastError: 'HTTP 500', at: 0, entry })
  }
  const kept = await store.outbox.givenUp(10)
  expect(kept.map(({ entry }) => entry)).toEqual(entries.slice(-3).reverse())
  expect(kept[0]).toMatchObject({ partition, receiver: 'r', attempts: 12, lastError: 'HTTP 500', at: expect.any(Number) })
  expect((await store.outbox.givenUp(1)).map(({ id }) => id)).toEqual([entries.at(-1)?.id])
  const [newest] = kept
  expect(await store.outbox.forget(partition, 's', newest?.id ?? '')).toBe(false)
  expect(await store.outbox.forget(partition, 'r', newest?.id ?? '')).toBe(true)
  expect(await store.outbox.forget(partition, 'r', newest?.id ?? '')).toBe(false)
  expect(await store.outbox.givenUp(10)).toHaveLength(2)
  expect((await claim('a')).mine.get('r')).toMatchObject({ behind: 0 })
})

test('every key expires by itself', async () => {
  await claim('a')
  await maker.join(lobby, 'ann')
  const entry = await last()
  await store.outbox.acknowledge(partition, 'a', 'r', entry, { id: entry.id, receiver: 'r', attempts: 1, lastError: '', at: 0, entry })
  await claim('a')
  for (const key of ['outbox', 'claims', 'cursors', 'given-up']) {
    expect([key, Number(await redis.command('TTL', `rollcall:{${partition}}:${key}`)) > 86_000]).toEqual([key, true])
  }
})
