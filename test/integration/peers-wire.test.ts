import { describe, expect, test } from '@jest/globals'

import { connect, uniqueChannel } from '../support/client.js'
import { startNode, useCluster } from '../support/node.js'
import { PeerLog } from '../support/peer-log.js'
import { connectPlain } from '../support/plain.js'
import { useTestScope } from '../support/scope.js'
import { SECRET, tokenFor } from '../support/tokens.js'

const PARTITIONS = 16
/** Nearly nothing but what clients ask for is sent: of heartbeats and looks of the audit so many may fall into a window. */
const QUIET = { heartbeatMs: 60_000, heartbeatTtlMs: 180_000, partitions: PARTITIONS }
const NOISE = 2
const cluster = useCluster({ ...QUIET, limits: { callsPerSecond: 1_000, peersPerClient: 600 } })
const scope = useTestScope()

const unique = (name: string): string => uniqueChannel(name)
const usersOf = (count: number, name = unique('user')): string[] => Array.from({ length: count }, (_, i) => `${name}-${i}`)

function expectAbout(calls: number | undefined, wanted: number): void {
  expect(calls).toBeGreaterThanOrEqual(wanted)
  expect(calls).toBeLessThanOrEqual(wanted + NOISE)
}

describe('the cost', () => {
  test('512 users are one request, one call a partition and one subscription a partition; the second client costs nothing', async () => {
    const users = usersOf(512)
    const [one, two] = [await connectPlain(scope, unique('one'), cluster.a), await connectPlain(scope, unique('two'), cluster.a)]
    // A script that the server has not seen yet is sent twice.
    await one.must('queryPeers', { userIds: users.slice(0, 1) })
    const monitor = await cluster.redis.monitor(scope)
    const calls = async (asking: () => Promise<unknown>): Promise<Record<string, number>> => {
      const asked = asking()
      const seen = await monitor.during(700)
      await asked
      const counts: Record<string, number> = {}
      for (const { name } of seen) counts[name] = (counts[name] ?? 0) + 1
      return counts
    }
    const first = await calls(() => one.must('subscribePeers', { userIds: users }))
    expect(Object.keys(first).sort()).toEqual(['evalsha', 'ssubscribe'])
    expect(first.ssubscribe).toBe(PARTITIONS)
    expectAbout(first.evalsha, PARTITIONS)
    const query = await calls(() => one.must('queryPeers', { userIds: users }))
    expectAbout(query.evalsha, PARTITIONS)
    for (const again of [await calls(() => two.must('subscribePeers', { userIds: users })), await calls(() => one.must('unsubscribePeers', {}))]) {
      expectAbout(Object.values(again).reduce((sum, count) => sum + count, 0), 0)
    }
  })
})

describe('a plain client', () => {
  test('is told of users of any name', async () => {
    const users = ['Zoë', '__proto__', 'toString', '{7}']
    const watcher = await connectPlain(scope, unique('watcher'), cluster.b)
    const log = new PeerLog(watcher)
    const { statuses } = await watcher.must('subscribePeers', { userIds: users })
    expect(Object.keys(statuses as object).sort()).toEqual([...users].sort())
    for (const user of users) {
      await connect(scope, user, cluster.a)
      expect(await log.next(user, 'ONLINE')).toEqual({ userId: user, status: 'ONLINE', lastSeen: null, timestamp: expect.any(Number) })
    }
  })

  test('that subscribes twice is told once, and its subscription ends with the connection', async () => {
    const user = unique('tony')
    const watcher = await connectPlain(scope, unique('watcher'), cluster.b, { reconnection: false })
    const log = new PeerLog(watcher)
    await watcher.must('subscribePeers', { userIds: [user, user] })
    await watcher.must('subscribePeers', { userIds: [user] })
    const tony = await connect(scope, user, cluster.a)
    await log.next(user, 'ONLINE')
    await tony.logout()
    await log.next(user, 'OFFLINE')
    expect(log.of(user)).toHaveLength(2)
    watcher.socket.disconnect()
  })
})

