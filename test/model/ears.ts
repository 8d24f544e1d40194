import { Redis } from 'ioredis'

import { channelId } from '../../src/presence/types.js'
import { decodeEvent } from '../../src/store/redis/codec.js'
import { Keys, partitionOf } from '../../src/store/redis/keys.js'
import type { Scope } from '../support/scope.js'
import type { Published } from './evidence.js'

/** Hears what Redis publishes of some channels, beside all nodes and whatever happens to their connections. */
export class Ears {
  readonly published: Published[] = []

  private constructor(private readonly redis: Redis) {}

  static async open(scope: Scope, port: number, channels: readonly string[], partitions = 16): Promise<Ears> {
    const redis = new Redis({ host: '127.0.0.1', port, lazyConnect: true, maxRetriesPerRequest: null, retryStrategy: () => 20, connectionName: 'rollcall-test' })
    redis.on('error', () => undefined)
    scope.defer('the ears', () => redis.disconnect())
    await redis.connect()
    const ears = new Ears(redis)
    const names = new Map(
      channels.map((name) => {
        const channel = { app: 'dev', type: 'MESSAGE' as const, name }
        return [new Keys(partitionOf(channel, partitions)).events(channelId(channel)), name] as const
      }),
    )
    redis.on('smessage', (key: string, message: string) => ears.#hear(names.get(key) ?? key, message))
    await redis.ssubscribe(...names.keys())
    return ears
  }

  #hear(channel: string, message: string): void {
    const { life, previous, changes } = decodeEvent(message)
    this.published.push({ channel, life, previous, changes: changes.map(({ kind, version, userId }) => ({ kind, version, user: userId })) })
  }
}
