import { Redis } from 'ioredis'
import type { Logger } from '../../log.js'
import { Connections, type RedisTarget } from './connections.js'

/**
 * The two connections of the Socket.IO adapter, which carries what is addressed to users rather than to channels. It
 * calls `ssubscribe` without awaiting it, so the subscriber's is one that never rejects: an unhandled rejection would
 * end the process. ioredis subscribes again whenever the connection is made anew.
 */
export async function adapterClients(target: RedisTarget, log: Logger): Promise<{ readonly pub: Redis; readonly sub: Redis; close(): void }> {
  const connections = new Connections(target, log)
  try {
    const pub = await connections.subscriber('adapter-pub')
    const sub = await connections.subscriber('adapter-sub')
    const never = (what: string) => (error: unknown) => {
      log.warn({ err: error, what }, 'the adapter could not (un)subscribe')
      return 0
    }
    Object.assign(sub, {
      ssubscribe: (...channels: string[]) => Redis.prototype.ssubscribe.apply(sub, channels).catch(never('ssubscribe')),
      sunsubscribe: (...channels: string[]) => Redis.prototype.sunsubscribe.apply(sub, channels).catch(never('sunsubscribe')),
    })
    return { pub, sub, close: () => connections.close() }
  } catch (error) {
    connections.close()
    throw error
  }
}
