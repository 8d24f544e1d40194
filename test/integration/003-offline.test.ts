import { expect, test } from '@jest/globals'

import { useCluster } from '../support/node.js'
import { onOff, seenKey, statusOf } from '../support/on-off.js'
import { connectPlain } from '../support/plain.js'
import { dueInRedis } from '../support/redis-view.js'
import { useTestScope } from '../support/scope.js'
import { eventually } from '../support/wait.js'

const WEEK_S = 604_800
/** Clients say how long they may be away; small, but long enough to see what happens meanwhile. */
const AWAY_MS = 1_500

const cluster = useCluster()
const scope = useTestScope()

const bothNodes = async (user: string): Promise<readonly unknown[]> => Promise.all([onOff(cluster.a, [user]), onOff(cluster.b, [user])])

async function expectEnded(user: string): Promise<string> {
  return eventually(`${user} is remembered`, async () => seenKey(cluster.redis, user))
}

test('003.2 when the last session is gone the user reads "0", kept by a key of Redis for 604,800 s, then null', async () => {
  const began = Date.now()
  const client = await connectPlain(scope, 'ada', cluster.a)
  client.socket.disconnect()
  const key = await expectEnded('ada')
  expect(await bothNodes('ada')).toEqual([['0'], ['0']])
  expect(await cluster.redis.command('GET', key)).toBe('0')
  const ttl = Number(await cluster.redis.command('TTL', key))
  expect(ttl).toBeGreaterThan(WEEK_S - 60)
  expect(ttl).toBeLessThanOrEqual(WEEK_S)
  const { status, lastSeen } = await statusOf(cluster.b, 'ada')
  expect([status, lastSeen !== null && lastSeen >= began - 1_000 && lastSeen <= Date.now() + 1_000]).toEqual(['OFFLINE', true])

  // A week later.
  await cluster.redis.command('PEXPIRE', key, 1)
  await eventually('it has run out', async () => (await seenKey(cluster.redis, 'ada')) === undefined)
  expect(await bothNodes('ada')).toEqual([[null], [null]])
  expect(await statusOf(cluster.a, 'ada')).toEqual({ userId: 'ada', status: 'OFFLINE', lastSeen: null })
})

test('003.2 of several sessions only the last one\'s end is an end', async () => {
  const tab = await connectPlain(scope, 'bob', cluster.a)
  const phone = await connectPlain(scope, 'bob', cluster.b)
  await phone.must('subscribe', { channelName: 'room' })
  tab.socket.disconnect()
  await eventually('the first is gone', async () => (await cluster.redis.keys('rollcall:{*}:sessions:dev:USER:bob')).length === 1 && (await sessionsOf('bob')) === 1)
  expect(await bothNodes('bob')).toEqual([['1'], ['1']])
  expect(await seenKey(cluster.redis, 'bob')).toBeUndefined()
  phone.socket.disconnect()
  await expectEnded('bob')
  expect(await bothNodes('bob')).toEqual([['0'], ['0']])
})

test('003.2 sessions of one user that end together, on two nodes, leave nobody behind who is online', async () => {
  const users = Array.from({ length: 20 }, (_, i) => `pair-${i}`)
  const clients = await Promise.all(users.flatMap((user) => [connectPlain(scope, user, cluster.a), connectPlain(scope, user, cluster.b)]))
  expect(await onOff(cluster.b, users)).toEqual(users.map(() => '1'))
  for (const client of clients) client.socket.disconnect()
  await Promise.all(users.map(expectEnded))
  expect(await onOff(cluster.a, users)).toEqual(users.map(() => '0'))
})

test('003.2 until presenceTimeout is over a user who lost the connection reads "1"', async () => {
  const client = await connectPlain(scope, 'cem', cluster.a, { auth: { presenceTimeout: AWAY_MS }, reconnection: false })
  const lost = Date.now()
  client.socket.io.engine.close()
  await eventually('the node has noticed', async () => (await statusOf(cluster.b, 'cem')).status === 'UNREACHABLE')
  expect(await statusOf(cluster.b, 'cem')).toEqual({ userId: 'cem', status: 'UNREACHABLE', lastSeen: null })
  const read = new Map<unknown, number>()
  await eventually('the time is over', async () => {
    for (const answer of await bothNodes('cem')) read.set(JSON.stringify(answer), Date.now() - lost)
    return read.has('["0"]')
  })
  expect([...read.keys()]).toEqual(['["1"]', '["0"]'])
  expect(read.get('["0"]')).toBeGreaterThanOrEqual(AWAY_MS)
})

test('003.2 a login takes the mark away, and the late end of an older session does not bring it back', async () => {
  const first = await connectPlain(scope, 'dan', cluster.a)
  first.socket.disconnect()
  await expectEnded('dan')
  const old = await connectPlain(scope, 'dan', cluster.a, { auth: { presenceTimeout: AWAY_MS }, reconnection: false })
  expect(await seenKey(cluster.redis, 'dan')).toBeUndefined()
  old.socket.io.engine.close()
  await eventually('the old session waits for its end', async () => (await dueInRedis(cluster.redis)) === 1)
  await connectPlain(scope, 'dan', cluster.b)
  await eventually('the old session has ended', async () => (await dueInRedis(cluster.redis)) === 0)
  expect(await sessionsOf('dan')).toBe(1)
  expect(await bothNodes('dan')).toEqual([['1'], ['1']])
  expect(await seenKey(cluster.redis, 'dan')).toBeUndefined()
})

/** How many sessions Redis holds of a user. */
async function sessionsOf(user: string): Promise<number> {
  const [key = ''] = await cluster.redis.keys(`rollcall:{*}:sessions:dev:USER:${user}`)
  return Object.keys(await cluster.redis.hash(key)).filter((session) => session !== '').length
}
