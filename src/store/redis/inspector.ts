import { randomBytes } from 'node:crypto'
import type { Redis } from 'ioredis'
import type { Logger } from '../../log.js'
import type { LeaseRow } from '../../presence/store.js'
import { Connections, type Client, type RedisTarget } from './connections.js'
import { Keys, KEYS_PATTERN, mayStay, PARTITION_COUNT_KEY } from './keys.js'
import { pages, SCAN_COUNT } from './paging.js'
import { RedisStore } from './redis-store.js'
import { addressOf, isForbidden, readFacts, type ServerFacts } from './server-facts.js'
import { Subscriber } from './subscriber.js'
import { Topology } from './topology.js'

/** What Redis keeps for a subscriber that does not read; 0: without a limit. */
export interface OutputLimit {
  readonly address: string
  readonly hardBytes: number
  readonly softBytes: number
  readonly softSeconds: number
}

export interface PartitionLeases {
  readonly partition: number
  /** Time since the last heartbeat of any node, in milliseconds of Redis's clock; null: there never was one. */
  readonly idleMs: number | null
  /** The partition's clock, in microseconds. */
  readonly clock: number
  readonly rows: readonly LeaseRow[]
}

/**
 * Looks at a Redis without being a node of it: it opens also what a node would refuse, and changes nothing. Every call
 * is bounded by the connections' time limits.
 */
export class Inspector {
  readonly #connections: Connections
  readonly #client: Client
  readonly #subscriber: Subscriber
  readonly #topology: Topology
  readonly #store: RedisStore

  constructor({ target, partitions, log }: { readonly target: RedisTarget; readonly partitions: number; readonly log: Logger }) {
    this.#connections = new Connections(target, log, () => undefined)
    this.#client = this.#connections.commands()
    const name = `inspector-${randomBytes(6).toString('hex')}`
    this.#subscriber = new Subscriber({
      client: this.#connections.subscriber('subscriber'),
      renew: (worn) => this.#connections.renewSubscriber(worn, 'subscriber'),
      publish: (channel, message) => this.#client.spublish(channel, message),
      probeChannel: (partition) => new Keys(partition).probe(name),
      partitions,
      log,
    })
    this.#topology = new Topology(this.#client)
    this.#store = new RedisStore(this.#client, this.#subscriber, partitions, this.#connections, log)
  }

  /** Rejects when Redis cannot be reached, and says why. */
  async open(): Promise<void> {
    await this.#connections.open()
  }

  async servers(): Promise<readonly ServerFacts[]> {
    return Promise.all(this.#topology.masters().map(readFacts))
  }

  /** The limit for subscribers of each server, or null where CONFIG is forbidden. */
  async outputLimits(): Promise<readonly OutputLimit[] | null> {
    try {
      return await Promise.all(this.#topology.masters().map(outputLimit))
    } catch (error) {
      if (isForbidden(error)) return null
      throw error
    }
  }

  /** How far Redis's clocks are ahead of this machine's, in milliseconds, each within half of a round trip. */
  async clockOffsets(): Promise<readonly { readonly address: string; readonly aheadMs: number }[]> {
    return Promise.all(
      this.#topology.masters().map(async (server) => {
        const before = Date.now()
        const [seconds, micros] = await server.time()
        const here = (before + Date.now()) / 2
        return { address: addressOf(server), aheadMs: Math.round(Number(seconds) * 1_000 + Number(micros) / 1_000 - here) }
      }),
    )
  }

  /** The partition count that this Redis was set up with, or null. */
  async partitionCount(): Promise<number | null> {
    const found = await this.#client.get(PARTITION_COUNT_KEY)
    return found === null ? null : Number(found)
  }

  /** Subscribes on each server and waits for a message to itself. Rejects when one is refused or does not arrive. */
  async hears(): Promise<void> {
    await this.#subscriber.start()
    await Promise.all(this.#subscriber.representatives().map((partition) => this.#subscriber.probe(partition)))
  }

  async leases(partition: number): Promise<PartitionLeases> {
    const [{ clock, rows }, last, [seconds, micros]] = await Promise.all([
      this.#store.leases(partition),
      this.#client.hget(new Keys(partition).clock, 'time'),
      // By a script, because TIME names no key: the clock that counts is that of the partition's own server.
      this.#client.eval("return redis.call('TIME')", 1, new Keys(partition).clock) as Promise<readonly string[]>,
    ])
    const idleMs = last === null ? null : Math.max(0, Math.round((Number(seconds) * 1e6 + Number(micros) - Number(last)) / 1_000))
    return { partition, idleMs, clock, rows }
  }

  /**
   * Keys of ours that would stay for ever, though they should expire.
   *
   * @param limit of keys to look at, on each server
   */
  async withoutLifetime(limit: number): Promise<{ readonly looked: number; readonly keys: readonly string[] }> {
    const found = await Promise.all(this.#topology.masters().map((server) => withoutLifetime(server, limit)))
    return { looked: found.reduce((sum, { looked }) => sum + looked, 0), keys: found.flatMap(({ keys }) => keys).sort() }
  }

  close(): void {
    this.#subscriber.close()
    this.#connections.close()
  }
}

async function outputLimit(server: Redis): Promise<OutputLimit> {
  const reply = await server.config('GET', 'client-output-buffer-limit')
  // "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60"
  const text = Object.values(reply as Record<string, string> | readonly string[]).join(' ')
  const match = /\bpubsub (\d+) (\d+) (\d+)/.exec(text)
  if (match === null) throw new Error(`client-output-buffer-limit reads ${JSON.stringify(text)}`)
  const [hardBytes = 0, softBytes = 0, softSeconds = 0] = match.slice(1).map(Number)
  return { address: addressOf(server), hardBytes, softBytes, softSeconds }
}

async function withoutLifetime(server: Redis, limit: number): Promise<{ looked: number; keys: string[] }> {
  const keys: string[] = []
  let looked = 0
  for await (const page of pages((cursor) => server.scan(cursor, 'MATCH', KEYS_PATTERN, 'COUNT', SCAN_COUNT))) {
    const ttls = await Promise.all(page.map((key) => server.ttl(key)))
    looked += page.length
    keys.push(...page.filter((key, index) => ttls[index] === -1 && !mayStay(key)))
    if (looked >= limit) break
  }
  return { looked, keys }
}
