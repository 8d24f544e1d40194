import { RedisCluster } from '../support/redis-cluster.js'
import { SentinelRedis } from '../support/redis-sentinel.js'
import { RedisServer } from '../support/redis.js'
import type { Scope } from '../support/scope.js'
import type { Env } from '../support/spawned.js'
import { TcpProxy } from '../support/tcp-proxy.js'
import { eventually, within } from '../support/wait.js'

export const SETUPS = ['single', 'cluster', 'sentinel'] as const
export type SetupName = (typeof SETUPS)[number]

/** As the ears have it; a cluster's default would be 256, which at the harness's heartbeat keeps a small machine busy. */
const PARTITIONS = 16
/** Where nodes would look if they did not take the cluster or the Sentinels. */
const NOWHERE = 'redis://127.0.0.1:1'
/** A server that does not say its role within this counts as none. */
const ROLE_MS = 500
/** Longer than any failover takes. */
const PATIENCE_MS = 30_000

/**
 * What a failover adds to the time until everybody agrees, in milliseconds. Cluster: noticed (`cluster-node-timeout`,
 * 1.5 s), agreed upon (1 s), voted on (1 s). Sentinel: noticed (`down-after`, 1 s), voted on and the replica promoted (2 s).
 * Then a call runs into its time limit (2 s) and the nodes find the new master (1 s for the map of a cluster, or for the
 * pause before a reconnect); the rest is for a busy machine.
 */
export const FAILOVER_MS: Readonly<Record<SetupName, number>> = { single: 0, cluster: 8_000, sentinel: 8_000 }

/** How a node gets to Redis. */
export interface Way {
  readonly env: Env & { readonly REDIS_URL: string }
  /** A network of its own in between. Servers of a Cluster and Sentinels tell nodes real addresses: there it has none. */
  readonly wire?: TcpProxy
}

/** Redis as the nodes of a world use it, in one of the ways to run it, and what can be done to all of it. */
export abstract class RedisSetup {
  readonly #seenOn = new Map<string, RedisServer>()
  /** Those that are masters as far as faults want it. */
  #meant: readonly RedisServer[] = []

  protected constructor(
    readonly name: SetupName,
    readonly servers: readonly RedisServer[],
    private readonly masterCount: number,
  ) {}

  static async start(scope: Scope, name: SetupName): Promise<RedisSetup> {
    const setup = await SETUP[name](scope)
    setup.#meant = await setup.masters()
    return setup
  }

  /** Where writes go now. */
  abstract masters(): Promise<readonly RedisServer[]>

  /** Made anew for each node. */
  abstract way(scope: Scope): Promise<Way>

  /** A command on one key, where that key is. */
  command(name: string, key: string, ...args: readonly (string | number)[]): Promise<unknown> {
    return this.#at(key, (server) => server.command(name, key, ...args))
  }

  /** A command without a key, on every master. */
  async everywhere(name: string, ...args: readonly string[]): Promise<void> {
    await Promise.all((await this.masters()).map((server) => server.command(name, ...args)))
  }

  async keys(pattern: string): Promise<string[]> {
    const lists = await Promise.all((await this.masters()).map(async (server) => ({ server, keys: await server.keys(pattern) })))
    for (const { server, keys } of lists) for (const key of keys) this.#seenOn.set(key, server)
    return lists.flatMap(({ keys }) => keys).sort()
  }

  hash(key: string): Promise<Record<string, string>> {
    return this.#at(key, (server) => server.hash(key))
  }

  signal(signal: NodeJS.Signals): void {
    for (const server of this.servers) server.signal(signal)
  }

  /** Ends every server and starts it again: what was not persisted is lost. */
  async restart(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.restart()))
  }

  /** Starts those again that a fault has killed. */
  async revive(): Promise<void> {
    await Promise.all(this.servers.filter(({ running }) => !running).map((server) => server.restart()))
  }

  /** Resolves when another server has taken over from this one. */
  async tookOver(from: RedisServer): Promise<void> {
    await eventually(
      `a replica has taken over from :${from.port}`,
      async () => {
        const masters = await this.masters()
        if (masters.length !== this.masterCount || masters.includes(from)) return false
        this.#meant = masters
        return true
      },
      { withinMs: PATIENCE_MS },
    )
  }

  /**
   * Whether a replica took over though no fault wanted that: all stood still for too long, or the machine was too busy.
   * The old master lived on, and what it acknowledged in the meantime is lost.
   */
  async strayed(): Promise<boolean> {
    const masters = await this.masters()
    return masters.some((server) => !this.#meant.includes(server))
  }

  async #at<T>(key: string, ask: (server: RedisServer) => Promise<T>): Promise<T> {
    const last = this.#seenOn.get(key)
    for (const server of [...(last === undefined ? [] : [last]), ...(await this.masters())]) {
      try {
        return await ask(server)
      } catch (error) {
        if (!String(error).includes('MOVED')) throw error
      }
    }
    throw new Error(`no server has ${key}`)
  }
}

class Single extends RedisSetup {
  constructor(private readonly server: RedisServer) {
    super('single', [server], 1)
  }

  masters(): Promise<readonly RedisServer[]> {
    return Promise.resolve(this.servers)
  }

  async way(scope: Scope): Promise<Way> {
    const wire = await TcpProxy.open(scope, this.server)
    return { env: { REDIS_URL: `redis://127.0.0.1:${wire.port}` }, wire }
  }
}

class Guarded extends RedisSetup {
  constructor(private readonly redis: SentinelRedis) {
    super('sentinel', [redis.master, redis.replica], 1)
  }

  async masters(): Promise<readonly RedisServer[]> {
    return [await this.redis.current()]
  }

  way(): Promise<Way> {
    const { ports, masterName } = this.redis
    return Promise.resolve({ env: { REDIS_URL: NOWHERE, REDIS_SENTINELS: ports.map((port) => `127.0.0.1:${port}`).join(','), REDIS_MASTER_NAME: masterName } })
  }
}

export class Clustered extends RedisSetup {
  constructor(readonly cluster: RedisCluster) {
    super('cluster', cluster.servers, cluster.masters.length)
  }

  async masters(): Promise<readonly RedisServer[]> {
    const running = this.servers.filter((server) => server.running)
    const roles = await Promise.all(running.map((server) => within(RedisCluster.isMaster(server), ROLE_MS, 'its role').catch(() => false)))
    return running.filter((_, index) => roles[index])
  }

  way(): Promise<Way> {
    return Promise.resolve({ env: { REDIS_URL: NOWHERE, REDIS_CLUSTER: this.cluster.addresses.join(','), ROLLCALL_PARTITIONS: String(PARTITIONS) } })
  }
}

const SETUP: Readonly<Record<SetupName, (scope: Scope) => Promise<RedisSetup>>> = {
  single: async (scope) => new Single(await RedisServer.start(scope)),
  cluster: async (scope) => new Clustered(await RedisCluster.start(scope)),
  sentinel: async (scope) => new Guarded(await SentinelRedis.start(scope)),
}
