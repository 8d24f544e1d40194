import { describe, expect, test } from '@jest/globals'

import { run } from '../../src/cli/run.js'
import { alteredRedis, asOldRedis } from '../support/altered-redis.js'
import { doctor } from '../support/doctor.js'
import { SMALL_TIMINGS, startNode } from '../support/node.js'
import { RedisServer } from '../support/redis.js'
import { useTestScope } from '../support/scope.js'

const scope = useTestScope()

const GOOD = ['--maxmemory-policy', 'noeviction', '--client-output-buffer-limit', 'pubsub 256mb 64mb 60']
const TIMINGS = { ROLLCALL_HEARTBEAT_MS: String(SMALL_TIMINGS.heartbeatMs), ROLLCALL_HEARTBEAT_TTL_MS: String(SMALL_TIMINGS.heartbeatTtlMs) }

const redisWith = async (...args: string[]): Promise<RedisServer> => RedisServer.start(scope, { args })
const envOf = (redis: { readonly url: string }, env: Readonly<Record<string, string>> = {}) => ({ REDIS_URL: redis.url, ...TIMINGS, ...env })

describe('doctor, of Redis', () => {
  test('a good Redis with two nodes: nothing to say, and nothing is changed', async () => {
    const redis = await redisWith(...GOOD)
    const [a, b] = [await startNode(scope, { redisUrl: redis.url }), await startNode(scope, { redisUrl: redis.url })]
    const before = await redis.keys()
    const diagnosis = await doctor(envOf(redis))
    expect(diagnosis.with('ok')).toEqual(diagnosis.checks.map(({ name }) => name).slice(0, 12))
    expect(diagnosis.code).toBe(0)
    expect(diagnosis.of('version')).toMatch(/Redis 7|Valkey/)
    expect(diagnosis.of('leases')).toContain('nodes: 2, each with a lease in all 16 partitions')
    for (const { nodeId } of [a, b]) expect(diagnosis.of('leases')).toContain(nodeId)
    expect(diagnosis.of('clocks')).toMatch(/ok: .*[+-]\d{1,3} ms/)
    // Without --url nobody is asked over HTTP, and it says so.
    expect(diagnosis.with('skip')).toEqual(['ready', 'api-key', 'polling', 'websocket', 'upgrade', 'login'])
    expect(await redis.keys()).toEqual(before)
  })

  test('one that is set up badly in every way', async () => {
    const redis = await redisWith('--maxmemory-policy', 'allkeys-lru', '--client-output-buffer-limit', 'pubsub 1mb 512kb 10')
    await redis.command('SET', 'rollcall:partitions', '8')
    await redis.command('SET', 'rollcall:{3}:forgotten', 'x')
    await redis.command('CONFIG', 'SET', 'maxmemory', '100kb')
    await redis.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru')
    const diagnosis = await doctor(envOf(redis))
    expect(diagnosis.code).toBe(1)
    expect(diagnosis.of('eviction')).toMatch(/fail: maxmemory-policy is allkeys-lru: no node starts.*noeviction/)
    expect(diagnosis.of('memory')).toMatch(/fail: .* used, of 0\.1 MB: joins and states are refused/)
    expect(diagnosis.of('output-buffer')).toMatch(/fail: .*1\.0 MB, or 0\.5 MB for 10 s.*pubsub 256mb 64mb 60/)
    // What is full evicts: the keys of this test may be among it, so they are looked at below.
  })

  test('another partition count, and keys that nobody would ever remove', async () => {
    const redis = await redisWith(...GOOD)
    await redis.command('SET', 'rollcall:partitions', '8')
    await redis.command('SET', 'rollcall:{3}:forgotten', 'x')
    // Metadata lasts.
    await redis.command('HSET', 'rollcall:{3}:meta:dev:ana', 'k', 'v')
    const diagnosis = await doctor(envOf(redis))
    expect(diagnosis.of('partitions')).toMatch(/fail: this Redis was set up with 8, and ROLLCALL_PARTITIONS is 16 here.*Set ROLLCALL_PARTITIONS=8/)
    expect(diagnosis.of('leases')).toMatch(/^skip/)
    expect(diagnosis.of('lifetimes')).toMatch(/fail: 1 of 3 keys would stay for ever: "rollcall:\{3\}:forgotten"/)
    expect(diagnosis.code).toBe(1)
    expect((await doctor(envOf(redis, { ROLLCALL_PARTITIONS: '8' }))).of('partitions')).toMatch(/^ok: 8/)
  })

  test('what could be better is no failure', async () => {
    const redis = await redisWith('--maxmemory-policy', 'volatile-ttl')
    const diagnosis = await doctor(envOf(redis))
    expect(diagnosis.with('warn')).toEqual(['eviction', 'output-buffer', 'leases'])
    expect(diagnosis.of('leases')).toContain('no node runs on this Redis')
    expect(diagnosis.code).toBe(0)
    await redis.command('CONFIG', 'SET', 'maxmemory', '100mb')
    expect((await doctor(envOf(redis))).of('memory')).toMatch(/^ok: .*of 100 MB/)
  })

  test('a managed service: no CONFIG; and one that forbids our channels, or INFO', async () => {
    const redis = await redisWith(...GOOD)
    await redis.command('ACL', 'SETUSER', 'default', '-config')
    const managed = await doctor(envOf(redis))
    expect(managed.of('output-buffer')).toMatch(/skip: CONFIG is forbidden/)
    expect(managed.code).toBe(0)
    await redis.command('ACL', 'SETUSER', 'default', 'resetchannels', '&other:*')
    expect((await doctor(envOf(redis))).of('subscriber')).toMatch(/fail: .*NOPERM.*&rollcall:\*/)
    await redis.command('ACL', 'SETUSER', 'default', '-info')
    expect((await doctor(envOf(redis))).of('eviction')).toMatch(/fail: INFO is forbidden/)
  })

  test('an old Redis', async () => {
    const url = await alteredRedis(scope, await redisWith(...GOOD), asOldRedis)
    const diagnosis = await doctor(envOf({ url }))
    expect(diagnosis.of('version')).toMatch(/fail: Redis 6\.2\..* is too old.*7\.0/)
    expect(diagnosis.code).toBe(1)
  })

  test('a subscriber that hears nothing', async () => {
    const url = await alteredRedis(scope, await redisWith(...GOOD), (said) => (said.includes('smessage') ? '' : said))
    const diagnosis = await doctor(envOf({ url }))
    expect(diagnosis.of('subscriber')).toMatch(/fail: sharded pub\/sub does not work: .*silent/)
    expect(diagnosis.with('fail')).toEqual(['subscriber'])
  })

  test('no Redis at all, and a wrong password', async () => {
    const redis = await redisWith(...GOOD)
    await redis.command('CONFIG', 'SET', 'requirepass', 'a-good-one')
    const refused = await doctor(envOf(redis))
    expect(refused.of('redis')).toMatch(/fail: .*NOAUTH/)
    expect(refused.code).toBe(1)
    expect(refused.of('eviction')).toBe('skip: Redis cannot be reached')
    expect((await doctor(envOf(redis, { REDIS_PASSWORD: 'a-good-one' }))).of('redis')).toBe('ok: the server answers')
    await redis.stop()
    expect((await doctor(envOf(redis))).of('redis')).toMatch(/fail: .*ECONNREFUSED/)
  })
})

