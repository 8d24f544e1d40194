import type { NodeOptions } from '../../src/config.js'
import { startNode, type TestNode } from './node.js'
import type { RedisServer } from './redis.js'
import type { Scope } from './scope.js'
import { WEBHOOK_SECRET, type WebhookServer } from './webhook-server.js'

/** A node that tells these servers what happens. */
export async function startWebhookNode(scope: Scope, redis: RedisServer, servers: readonly WebhookServer[], options: NodeOptions = {}): Promise<TestNode> {
  return startNode(scope, {
    redisUrl: redis.url,
    webhookUrls: servers.map(({ url }) => url),
    webhookSecret: WEBHOOK_SECRET,
    webhookAllowPrivate: true,
    ...options,
  })
}

/** The value of a metric, all labels together. */
export async function metric(node: { readonly url: string }, name: string): Promise<number> {
  const page = await (await fetch(`${node.url}/metrics`)).text()
  return [...page.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))].reduce((sum, [, value]) => sum + Number(value), 0)
}
