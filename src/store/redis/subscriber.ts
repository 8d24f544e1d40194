import type { Logger } from '../../log.js'
import type { Client } from './connections.js'
import { Topology } from './topology.js'

type Listener = (message: string) => void

/** How long a probe may take to come back before the subscriber counts as silent, in milliseconds. */
const PROBE_TIMEOUT_MS = 2_000
/** After a connection was made anew: the pause between two tries to hear again, and the try after which it is given up. */
const RESTORE_PAUSE_MS = 200
const GIVE_UP_AFTER = 20

export interface SubscriberOptions {
  readonly client: Client
  /** Another client in place of one that does not subscribe any more. */
  renew(worn: Client): Client
  publish(channel: string, message: string): Promise<unknown>
  /** This node's own channel in a partition. */
  probeChannel(partition: number): string
  readonly partitions: number
  readonly log: Logger
}

/**
 * The node's sharded subscriptions. Redis tells nothing when such a connection goes half-open, so each server's is probed
 * with a message to oneself; one that stays silent is cut, and ioredis makes it anew and subscribes again.
 */
export class Subscriber {
  #client: Client
  #topology: Topology
  readonly #listeners = new Map<string, Listener>()
  readonly #probes = new Map<string, () => void>()
  readonly #resets: (() => void)[] = []
  #nextProbe = 0
  /** Counts the connections: a probe that one of them lost says nothing of the next. */
  #connection = 0
  #started = false
  #restoring = false
  #closed = false

  constructor(private readonly options: SubscriberOptions) {
    this.#client = options.client
    this.#topology = this.#adopt(options.client)
  }

  #adopt(client: Client): Topology {
    this.#client = client
    client.on('smessage', (channel: string, message: string) => {
      const listener = this.#listeners.get(channel)
      if (listener !== undefined) listener(message)
      else this.#probes.get(message)?.()
    })
    // One server: its connection is ready again. A cluster: some server's subscriber was made anew.
    for (const event of ['ready', 'subscribersReady']) {
      client.on(event, () => {
        this.#connection += 1
        void this.#restored()
      })
    }
    client.on('close', () => (this.#connection += 1))
    return new Topology(client)
  }

  /** Subscribes to the node's own channel, in a cluster to one on each partition: slots move between servers. */
  async start(): Promise<void> {
    await Promise.all(this.#topology.eachPartition(this.options.partitions).map((partition) => this.#client.ssubscribe(this.options.probeChannel(partition))))
    this.#started = true
  }

  /** One partition on each server: what probes of these tell is true of all. */
  representatives(): readonly number[] {
    return this.#topology.representatives(this.options.partitions, (partition) => this.options.probeChannel(partition))
  }

  onReset(listener: () => void): void {
    this.#resets.push(listener)
  }

  /**
   * One listener a channel: a feed.
   *
   * @param decode throws for what cannot be read, of a node of another version or a stranger: that ends no node, it is passed over and shows as a gap
   * @returns what ends the subscription
   */
  async subscribe<T>(channel: string, decode: (message: string) => T, told: (said: T) => void): Promise<() => void> {
    const listener = (message: string): void => {
      let said: T
      try {
        said = decode(message)
      } catch (error) {
        this.options.log.error({ err: error, channel }, 'what was published cannot be read')
        return
      }
      told(said)
    }
    this.#listeners.set(channel, listener)
    try {
      await this.#client.ssubscribe(channel)
    } catch (error) {
      this.#listeners.delete(channel)
      throw error
    }
    return () => {
      if (this.#listeners.get(channel) !== listener) return
      this.#listeners.delete(channel)
      this.#client.sunsubscribe(channel).catch((error: unknown) => this.options.log.debug({ err: error }, 'sunsubscribe'))
    }
  }

  /**
   * Resolves when all that was published before has arrived, or was told to be lost ({@link onReset}): not while the connection is being made
   * anew. Cuts the connection when the subscriber is silent.
   */
  async probe(partition: number): Promise<void> {
    await this.#probe(partition)
    if (this.#restoring) throw new Error('the subscriber is being made anew')
  }

  async #probe(partition: number): Promise<void> {
    const token = String((this.#nextProbe += 1))
    const connection = this.#connection
    let timer: NodeJS.Timeout | undefined
    try {
      const back = new Promise<void>((resolve, reject) => {
        this.#probes.set(token, resolve)
        timer = setTimeout(() => reject(new Error(`the subscriber was silent for ${PROBE_TIMEOUT_MS} ms`)), PROBE_TIMEOUT_MS)
      })
      back.catch(() => undefined)
      // A publish that fails says nothing about the subscriber: only a silent one is cut.
      await this.options.publish(this.options.probeChannel(this.#topology.probed(partition)), token)
      await back.catch((error: unknown) => {
        // One that is just being made anew is left alone, and so is one that was not there when the probe was sent.
        const same = connection === this.#connection && this.#client.status === 'ready'
        if (same && !this.#closed && !this.#restoring) this.#silent()
        throw error
      })
    } finally {
      clearTimeout(timer)
      this.#probes.delete(token)
    }
  }

  /** One server: its connection is cut, and made anew. In a cluster the others are well: subscribing again may be all. */
  #silent(): void {
    if (this.#topology.isCluster) void this.#restored()
    else this.#client.disconnect(true)
  }

  close(): void {
    this.#closed = true
    this.#listeners.clear()
  }

  /**
   * The client subscribes again by itself, without saying when that is done, and forgets it at times. So it is asked for
   * once more, until a probe of each partition's channel comes back: from then on nothing is lost any more, and what was
   * lost before is to be fetched. In a failover that takes as long as it takes; a client that stays silent is replaced.
   */
  async #restored(): Promise<void> {
    if (!this.#started || this.#restoring || this.#closed) return
    this.#restoring = true
    const partitions = this.#topology.eachPartition(this.options.partitions)
    for (let attempt = 1; !this.#closed; attempt += 1) {
      try {
        const own = partitions.map((partition) => this.options.probeChannel(partition))
        await within(PROBE_TIMEOUT_MS, this.#topology.subscribeAgain([...own, ...this.#listeners.keys()]))
        await Promise.all(partitions.map((partition) => this.#probe(partition)))
        break
      } catch (error) {
        // One that is not connected is being made anew already.
        if (attempt % GIVE_UP_AFTER === 0 && this.#client.status === 'ready') this.#renew(error)
        await new Promise<void>((resolve) => setTimeout(resolve, RESTORE_PAUSE_MS).unref())
      }
    }
    this.#restoring = false
    if (!this.#closed) for (const listener of this.#resets) listener()
  }

  #renew(reason: unknown): void {
    this.options.log.warn({ err: reason }, 'could not subscribe again; with another connection')
    const worn = this.#client
    worn.removeAllListeners('smessage')
    this.#topology = this.#adopt(this.options.renew(worn))
  }
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