describe('doctor, of the nodes\' leases', () => {
  test('a node whose heartbeats do not reach every partition', async () => {
    const redis = await redisWith(...GOOD)
    const node = await startNode(scope, { redisUrl: redis.url })
    const clock = Number((await redis.hash('rollcall:{0}:clock')).now)
    await redis.command('ZADD', 'rollcall:{0}:leases', clock + 600e6, 'ghost')
    const diagnosis = await doctor(envOf(redis))
    expect(diagnosis.of('leases')).toMatch(/fail: .*ghost in 1 of 16/)
    expect(diagnosis.of('leases')).not.toContain(node.nodeId)
    await redis.command('ZREM', 'rollcall:{0}:leases', 'ghost')
    expect((await doctor(envOf(redis))).of('leases')).toMatch(/^ok/)
  })

  test('a node that was killed, when no other is left to clear up', async () => {
    const redis = await redisWith(...GOOD)
    // As one leaves it that was killed: its lease has ended, and the partition's clock stands still.
    const long = Date.now() * 1_000 - 3_600e6
    for (let partition = 0; partition < 16; partition += 1) {
      await redis.command('HSET', `rollcall:{${partition}}:clock`, 'now', long, 'time', long)
      await redis.command('ZADD', `rollcall:{${partition}}:leases`, long + 15e6, 'n1')
    }
    expect((await doctor(envOf(redis))).of('leases')).toMatch(/warn: no node runs on this Redis; 1 did/)
  })
})

