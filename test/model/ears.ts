import { Redis } from 'ioredis'

import { channelId } from '../../src/presence/types.js'
import { decodeEvent } from '../../src/store/redis/codec.js'
import { Keys, partitionOf } from '../../src/store/redis/keys.js'
import type { Scope } from '../support/scope.js'
import type { Published } from './evidence.js'

/** How often they ask again for what a failover or a moved slot took from them. */
const AGAIN_MS = 200
/** Where an event says when it was made (`src/store/redis/lua/commit.lua`). */
const TIME_FIELD = 3

/** Hears what each server of Redis publishes of some channels, beside all nodes and whatever happens to their connections. */
export class Ears {
  readonly published: Published[] = []

  static async open(scope: Scope, ports: readonly number[], channels: readonly string[], partitions = 16): Promise<Ears> {
    const names = new Map(
      channels.map((name) => {
        const channel = { app: 'dev', type: 'MESSAGE' as const, name }
        return [new Keys(partitionOf(channel, partitions)).events(channelId(channel)), name] as const
      }),
    )
    const ears = new Ears()
    await Promise.all(ports.map((port) => ears.#listen(scope, port, names)))
    return ears
  }

  async #listen(scope: Scope, port: number, names: ReadonlyMap<string, string>): Promise<void> {
    const redis = new Redis({ host: '127.0.0.1', port, lazyConnect: true, maxRetriesPerRequest: null, retryStrategy: () => 20, connectionName: 'rollcall-test', autoResubscribe: false })
    redis.on('error', () => undefined)
    /** How far Redis's clock is ahead of this process's. */
    let aheadMs = 0
    redis.on('smessage', (key: string, message: string) => this.#hear(port, names.get(key) ?? key, message, Date.now() + aheadMs))
    // One by one: to a server of a Cluster it is said which of them are not its own, and those are heard elsewhere.
    const ask = () => Promise.allSettled([...names.keys()].map((key) => redis.ssubscribe(key)))
    const timer = setInterval(() => redis.status === 'ready' && void ask(), AGAIN_MS)
    scope.defer('the ears', () => {
      clearInterval(timer)
      redis.disconnect()
    })
    await redis.connect()
    const [seconds, microseconds] = await redis.time()
    aheadMs = Number(seconds) * 1_000 + Number(microseconds) / 1_000 - Date.now()
    redis.on('ready', () => void ask())
    await ask()
  }

  #hear(server: number, channel: string, message: string, heardAt: number): void {
    const { life, previous, changes } = decodeEvent(message)
    const told = changes.map((change) => ({ kind: change.kind, version: change.version, user: change.userId, ...('joinedAt' in change && { joinedAt: change.joinedAt }) }))
    // Read here and not by our own code: that is under suspicion.
    this.published.push({ server, channel, life, previous, time: Number(message.split('\0')[TIME_FIELD]), heardAt, changes: told })
  }
}
