import { ReplyError, type ChainableCommander } from 'ioredis'
import { StoreRefusedError, UnknownOutcomeError } from '../../presence/store.js'
import { userChannel, type Channel } from '../../presence/types.js'
import type { Client } from './connections.js'
import { Keys, partitionOf } from './keys.js'
import { pages, SCAN_COUNT } from './paging.js'
import type { Script } from './scripts.js'
import { Topology } from './topology.js'

/** Replies by which Redis says that it did not execute a call. */
const REFUSALS = /^(OOM|LOADING|BUSY|READONLY|TRYAGAIN|CLUSTERDOWN|MASTERDOWN|NOREPLICAS|NOPERM|NOAUTH|MOVED|ASK)\b/
/** What ioredis says of a command that it never sent. */
const UNSENT = /Stream isn't writeable|Cluster isn't ready|Cluster is ended|Too many Cluster redirections|All keys in the pipeline should belong to the same slots/

/** Redis as the stores here share it: in which partition something is, and calls that fail in one of the port's two ways. */
export class RedisAccess {
  readonly topology: Topology
  readonly #keys: readonly Keys[]

  constructor(
    readonly redis: Client,
    readonly partitions: number,
  ) {
    this.topology = new Topology(redis)
    this.#keys = Array.from({ length: partitions }, (_, partition) => new Keys(partition))
  }

  partitionOf(channel: Channel): number {
    return partitionOf(channel, this.partitions)
  }

  keysAt(partition: number): Keys {
    const keys = this.#keys[partition]
    if (keys === undefined) throw new RangeError(`partition ${partition} of ${this.partitions}`)
    return keys
  }

  keysOf(channel: Channel): Keys {
    return this.keysAt(this.partitionOf(channel))
  }

  /** What is of a user is where the user's channel is. */
  keysOfUser(app: string, userId: string): Keys {
    return this.keysOf(userChannel(app, userId))
  }

  get allKeys(): readonly Keys[] {
    return this.#keys
  }

  /** Every failure is one of two: Redis said that it did not execute the call, or nobody knows. */
  async call<T>(running: Promise<T>): Promise<T> {
    try {
      return await running
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      const refused = error instanceof ReplyError ? REFUSALS.test(message) : UNSENT.test(message)
      if (refused) throw new StoreRefusedError(message, error)
      throw new UnknownOutcomeError(error)
    }
  }

  run(script: Script, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    return this.call(script.run(this.redis, keys, args))
  }

  async pipeline(fill: (pipeline: ChainableCommander) => void): Promise<readonly unknown[]> {
    const pipeline = this.redis.pipeline()
    fill(pipeline)
    if (pipeline.length === 0) return []
    const replies = await this.call(pipeline.exec())
    return (replies ?? []).map(([error, reply]) => {
      if (error !== null) throw new UnknownOutcomeError(error)
      return reply
    })
  }

  /** All keys of a pattern, on every server, page by page. */
  async *keysLike(pattern: string): AsyncIterable<readonly string[]> {
    for (const server of this.topology.masters()) yield* pages((cursor) => this.call(server.scan(cursor, 'MATCH', pattern, 'COUNT', SCAN_COUNT)))
  }
}
