import { createShardedAdapter } from '@socket.io/redis-adapter'
import type { ServerOptions } from 'socket.io'

/**
 * Carries what nodes tell each other of sessions (`takeovers.ts`). `static`: two subscriptions a node; the rooms of feeds
 * and sessions need none of their own. The clients have to be connected: the adapter subscribes at once.
 */
export function clusterAdapter(clients: { readonly pub: unknown; readonly sub: unknown }, app: string): ServerOptions['adapter'] {
  return createShardedAdapter(clients.pub, clients.sub, { channelPrefix: `rollcall:${app}:adapter`, subscriptionMode: 'static' })
}
