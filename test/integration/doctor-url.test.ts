import { createServer } from 'node:http'

import { describe, expect, test } from '@jest/globals'

import type { NodeOptions } from '../../src/config.js'
import { startBalancer } from '../support/balancer.js'
import { doctor, type Diagnosis } from '../support/doctor.js'
import { freePort } from '../support/process.js'
import { startNode, useCluster, type NodeAddress } from '../support/node.js'
import { RedisServer } from '../support/redis.js'
import { useTestScope } from '../support/scope.js'
import { eventually } from '../support/wait.js'

const scope = useTestScope()
/** Not the smallest: a node that is late on a busy machine is unready, rightly. */
const SLOWER = { heartbeatMs: 1_000, heartbeatTtlMs: 4_000 }
const cluster = useCluster(SLOWER, { args: ['--client-output-buffer-limit', 'pubsub 256mb 64mb 60'] })
const SECRET = 'a secret of thirty-two bytes or more'
const TIMINGS = { ROLLCALL_HEARTBEAT_MS: String(SLOWER.heartbeatMs), ROLLCALL_HEARTBEAT_TTL_MS: String(SLOWER.heartbeatTtlMs) }

const diagnose = async ({ url }: NodeAddress, env: Readonly<Record<string, string>> = {}, ...args: readonly string[]): Promise<Diagnosis> =>
  doctor({ REDIS_URL: cluster.redis.url, ...TIMINGS, ...env }, '--url', url, ...args)
const node = (options: NodeOptions) => startNode(scope, { redisUrl: cluster.redis.url, ...SLOWER, ...options })

describe('doctor, of a balancer', () => {
  test('that sends a session\'s requests to its node and lets upgrades through: all is well', async () => {
    const diagnosis = await diagnose(await startBalancer(scope, [cluster.a, cluster.b]))
    expect(diagnosis.checks.filter(({ status }) => status !== 'ok')).toEqual([])
    expect(diagnosis.code).toBe(0)
    expect(diagnosis.of('polling')).toMatch(/^ok: a session of 1\d requests/)
    // It leaves nothing behind but what expires with its sessions, at once.
    await eventually('the doctor\'s sessions are gone', async () => (await cluster.redis.keys('*rollcall-doctor*')).filter((key) => !key.includes(':seen:')).length === 0)
  })

  test('that is not sticky', async () => {
    const diagnosis = await diagnose(await startBalancer(scope, [cluster.a, cluster.b], { sticky: 'none' }))
    expect(diagnosis.of('polling')).toMatch(/^fail: not sticky: request 2 of the session reached a node that does not know it.*deploy\/haproxy\.cfg/)
    expect(diagnosis.of('websocket')).toMatch(/^ok/)
    expect(diagnosis.of('upgrade')).toMatch(/^fail: .*Make the balancer send all requests of a session to one node/)
    expect(diagnosis.code).toBe(1)
  })

  test('that is sticky by cookie alone', async () => {
    const diagnosis = await diagnose(await startBalancer(scope, [cluster.a, cluster.b], { sticky: 'cookie' }))
    expect(diagnosis.of('polling')).toMatch(/^warn: sticky by cookie only/)
    expect([diagnosis.of('websocket'), diagnosis.of('upgrade')]).toEqual([expect.stringMatching(/^ok/), expect.stringMatching(/^ok: .*with the cookie/)])
    expect(diagnosis.code).toBe(0)
  })

  test('that drops upgrades', async () => {
    const diagnosis = await diagnose(await startBalancer(scope, [cluster.a, cluster.b], { upgrades: false }))
    expect(diagnosis.of('polling')).toMatch(/^ok/)
    expect(diagnosis.of('websocket')).toMatch(/^fail: no WebSocket can be opened.*drops the upgrade Let the balancer pass on WebSocket upgrades/)
    expect(diagnosis.of('upgrade')).toMatch(/^fail: sessions stay with polling: the upgrade is dropped/)
    expect(diagnosis.code).toBe(1)
  })
})

