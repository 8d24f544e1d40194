import { freePort } from '../lib/process.js'
import { RedisServer } from '../lib/redis.js'
import type { ServerNode } from '../lib/server-node.js'
import { until } from '../lib/wait.js'
import { rollcall } from '../peers/rollcall.js'
import type { Settings } from '../peers/types.js'

const SLOTS = 16_384

/** What nodes and Redis have used since they began, and what they hold. */
export interface Usage {
  readonly nodeCpuS: number
  readonly redisCpuS: number
  readonly toRedis: number
  readonly fromRedis: number
}

/** Nodes and Redis masters of one load. */
export class Site {
  private constructor(
    readonly redis: readonly RedisServer[],
    readonly nodes: readonly ServerNode[],
  ) {}

  static async open(nodes: number, masters: number, more: Settings = {}): Promise<Site> {
    const redis = masters === 1 ? [await RedisServer.start()] : await cluster(masters)
    const [first] = redis
    if (first === undefined) throw new Error('a site has at least one master')
    const settings: Settings = masters === 1 ? more : { ...more, REDIS_CLUSTER: redis.map(({ port }) => `127.0.0.1:${port}`).join(',') }
    const started: ServerNode[] = []
    for (let number = 0; number < nodes; number++) started.push(await rollcall.start(first, settings))
    return new Site(redis, started)
  }

  nodeFor(number: number): ServerNode {
    const node = this.nodes[number % this.nodes.length]
    if (node === undefined) throw new Error('no node was started')
    return node
  }

  async usage(): Promise<Usage> {
    const [nodes, redis] = [await Promise.all(this.nodes.map((node) => node.cpuS())), await Promise.all(this.redis.map((server) => server.figures()))]
    const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
    return {
      nodeCpuS: sum(nodes),
      redisCpuS: sum(redis.map(({ cpuS }) => cpuS)),
      toRedis: sum(redis.map(({ toRedis }) => toRedis)),
      fromRedis: sum(redis.map(({ fromRedis }) => fromRedis)),
    }
  }

  /** After garbage collections, in bytes. */
  async memory(): Promise<{ readonly nodes: number; readonly redis: number }> {
    const [nodes, redis] = [await Promise.all(this.nodes.map((node) => node.memory())), await Promise.all(this.redis.map((server) => server.memory()))]
    return { nodes: nodes.reduce((sum, { rss }) => sum + rss, 0), redis: redis.reduce((sum, bytes) => sum + bytes, 0) }
  }

  async close(): Promise<void> {
    for (const node of this.nodes) await node.kill()
    for (const server of this.redis) await server.stop()
  }
}

/** Masters without replicas: what they cost is not what is measured. */
async function cluster(masters: number): Promise<RedisServer[]> {
  const buses = await Promise.all(Array.from({ length: masters }, () => freePort()))
  const servers = await Promise.all(buses.map((bus) => RedisServer.start(['--cluster-enabled', 'yes', '--cluster-config-file', 'nodes.conf', '--cluster-port', String(bus)])))
  const share = Math.ceil(SLOTS / masters)
  for (const [i, server] of servers.entries()) {
    await server.call('CLUSTER', 'SET-CONFIG-EPOCH', i + 1)
    await server.call('CLUSTER', 'ADDSLOTSRANGE', i * share, Math.min(SLOTS, (i + 1) * share) - 1)
    if (i > 0) await servers[0]?.call('CLUSTER', 'MEET', '127.0.0.1', server.port, buses[i] ?? 0)
  }
  await until('the cluster is whole', async () => {
    const states = await Promise.all(servers.map((server) => server.call('CLUSTER', 'INFO')))
    return states.every((info) => String(info).includes('cluster_state:ok') && String(info).includes(`cluster_known_nodes:${masters}`))
  })
  return servers
}