describe('what is refused', () => {
  test.each([
    ['no list', {}, 'PRESENCE_INVALID_ARGUMENT'],
    ['a text', { userIds: 'ann' }, 'PRESENCE_INVALID_ARGUMENT'],
    ['a map', { userIds: { 0: 'ann' } }, 'PRESENCE_INVALID_ARGUMENT'],
    ['a number among them', { userIds: ['ann', 7] }, 'INVALID_USER_ID'],
    ['nothing among them', { userIds: ['ann', null] }, 'INVALID_USER_ID'],
    ['an empty id', { userIds: [''] }, 'INVALID_USER_ID'],
    ['an id of 65 bytes', { userIds: ['x'.repeat(65)] }, 'INVALID_USER_ID'],
    ['an id that is not in NFC', { userIds: ['e\u0301'] }, 'INVALID_USER_ID'],
    ['a lone surrogate', { userIds: ['\ud800'] }, 'INVALID_USER_ID'],
  ])('%s', async (_, request, code) => {
    const client = await connectPlain(scope, unique('client'), cluster.a)
    for (const name of ['subscribePeers', 'queryPeers'] as const) expect(await client.send(name, request)).toMatchObject({ ok: false, error: { code, operation: name } })
    if ('userIds' in request) expect(await client.send('unsubscribePeers', request)).toMatchObject({ ok: false, error: { code } })
  })

  test('too many of them, and none of those is subscribed to', async () => {
    const client = await connectPlain(scope, unique('client'), cluster.a)
    expect(client.ready.limits).toMatchObject({ peersPerRequest: 512, peersPerClient: 600, usersPerQuery: 1_000 })
    const [users, others] = [usersOf(512), usersOf(89)]
    expect(await client.send('subscribePeers', { userIds: usersOf(513) })).toMatchObject({ ok: false, error: { code: 'PRESENCE_INVALID_ARGUMENT' } })
    expect(await client.send('queryPeers', { userIds: usersOf(1_001) })).toMatchObject({ ok: false, error: { code: 'PRESENCE_INVALID_ARGUMENT' } })
    expect(await client.send('queryPeers', { userIds: usersOf(1_000) })).toMatchObject({ ok: true })
    await client.must('subscribePeers', { userIds: users })
    expect(await client.send('subscribePeers', { userIds: others })).toMatchObject({ ok: false, error: { code: 'PRESENCE_TOO_MANY_PEERS', errorCode: -13017, retryable: false } })
    // Those that it has do not count twice.
    await client.must('subscribePeers', { userIds: [...users.slice(0, 400), ...others.slice(0, 88)] })
    await client.must('unsubscribePeers', { userIds: users.slice(0, 1) })
    await client.must('subscribePeers', { userIds: others.slice(88) })
  })

  test('too often', async () => {
    const node = await startNode(scope, { redisUrl: cluster.redis.url, ...QUIET, limits: { callsPerSecond: 3 } })
    const client = await connectPlain(scope, unique('client'), node)
    const replies = await Promise.all(Array.from({ length: 8 }, () => client.send('queryPeers', { userIds: ['ann'] })))
    expect(replies.filter((reply) => !reply.ok).length).toBeGreaterThanOrEqual(2)
    for (const reply of replies) if (!reply.ok) expect(reply.error).toMatchObject({ code: 'RATE_EXCEEDED', operation: 'queryPeers' })
  })
})

test('any token that lets its user in lets it ask who is there', async () => {
  const node = await startNode(scope, { redisUrl: cluster.redis.url, ...QUIET, secret: SECRET })
  const client = await connectPlain(scope, 'ann', node, { auth: { token: tokenFor('ann', { channels: [] }) } })
  expect(await client.must('subscribePeers', { userIds: ['ann'] })).toMatchObject({ statuses: { ann: { status: 'ONLINE', lastSeen: null } } })
})