describe('doctor, of a node', () => {
  test('that has one transport', async () => {
    const polling = await diagnose(await node({ transports: ['polling'] }))
    expect([polling.of('polling'), polling.of('websocket'), polling.of('upgrade')]).toEqual([expect.stringMatching(/^ok/), expect.stringMatching(/^skip: .*ROLLCALL_TRANSPORTS/), expect.stringMatching(/^skip/)])
    const websocket = await diagnose(await node({ transports: ['websocket'] }))
    expect([websocket.of('polling'), websocket.of('websocket'), websocket.of('upgrade')]).toEqual([expect.stringMatching(/^skip: .*polling off/), expect.stringMatching(/^ok/), expect.stringMatching(/^skip/)])
    expect([polling.code, websocket.code]).toEqual([0, 0])
  })

  test('that is not ready, or not there, or something else', async () => {
    const redis = await RedisServer.start(scope)
    const lonely = await startNode(scope, { redisUrl: redis.url })
    await redis.stop()
    const unready = await diagnose(lonely)
    expect(unready.of('ready')).toMatch(/^fail: a node is not ready: Redis does not answer its commands/)
    expect([unready.code, unready.of('polling')]).toEqual([1, 'skip: no node there is ready'])

    const nobody = await diagnose({ url: `http://127.0.0.1:${await freePort()}`, port: 0 })
    expect(nobody.of('ready')).toMatch(/^fail: .*does not answer: ECONNREFUSED/)

    const port = await freePort()
    const other = createServer((_, res) => res.writeHead(503).end('<html>')).listen(port, '127.0.0.1')
    scope.defer('another server', () => new Promise((resolve) => other.close(resolve)))
    expect((await diagnose({ url: `http://127.0.0.1:${port}`, port })).of('ready')).toMatch(/^fail: .*answered 503: no Rollcall node/)
  })

  test('that uses another Redis than this environment', async () => {
    const redis = await RedisServer.start(scope)
    const stranger = await startNode(scope, { redisUrl: redis.url })
    expect((await diagnose(stranger)).of('leases')).toMatch(new RegExp(`^fail: the node that answers at --url \\(${stranger.nodeId}\\) has no lease in this Redis`))
  })

  test('whose secret and key are those of this environment', async () => {
    const guarded = await node({ secret: SECRET, apiKey: 'the-key' })
    const env = { ROLLCALL_SECRET: SECRET, ROLLCALL_API_KEY: 'the-key' }
    const same = await diagnose(guarded, env)
    expect(same.checks.filter(({ status }) => status !== 'ok')).toEqual([])
    expect(same.of('login')).toMatch(/and nobody without one/)
    expect((await diagnose(guarded, { ROLLCALL_SECRET: SECRET }, '--api-key', 'the-key')).of('api-key')).toMatch(/^ok/)
  })

  test('whose secret and key are others', async () => {
    const guarded = await node({ secret: SECRET, apiKey: 'the-key' })
    const other = await diagnose(guarded, { ROLLCALL_SECRET: `${SECRET}!`, ROLLCALL_API_KEY: 'another' })
    expect(other.of('login')).toMatch(/^fail: the node refuses a login: INVALID_TOKEN.*ROLLCALL_SECRET of this environment is not that of the node/)
    expect(other.of('api-key')).toMatch(/^fail: the node does not take this key/)
    expect(other.with('skip')).toEqual(['polling', 'websocket', 'upgrade'])
    const none = await diagnose(guarded)
    expect(none.of('login')).toMatch(/^fail: .*no ROLLCALL_SECRET to sign one/)
    expect(none.of('api-key')).toMatch(/^skip: the node wants a key/)
    expect((await diagnose(guarded, { ROLLCALL_SECRET: SECRET, ROLLCALL_APP_ID: 'shop' })).of('login')).toMatch(/^fail: .*INVALID_APP_ID/)
  })

  test('that lets everybody in, though this environment has a secret and a key', async () => {
    const open = await diagnose(cluster.a, { ROLLCALL_SECRET: SECRET, ROLLCALL_API_KEY: 'the-key' })
    expect(open.of('login')).toMatch(/^fail: the node lets in whoever comes/)
    expect(open.of('api-key')).toMatch(/^fail: the node answers \/v1 without the key/)
    expect(open.code).toBe(1)
  })
})
