import type { Logger } from '../log.js'
import { adapterClients, type AdapterClients } from './redis/adapter-clients.js'
import { Connections, type HostPort, type RedisPlace, type RedisTarget } from './redis/connections.js'
import { Keys } from './redis/keys.js'
import { RedisStore } from './redis/redis-store.js'
import { Subscriber } from './redis/subscriber.js'

export { Inspector, type OutputLimit, type PartitionLeases } from './redis/inspector.js'
export { evictionOf, isTooOld, type ServerFacts } from './redis/server-facts.js'
export { KEY_TTL_S, type RedisStore } from './redis/redis-store.js'
export type { AdapterClients } from './redis/adapter-clients.js'
export type { HostPort, RedisPlace, RedisTarget } from './redis/connections.js'

export interface StoreOptions {
  readonly target: RedisTarget
  readonly partitions: number
  /** The node's id: its probe channel is named after it. */
  readonly node: string
  readonly log: Logger
  /** Hears of each command that is sent. */
  readonly onCall?: (command: string) => void
}

/** A store that is not connected yet: see {@link RedisStore.open}. With it the connections that Socket.IO's adapter needs. */
export function createStore(options: StoreOptions): { readonly store: RedisStore; readonly adapter: AdapterClients } {
  const connections = new Connections(options.target, options.log, options.onCall ?? (() => undefined))
  const commands = connections.commands()
  const subscriber = new Subscriber({
    client: connections.subscriber('subscriber'),
    renew: (worn) => connections.renewSubscriber(worn, 'subscriber'),
    publish: (channel, message) => commands.spublish(channel, message),
    probeChannel: (partition) => new Keys(partition).probe(options.node),
    partitions: options.partitions,
    log: options.log,
  })
  return {
    store: new RedisStore(commands, subscriber, options.partitions, connections, options.log),
    adapter: adapterClients(connections, options.log),
  }
}

/** Which Redis a configuration means. */
export function placeOf(config: {
  readonly redisUrl: string
  readonly redisCluster: readonly HostPort[] | null
  readonly redisSentinels: readonly HostPort[] | null
  readonly redisMasterName: string | null
}): RedisPlace {
  if (config.redisCluster !== null) return { kind: 'cluster', nodes: config.redisCluster }
  if (config.redisSentinels !== null) return { kind: 'sentinel', sentinels: config.redisSentinels, master: config.redisMasterName ?? '' }
  return { kind: 'single', url: config.redisUrl }
}
