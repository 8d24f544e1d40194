import type { Logger } from '../log.js'
import { adapterClients, type AdapterClients } from './redis/adapter-clients.js'
import { Connections, type RedisTarget } from './redis/connections.js'
import { Keys } from './redis/keys.js'
import { RedisStore } from './redis/redis-store.js'
import { Subscriber } from './redis/subscriber.js'

export { KEY_TTL_S, type RedisStore } from './redis/redis-store.js'
export type { AdapterClients } from './redis/adapter-clients.js'
export type { RedisTarget } from './redis/connections.js'

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
  const publish = (channel: string, message: string): Promise<unknown> => commands.spublish(channel, message)
  const subscriber = new Subscriber(connections.subscriber('subscriber'), publish, new Keys(0).probe(options.node), options.log)
  return {
    store: new RedisStore(commands, subscriber, options.partitions, connections),
    adapter: adapterClients(connections, options.log),
  }
}
