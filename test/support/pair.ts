import { mayStay } from '../../src/store/redis/keys.js'
import { RedisServer, type RedisOptions } from './redis.js'
import type { Scope } from './scope.js'
import { spawnNode, type Env, type SpawnedNode } from './spawned.js'

/** Two nodes as processes on a Redis of their own. */
export interface Pair {
  readonly redis: RedisServer
  readonly a: SpawnedNode
  readonly b: SpawnedNode
  readonly env: Env & { readonly REDIS_URL: string }
}

export async function spawnPair(scope: Scope, env: Env = {}, redisOptions: RedisOptions = {}): Promise<Pair> {
  const redis = await RedisServer.start(scope, redisOptions)
  const all = { REDIS_URL: redis.url, ...env }
  const [a, b] = await Promise.all([spawnNode(scope, all), spawnNode(scope, all)])
  scope.defer('what the nodes have written', async () => {
    const staying = (await redis.keysThatStay()).filter((key) => !mayStay(key))
    if (staying.length > 0) throw new Error(`keys without a time to live: ${staying.join(', ')}`)
  })
  return { redis, a, b, env: all }
}
