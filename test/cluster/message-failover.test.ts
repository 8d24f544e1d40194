import { expect, test } from '@jest/globals'

import { connect, uniqueChannel } from '../support/client.js'
import { MessageLog } from '../support/message-log.js'
import { expectSound, talk } from '../support/message-traffic.js'
import { RedisCluster } from '../support/redis-cluster.js'
import { SentinelRedis } from '../support/redis-sentinel.js'
import type { RedisServer } from '../support/redis.js'
import { useTestScope, type Scope } from '../support/scope.js'
import { spawnNode, type Env } from '../support/spawned.js'
import { elapse, eventually } from '../support/wait.js'

const scope = useTestScope()

const PARTITIONS = 4
const RECOVERY_MS = 40_000
const PROBE = 'probe'
const ENV = {
  REDIS_URL: 'redis://127.0.0.1:1',
  ROLLCALL_PARTITIONS: String(PARTITIONS),
  ROLLCALL_HEARTBEAT_MS: '500',
  ROLLCALL_HEARTBEAT_TTL_MS: '3000',
  ROLLCALL_PRESENCE_TIMEOUT_MS: '30000',
  ROLLCALL_PING_INTERVAL_MS: '20000',
  ROLLCALL_PING_TIMEOUT_MS: '20000',
  ROLLCALL_LIMITS: JSON.stringify({ messagesPerSecond: 10_000, messageWaitMs: 2_000 }),
}

interface Installation {
  readonly env: Env
  readonly masters: readonly RedisServer[]
  /** Has another server take over from one that is gone. */
  afterwards(): Promise<void>
}

async function sentinels(within: Scope): Promise<Installation> {
  const redis = await SentinelRedis.start(within)
  const { port } = redis.master
  return {
    env: { REDIS_SENTINELS: redis.ports.map((sentinel) => `127.0.0.1:${sentinel}`).join(','), REDIS_MASTER_NAME: redis.masterName },
    masters: [redis.master],
    afterwards: () => eventually('another server is the master', async () => (await redis.masterPort()) !== port, { withinMs: RECOVERY_MS }).then(() => undefined),
  }
}

async function clustered(within: Scope): Promise<Installation> {
  const cluster = await RedisCluster.start(within)
  return { env: { REDIS_CLUSTER: cluster.addresses.join(',') }, masters: cluster.masters.slice(0, 1), afterwards: () => Promise.resolve() }
}

test.each([
  ['behind Sentinels', sentinels],
  ['of a Redis Cluster', clustered],
])('a master %s dies while messages are under way: what counts as received was, each comes once and in order, and it goes on', async (_, start) => {
  const { env, masters, afterwards } = await start(scope)
  const nodes = await Promise.all([spawnNode(scope, { ...ENV, ...env }), spawnNode(scope, { ...ENV, ...env })])
  // Of four pairs some are on the server that dies.
  const pairs = await Promise.all(
    Array.from({ length: 4 }, async () => {
      const ann = await connect(scope, uniqueChannel('ann'), nodes[0], { transports: ['websocket'] })
      const bob = await connect(scope, uniqueChannel('bob'), nodes[1], { transports: ['websocket'] })
      return { ann, bob, log: MessageLog.of(bob), away: uniqueChannel('away') }
    }),
  )
  for (const { ann, away } of pairs) expect(await ann.messages.send(away, 'kept', { offline: true })).toMatchObject({ received: false })
  const talks = pairs.map(({ ann, bob }) => talk(scope, ann, bob.userId, { everyMs: 25 }))
  await elapse(1_000)
  for (const master of masters) {
    await eventually('what was written has been copied', async () => Number(await master.command('WAIT', 1, 1_000)) === 1)
    master.signal('SIGKILL')
  }
  await afterwards()
  for (const { ann, bob } of pairs) {
    await eventually('messages are received again', async () => (await ann.messages.send(bob.userId, PROBE).catch(() => null))?.received === true, { withinMs: RECOVERY_MS, everyMs: 250 })
  }
  await elapse(500)
  for (const [i, { log, away }] of pairs.entries()) {
    const outcomes = (await talks[i]?.stop()) ?? []
    expectSound({ texts: log.texts.filter((text) => text !== PROBE) }, outcomes)
    expect(outcomes.slice(-20).map(([, outcome]) => outcome)).toEqual(Array.from({ length: 20 }, () => true))
    const late = MessageLog.of(await connect(scope, away, nodes[0]))
    expect(await late.next()).toMatchObject({ text: 'kept', offline: true })
  }
}, 240_000)
