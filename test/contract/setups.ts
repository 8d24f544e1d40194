import { silentLogger } from '../../src/log.js'
import { createStore, type RedisPlace, type RedisStore } from '../../src/store/index.js'
import { RedisCluster } from '../support/redis-cluster.js'
import { RedisServer } from '../support/redis.js'
import { SentinelRedis } from '../support/redis-sentinel.js'
import type { Scope } from '../support/scope.js'

/** One way to run Redis. The suite is the same on each. */
export interface Setup {
  readonly name: string
  /** Starts it, once a file. */
  start(scope: Scope): Promise<RunningSetup>
}

export interface RunningSetup {
  /** Another client of the same Redis, as another node would be. */
  open(scope: Scope, node: string): Promise<RedisStore>
  /** Loses everything, as a flush does. */
  flush(): Promise<void>
  /** Runs a plain command, to damage data or to look at it. */
  command(name: string, ...args: string[]): Promise<unknown>
}

export const PARTITIONS = 4

async function open(scope: Scope, place: RedisPlace, node: string): Promise<RedisStore> {
  const { store } = createStore({ target: { place, name: node }, partitions: PARTITIONS, node, log: silentLogger })
  await store.open()
  scope.defer(`store of ${node}`, () => store.close())
  return store
}

export const singleRedis: Setup = {
  name: 'a single Redis',
  async start(scope) {
    const redis = await RedisServer.start(scope)
    return {
      open: (within, node) => open(within, { kind: 'single', url: redis.url }, node),
      flush: async () => {
        await redis.command('FLUSHALL')
      },
      command: (name, ...args) => redis.command(name, ...args),
    }
  },
}

export const clusteredRedis: Setup = {
  name: 'a Redis Cluster',
  async start(scope) {
    const cluster = await RedisCluster.start(scope)
    const nodes = cluster.masters.map(({ port }) => ({ host: '127.0.0.1', port }))
    return {
      open: (within, node) => open(within, { kind: 'cluster', nodes }, node),
      flush: async () => {
        for (const master of cluster.masters) await master.command('FLUSHALL')
      },
      command: (name, ...args) => onCluster(cluster, name, args),
    }
  },
}

export const sentinelRedis: Setup = {
  name: 'a master behind Sentinels',
  async start(scope) {
    const redis = await SentinelRedis.start(scope)
    const sentinels = redis.ports.map((port) => ({ host: '127.0.0.1', port }))
    return {
      open: (within, node) => open(within, { kind: 'sentinel', sentinels, master: redis.masterName }, node),
      flush: async () => {
        await redis.master.command('FLUSHALL')
      },
      command: (name, ...args) => redis.master.command(name, ...args),
    }
  },
}

/** What concerns one key goes to the server that has it, the rest to all. */
async function onCluster(cluster: RedisCluster, name: string, args: readonly string[]): Promise<unknown> {
  if (['KEYS', 'DBSIZE', 'SCRIPT', 'CONFIG'].includes(name)) {
    const answers = await Promise.all(cluster.masters.map((master) => master.command(name, ...args)))
    return name === 'KEYS' ? answers.flat() : name === 'DBSIZE' ? answers.reduce<number>((sum, answer) => sum + Number(answer), 0) : answers[0]
  }
  const server = await cluster.serverOf(args[0] ?? '')
  return server.command(name, ...args)
}
