import { describe, expect, test } from '@jest/globals'

import type { RollcallClient } from '../../src/client/index.js'
import type { States } from '../../src/protocol/channel.js'
import { connect, uniqueChannel, watch } from '../support/client.js'
import { RedisCluster } from '../support/redis-cluster.js'
import { SentinelRedis } from '../support/redis-sentinel.js'
import type { RedisServer } from '../support/redis.js'
import { useTestScope, type Scope } from '../support/scope.js'
import { spawnNode, type Env, type SpawnedNode } from '../support/spawned.js'
import { elapse, eventually } from '../support/wait.js'
import { countOf, expectWholeStays, type Watcher } from '../support/watcher.js'

const scope = useTestScope()

const CHANNELS = 4
const MEMBERS = 5
const PARTITIONS = 16
/** What a failover may take: to be noticed, voted on, found by the nodes, and everything put right after it. */
const RECOVERY_MS = 30_000

/** One way to run Redis with somebody to take over, and what can happen to it. */
interface Installation {
  readonly env: Env
  /** The master of a partition's keys now. */
  masterOf(partition: number): Promise<RedisServer>
  replicas: readonly RedisServer[]
  /** Resolves when another server has taken over from this one. */
  tookOver(from: RedisServer): Promise<void>
}

async function clustered(within: Scope): Promise<Installation & { cluster: RedisCluster }> {
  const cluster = await RedisCluster.start(within)
  return {
    cluster,
    env: { REDIS_CLUSTER: cluster.addresses.join(','), ROLLCALL_PARTITIONS: String(PARTITIONS) },
    masterOf: (partition) => cluster.serverOf(`rollcall:{${partition}}:clock`),
    replicas: cluster.replicas,
    async tookOver(from) {
      const [heir] = cluster.replicas.slice(cluster.masters.indexOf(from))
      await eventually('the replica is the master', async () => heir !== undefined && (await RedisCluster.isMaster(heir)), { withinMs: RECOVERY_MS })
    },
  }
}

async function sentinels(within: Scope): Promise<Installation> {
  const redis = await SentinelRedis.start(within)
  return {
    env: { REDIS_SENTINELS: redis.ports.map((port) => `127.0.0.1:${port}`).join(','), REDIS_MASTER_NAME: redis.masterName },
    masterOf: () => Promise.resolve(redis.master),
    replicas: [redis.replica],
    tookOver: (from) => eventually('the Sentinels name another master', async () => (await redis.masterPort()) !== from.port, { withinMs: RECOVERY_MS }).then(() => undefined),
  }
}

interface Room {
  readonly channel: string
  readonly watchers: readonly Watcher[]
  /** What the watchers' clients show. A failover in the wrong moment turns changes into a SNAPSHOT: the view is what counts. */
  readonly views: readonly (() => ReadonlyMap<string, { readonly states: States }>)[]
  readonly members: readonly RollcallClient[]
  readonly users: readonly string[]
}

async function rooms(a: SpawnedNode, b: SpawnedNode): Promise<readonly Room[]> {
  const options = { transports: ['websocket'] as const }
  const [ada, bob] = [await connect(scope, 'ada', a, options), await connect(scope, 'bob', b, options)]
  return Promise.all(
    Array.from({ length: CHANNELS }, async (_, room): Promise<Room> => {
      const channel = uniqueChannel()
      const watchers = [await watch(ada, channel, { name: 'ada', beQuiet: true }), await watch(bob, channel, { name: 'bob', beQuiet: true })]
      const users = Array.from({ length: MEMBERS }, (__, i) => `user-${room}-${i}`)
      const members = await Promise.all(
        users.map(async (user, i) => {
          const client = await connect(scope, user, i % 2 === 0 ? a : b, options)
          await client.presence.setState(channel, 'MESSAGE', { n: String(i) })
          await client.subscribe(channel, { withPresence: false })
          return client
        }),
      )
      const views = [ada, bob].map((client) => () => client.channel(channel).members)
      await expectViews(views, new Map(users.map((user, i) => [user, String(i)])))
      return { channel, watchers, views, members, users }
    }),
  )
}

/** Nobody left in anybody's view, everybody is in Redis with their states, and changes are told again. */
async function expectRecovered(all: readonly Room[], value: string, nodes: readonly SpawnedNode[]): Promise<void> {
  for (const { channel, watchers, members, users } of all) {
    await eventually(`a state can be set again in ${channel}`, async () => members[0]?.presence.setState(channel, 'MESSAGE', { n: value }), { withinMs: RECOVERY_MS, everyMs: 250 })
    for (const node of nodes) {
      const asking = await connect(scope, `asking-${value}-${channel}-${node.port}`, node)
      await eventually(
        `${node.url} tells the whole of ${channel}`,
        async () => {
          const { occupants } = await asking.presence.whoNow(channel, 'MESSAGE', { includedState: true })
          const seen = occupants.map(({ userId, states }) => `${userId}=${states.n ?? ''}`).sort()
          return seen.join() === users.map((user, i) => `${user}=${i === 0 ? value : String(i)}`).sort().join()
        },
        { withinMs: RECOVERY_MS, everyMs: 100 },
      )
    }
    for (const watcher of watchers) {
      for (const kind of ['REMOTE_LEAVE', 'REMOTE_TIMEOUT'] as const) expect([watcher.name, kind, countOf(watcher, kind)]).toEqual([watcher.name, kind, 0])
    }
  }
}

