import { Cluster, Redis } from 'ioredis'
import type { Logger } from '../../log.js'

export interface HostPort {
  readonly host: string
  readonly port: number
}

/** Where Redis is: one server, a Redis Cluster, or a master that Sentinels know. */
export type RedisPlace =
  | { readonly kind: 'single'; readonly url: string }
  | { readonly kind: 'cluster'; readonly nodes: readonly HostPort[] }
  | { readonly kind: 'sentinel'; readonly sentinels: readonly HostPort[]; readonly master: string }

export interface RedisTarget {
  readonly place: RedisPlace
  readonly username?: string | null
  readonly password?: string | null
  readonly tls?: boolean
  /** Shown in CLIENT LIST, followed by what the connection is for. */
  readonly name: string
}

/** One server or a cluster of them: the commands are the same. */
export type Client = Redis | Cluster

/** How long a command may take before its outcome counts as unknown, in milliseconds. */
const COMMAND_TIMEOUT_MS = 2_000
/** How often a cluster's map is read again: without it the replica of a stopped master is not found. */
const SLOTS_REFRESH_MS = 1_000

/** Half of it by chance: nodes that lost one server do not all come back in one instant. */
const pause = (attempt: number): number => Math.min(50 * 2 ** Math.min(attempt, 5), 1_000) * (0.5 + Math.random() / 2)

/** As if some attempts had been made: not at once, and not late. */
const REVIVE_ATTEMPT = 3

const COMMON = {
  lazyConnect: true,
  // A command whose connection broke is not sent again: it may have been executed. Whoever sent it decides.
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  connectTimeout: 5_000,
  keepAlive: 5_000,
  // A master that became a replica: the one that took its place is found by connecting again.
  reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
}

interface Use {
  readonly name: string
  readonly commandTimeout?: number
  readonly enableAutoPipelining?: boolean
}

/** Makes the node's connections, each with the options that its use needs; they are opened and closed together. */
export class Connections {
  readonly #made: Client[] = []
  /** ioredis says of a refused connection only that it is closed; why stands in an event before. */
  #trouble: Error | null = null
  #closed = false
  #opened = false

  constructor(
    private readonly target: RedisTarget,
    private readonly log: Logger,
    private readonly onCall: (command: string) => void,
  ) {}

  /** For commands: each has a time limit, and those of one turn of the event loop go out together. */
  commands(): Client {
    return this.#make({ name: 'commands', commandTimeout: COMMAND_TIMEOUT_MS, enableAutoPipelining: true })
  }

  /** For subscriptions: silent by nature, so without a time limit; it is probed instead. */
  subscriber(name: string): Client {
    const client = this.#make({ name })
    const subscribe = client.ssubscribe.bind(client)
    Object.assign(client, {
      ssubscribe: (...channels: string[]) => {
        const subscribing = subscribe(...channels)
        // ioredis subscribes again by itself and looks at no outcome: one that fails must not end the process.
        subscribing.catch(() => undefined)
        return subscribing
      },
    })
    return client
  }

  /** Another one for the same use: ioredis has lost its way with this one. */
  renewSubscriber(worn: Client, name: string): Client {
    const at = this.#made.indexOf(worn)
    if (at >= 0) this.#made.splice(at, 1)
    worn.removeAllListeners('end')
    worn.disconnect()
    const client = this.subscriber(name)
    // One that cannot connect now tries again by itself, like any other.
    client.connect().catch((error: unknown) => this.log.debug({ use: name, err: error }, 'redis connection'))
    return client
  }

  /** Rejects when one of them cannot be opened. */
  async open(): Promise<void> {
    try {
      await Promise.all(this.#made.map((client) => client.connect()))
      this.#opened = true
    } catch (error) {
      const reason = this.#trouble ?? (error as Error)
      throw new Error(`Redis cannot be reached: ${reason.message}`, { cause: error })
    }
  }

  close(): void {
    this.#closed = true
    for (const client of this.#made.splice(0).reverse()) client.disconnect()
  }

  #make(use: Use): Client {
    const client = this.#connect(use)
    // ioredis reconnects by itself; an 'error' without a listener would end the process.
    client.on('error', (error: Error) => {
      this.#trouble = error
      this.log.debug({ use: use.name, err: error }, 'redis connection')
    })
    const send = client.sendCommand.bind(client)
    Object.assign(client, {
      sendCommand: (...args: Parameters<Cluster['sendCommand']>): unknown => {
        this.onCall(args[0].name)
        return send(...args)
      },
    })
    client.on('end', () => this.#revive(client))
    this.#made.push(client)
    return client
  }

  /**
   * ioredis gives a connection up for good when it is cut while it looks for the master (a second Sentinel that tells of
   * the same failover does that). Nobody else would make it anew.
   */
  #revive(client: Client): void {
    if (this.#closed || !this.#opened) return
    setTimeout(() => {
      if (!this.#closed && client.status === 'end') client.connect().catch((error: unknown) => this.log.debug({ err: error }, 'redis connection'))
    }, pause(REVIVE_ATTEMPT)).unref()
  }

  #connect(use: Use): Client {
    const { place } = this.target
    const options = this.#options(use)
    switch (place.kind) {
      case 'single':
        // Nothing waits unseen while there is no connection: callers hear of it at once.
        return new Redis(place.url, { ...options, enableOfflineQueue: false, retryStrategy: pause })
      case 'sentinel':
        return new Redis({
          ...options,
          enableOfflineQueue: false,
          retryStrategy: pause,
          sentinels: place.sentinels.map(({ host, port }) => ({ host, port })),
          name: place.master,
          sentinelRetryStrategy: pause,
          // Without it a master that only stopped is waited for, though Sentinel has long named another.
          failoverDetector: true,
        })
      case 'cluster': {
        const { lazyConnect, enableAutoPipelining, ...redisOptions } = options
        const cluster = new Cluster(
          place.nodes.map(({ host, port }) => ({ host, port })),
          {
            lazyConnect,
            enableOfflineQueue: false,
            clusterRetryStrategy: pause,
            slotsRefreshInterval: SLOTS_REFRESH_MS,
            slotsRefreshTimeout: COMMAND_TIMEOUT_MS,
            // It would send a command again whose connection broke.
            retryDelayOnFailover: 0,
            shardedSubscribers: true,
            redisOptions,
            ...(enableAutoPipelining === undefined ? {} : { enableAutoPipelining }),
          },
        )
        // A look at the map that is under way when the cluster is closed would plan the next one, for ever.
        const refresh = cluster.refreshSlotsCache.bind(cluster)
        cluster.refreshSlotsCache = (done) => {
          refresh((error) => {
            if (!this.#closed) done?.(error)
          })
        }
        return cluster
      }
    }
  }

  #options({ name, ...rest }: Use): typeof COMMON & Omit<Use, 'name'> & { readonly connectionName: string; username?: string; password?: string; tls?: object } {
    const { username, password, tls } = this.target
    return {
      ...COMMON,
      ...rest,
      connectionName: `${this.target.name}:${name}`,
      ...(username === undefined || username === null ? {} : { username }),
      ...(password === undefined || password === null ? {} : { password }),
      ...(tls === true ? { tls: {} } : {}),
    }
  }
}
