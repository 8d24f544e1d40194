import { createShardedAdapter } from '@socket.io/redis-adapter'
import type { ServerOptions } from 'socket.io'

/**
 * Carries what is addressed to users between the nodes of one app. `static`: two subscriptions a node; the rooms of feeds
 * and sessions need none of their own. The clients have to be connected: the adapter subscribes at once.
 */
export function clusterAdapter(clients: { readonly pub: unknown; readonly sub: unknown }, app: string): ServerOptions['adapter'] {
  return createShardedAdapter(clients.pub, clients.sub, { channelPrefix: `rollcall:${app}:adapter`, subscriptionMode: 'static' })
}
