import { expect, test } from '@jest/globals'

import { doctor } from '../support/doctor.js'
import { startNode } from '../support/node.js'
import { RedisCluster } from '../support/redis-cluster.js'
import { useTestScope } from '../support/scope.js'

const scope = useTestScope()

test('doctor, of a Redis Cluster: each master is looked at', async () => {
  const redis = await RedisCluster.start(scope)
  const [first] = redis.masters
  // Fewer than by default: the node shares this process with the doctor, and a busy machine has its hands full with 256 in a Cluster.
  const timings = { partitions: 16, heartbeatMs: 1_000, heartbeatTtlMs: 10_000 }
  const env = {
    REDIS_CLUSTER: redis.addresses.join(','),
    ROLLCALL_PARTITIONS: String(timings.partitions),
    ROLLCALL_HEARTBEAT_MS: String(timings.heartbeatMs),
    ROLLCALL_HEARTBEAT_TTL_MS: String(timings.heartbeatTtlMs),
  }
  const node = await startNode(scope, { redisCluster: redis.addresses, ...timings })
  const good = await doctor(env, '--url', node.url)
  expect(good.of('redis')).toBe('ok: Redis Cluster answers')
  expect(good.of('version')).toMatch(/^ok: .*\(3 servers\)$/)
  expect(good.of('partitions')).toBe('ok: 16, as in this environment')
  expect(good.of('leases')).toContain('nodes: 1, each with a lease in all 16 partitions')
  // The servers of this test have Redis's own limit for subscribers.
  expect([good.with('fail'), good.with('warn'), good.code]).toEqual([[], ['output-buffer'], 0])

  await first?.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru')
  const bad = await doctor(env)
  expect(bad.of('eviction')).toMatch(new RegExp(`^fail: maxmemory-policy is .*allkeys-lru at 127\\.0\\.0\\.1:${first?.port ?? 0}`))
  expect(bad.code).toBe(1)
})