describe('doctor, of the settings', () => {
  const SECRET = 'a secret of thirty-two bytes or more'

  test.each([
    ['for this machine only', {}, 'ok: development mode, for this machine only'],
    ['open to others', { HOST: '0.0.0.0' }, 'warn: development mode on 0.0.0.0'],
    ['with a secret alone, for this machine', { ROLLCALL_SECRET: SECRET }, 'warn: logins need a token, but /v1 is open'],
    ['with a secret alone, for others', { ROLLCALL_SECRET: SECRET, HOST: '0.0.0.0' }, 'fail: logins need a token, but /v1 is open'],
    ['production without an API key', { ROLLCALL_SECRET: SECRET, NODE_ENV: 'production' }, 'warn: no API key in production'],
    ['production with both', { ROLLCALL_SECRET: SECRET, ROLLCALL_API_KEY: 'k', NODE_ENV: 'production' }, 'ok: logins need a token, /v1 needs the API key'],
  ])('%s', async (_, env, says) => {
    // No Redis is needed for this: it is said whether one answers or not.
    expect((await doctor({ REDIS_URL: 'redis://127.0.0.1:1', ...env })).of('access')).toContain(says)
  })

  test('settings that are not valid are named, and Redis is looked at all the same', async () => {
    const redis = await redisWith(...GOOD)
    const diagnosis = await doctor(envOf(redis, { NODE_ENV: 'production', ROLLCALL_FLUSH_MS: 'soon' }))
    expect(diagnosis.of('settings')).toMatch(/fail: ROLLCALL_FLUSH_MS must be.*ROLLCALL_SECRET must be set/)
    expect([diagnosis.code, diagnosis.of('redis'), diagnosis.of('access')]).toEqual([1, 'ok: the server answers', 'skip: the settings are not valid'])
    const nowhere = await doctor({ REDIS_URL: 'http://redis' })
    expect([nowhere.code, nowhere.of('redis')]).toEqual([1, 'skip: the settings do not say where Redis is'])
  })

  test('the list for people; wrong usage', async () => {
    const redis = await redisWith('--maxmemory-policy', 'allkeys-lru')
    const out: string[] = []
    const err: string[] = []
    const terminal = { env: envOf(redis), out: (line: string) => out.push(line), err: (line: string) => err.push(line) }
    expect(await run(['doctor'], terminal)).toBe(1)
    expect(out).toContainEqual(expect.stringMatching(/^ok {4}redis {10}the server answers$/))
    expect(out).toContainEqual(expect.stringMatching(/^FAIL {2}eviction {7}maxmemory-policy is allkeys-lru/))
    expect(out).toContainEqual(expect.stringMatching(/^ {21}Set maxmemory-policy to noeviction/))
    expect(err).toEqual([expect.stringMatching(/^\d+ ok, 2 to improve, 1 wrong, 6 not looked at$/)])
    for (const wrong of [['doctor', 'extra'], ['doctor', '--url', 'localhost'], ['doctor', '--user', 'ana']]) expect(await run(wrong, terminal)).toBe(2)
  })
})