/** The cluster goes on as before: a change and a leave reach all who watch. */
async function expectGoesOn(all: readonly Room[]): Promise<void> {
  for (const { channel, watchers, views, members, users } of all) {
    const [first, , third] = members
    await first?.presence.setState(channel, 'MESSAGE', { n: 'on it goes' })
    await third?.logout()
    const expected = new Map(users.map((user, i) => [user, i === 0 ? 'on it goes' : String(i)]))
    expected.delete(users[2] ?? '')
    await expectViews(views, expected)
    expectWholeStays(...watchers)
  }
}

async function expectViews(views: Room['views'], expected: ReadonlyMap<string, string>): Promise<void> {
  const wanted = [...expected].map(([user, n]) => `${user}=${n}`).sort().join()
  await eventually(`all views show ${wanted}`, () =>
    views.every((view) => [...view()].map(([user, { states }]) => `${user}=${states.n ?? ''}`).sort().join() === wanted),
  )
}

const INSTALLATIONS = [
  ['Redis Cluster', clustered],
  ['Sentinels', sentinels],
] as const

async function start(installation: Installation): Promise<[SpawnedNode, SpawnedNode]> {
  const env = {
    REDIS_URL: 'redis://127.0.0.1:1',
    ROLLCALL_HEARTBEAT_MS: '500',
    ROLLCALL_HEARTBEAT_TTL_MS: '3000',
    ROLLCALL_PRESENCE_TIMEOUT_MS: '3000',
    // What is under test is the way to Redis, not that of slow test machines to the nodes.
    ROLLCALL_PING_INTERVAL_MS: '5000',
    ROLLCALL_PING_TIMEOUT_MS: '5000',
    ...installation.env,
  }
  return Promise.all([spawnNode(scope, env), spawnNode(scope, env)])
}

describe.each(INSTALLATIONS)('%s', (_, install) => {
  test.each([
    ['killed', 'SIGKILL'],
    ['stopped', 'SIGSTOP'],
  ] as const)('a master is %s: its replica takes over, and nobody leaves in anybody\'s view', async (__, signal) => {
    const installation = await install(scope)
    const [a, b] = await start(installation)
    const all = await rooms(a, b)
    const master = await installation.masterOf(0)

    master.signal(signal)
    await installation.tookOver(master)
    await expectRecovered(all, 'after', [a, b])
    await expectGoesOn(all)
    if (signal === 'SIGSTOP') master.signal('SIGCONT')
  }, 120_000)

  test('a replica that has missed writes takes over: what was lost is put back', async () => {
    const installation = await install(scope)
    const [a, b] = await start(installation)
    for (const replica of installation.replicas) replica.signal('SIGSTOP')
    // All of this is written while nobody replicates it.
    const all = await rooms(a, b)
    const master = await installation.masterOf(0)
    master.signal('SIGKILL')
    for (const replica of installation.replicas) replica.signal('SIGCONT')

    await installation.tookOver(master)
    await expectRecovered(all, 'after', [a, b])
    await expectGoesOn(all)
  }, 120_000)
})

describe('Redis Cluster', () => {
  test('slots are moved under load: no change is lost, and nobody leaves', async () => {
    const installation = await clustered(scope)
    const { cluster } = installation
    const [a, b] = await start(installation)
    const all = await rooms(a, b)

    let moving = true
    let changes = 0
    const load = Promise.all(
      all.map(async ({ channel, members }) => {
        for (let i = 0; moving; i += 1) {
          await members[1]?.presence.setState(channel, 'MESSAGE', { n: '1', i: String(i) }).then(
            () => (changes += 1),
            () => undefined,
          )
          await elapse(60)
        }
        await eventually('the last change gets through', async () => members[1]?.presence.removeState(channel, 'MESSAGE', { states: ['i'] }), { everyMs: 250 })
      }),
    )
    try {
      for (let partition = 0; partition < PARTITIONS; partition += 2) await cluster.moveSlot(`rollcall:{${partition}}:clock`)
    } finally {
      moving = false
      await load
    }

    expect(changes).toBeGreaterThan(0)
    await expectRecovered(all, 'after', [a, b])
    await expectGoesOn(all)
  }, 120_000)
})
