import type { Logger } from '../../log.js'
import type { Client, Connections } from './connections.js'

/** The two connections of the Socket.IO adapter, which carries what is addressed to users rather than to channels. */
export interface AdapterClients {
  readonly pub: Client
  readonly sub: Client
}

/**
 * The adapter calls `ssubscribe` without awaiting it, so its subscriber is one that never rejects: an unhandled
 * rejection would end the process. ioredis subscribes again whenever the connection is made anew.
 */
export function adapterClients(connections: Connections, log: Logger): AdapterClients {
  const pub = connections.subscriber('adapter-pub')
  const sub = connections.subscriber('adapter-sub')
  const never = (what: string) => (error: unknown) => {
    log.warn({ err: error, what }, 'the adapter could not (un)subscribe')
    return 0
  }
  const [subscribe, unsubscribe] = [sub.ssubscribe.bind(sub), sub.sunsubscribe.bind(sub)]
  Object.assign(sub, {
    ssubscribe: (...channels: string[]) => subscribe(...channels).catch(never('ssubscribe')),
    sunsubscribe: (...channels: string[]) => unsubscribe(...channels).catch(never('sunsubscribe')),
  })
  return { pub, sub }
}
