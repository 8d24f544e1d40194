import type { Logger } from '../log.js'
import { Connections, type RedisTarget } from './redis/connections.js'
import { Keys } from './redis/keys.js'
import { RedisStore } from './redis/redis-store.js'
import { Subscriber } from './redis/subscriber.js'

export { KEY_TTL_S } from './redis/redis-store.js'
export type { RedisTarget } from './redis/connections.js'
export { adapterClients } from './redis/adapter-clients.js'

/** Connects and checks the store that a node needs. Rejects when Redis cannot be reached or has another partition count. */
export async function openStore(options: { readonly target: RedisTarget; readonly partitions: number; readonly node: string; readonly log: Logger }): Promise<RedisStore> {
  const connections = new Connections(options.target, options.log)
  try {
    const commands = await connections.commands()
    const subscriber = new Subscriber(await connections.subscriber(), (channel, message) => commands.spublish(channel, message), new Keys(0).probe(options.node), options.log)
    await subscriber.start()
    const store = new RedisStore(commands, subscriber, options.partitions, () => connections.close())
    await store.claimPartitions()
    return store
  } catch (error) {
    connections.close()
    throw error
  }
}
