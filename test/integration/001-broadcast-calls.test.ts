import { expect, test } from '@jest/globals'

import { connectCrowd, inParts } from '../support/crowd.js'
import { useCluster } from '../support/node.js'
import { NoticeLog } from '../support/notice-log.js'
import { connectPlain, type PlainClient } from '../support/plain.js'
import type { Monitored } from '../support/redis-monitor.js'
import { useTestScope } from '../support/scope.js'
import { timersIn } from '../support/timers.js'
import { eventually } from '../support/wait.js'

const PARTITIONS = 16
const FRIENDS = 500
/** Nearly nothing but what clients ask for is sent: of heartbeats and looks of the audit so many may fall into a window. */
const QUIET = { heartbeatMs: 60_000, heartbeatTtlMs: 180_000, pingIntervalMs: 60_000, pingTimeoutMs: 60_000, partitions: PARTITIONS }
const NOISE = 2
const WINDOW_MS = 700
const cluster = useCluster({ ...QUIET, limits: { callsPerSecond: 2_000 } })
const scope = useTestScope()

/** What one broadcast costs Redis: calls of the nodes, and publishes of the scripts. */
async function costOf(ann: PlainClient, monitor: Monitored): Promise<{ readonly calls: Readonly<Record<string, number>>; readonly publishes: number }> {
  const [calls, within] = [monitor.during(WINDOW_MS), monitor.withinScripts(WINDOW_MS)]
  await ann.must('broadcastStatus', { status: 'hello' })
  const counts: Record<string, number> = {}
  // A sweeper's look at what is due is its own affair.
  for (const { name } of await calls) if (name !== 'zrangebyscore') counts[name] = (counts[name] ?? 0) + 1
  return { calls: counts, publishes: (await within).filter(({ name }) => /^s?publish$/.test(name)).length }
}

test('001.15 a broadcast to 500 friends is one read, and at most one call and one publish a partition, however many of them are there', async () => {
  const ann = await connectPlain(scope, 'ann', cluster.a)
  const crowd = await connectCrowd(scope, [cluster.a, cluster.b], FRIENDS)
  const logs = crowd.map((client) => new NoticeLog(client))
  await inParts(crowd, 50, async (friend) => {
    await friend.must('addFriend', { userId: 'ann' })
    await ann.must('addFriend', { userId: friend.user })
  })
  const monitor = await cluster.redis.monitor(scope)

  // A script that the server has not seen yet is sent twice.
  await ann.must('broadcastStatus', { status: 'warm' })
  const there = await costOf(ann, monitor)
  await Promise.all(logs.map(async (log) => {
    await log.next('ann')
    await log.next('ann')
  }))
  for (const friend of crowd) friend.socket.disconnect()
  await eventually('all of them are gone', async () => {
    const { statuses } = (await ann.must('queryPeers', { userIds: crowd.map(({ user }) => user) })) as { statuses: Record<string, { status: string }> }
    return Object.values(statuses).every(({ status }) => status === 'OFFLINE')
  })
  await eventually('and nothing is to be told of it', async () => (await timersIn(cluster.redis)).length === 0)
  // Both nodes have looked for what there was to be told: the slower one finds that it is done.
  await eventually('and both nodes know that', async () => (await monitor.during(300)).length === 0)
  const away = await costOf(ann, monitor)

  expect([there.publishes, away.publishes]).toEqual([PARTITIONS, 0])
  for (const { calls } of [there, away]) {
    expect(Object.keys(calls).sort()).toEqual(['evalsha', 'hgetall'])
    expect(calls.hgetall).toBe(1)
    expect(calls.evalsha).toBeGreaterThanOrEqual(PARTITIONS)
    expect(calls.evalsha).toBeLessThanOrEqual(PARTITIONS + NOISE)
  }
})
