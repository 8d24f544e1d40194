import { Redis } from 'ioredis'
import type { Logger } from '../../log.js'

export interface RedisTarget {
  readonly url: string
  readonly username?: string | undefined
  readonly password?: string | undefined
  readonly tls?: boolean | undefined
  /** Shown in CLIENT LIST. */
  readonly name: string
}

/** How long a command may take before its outcome counts as unknown, in milliseconds. */
export const COMMAND_TIMEOUT_MS = 2_000

const COMMON = {
  lazyConnect: true,
  // A command whose connection broke is not sent again: it may have been executed. Whoever sent it decides.
  autoResendUnfulfilledCommands: false,
  // Nothing waits unseen while there is no connection: callers hear of it at once.
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  connectTimeout: 5_000,
  keepAlive: 5_000,
  retryStrategy: (attempt: number) => Math.min(50 * 2 ** Math.min(attempt, 5), 1_000) * (0.5 + Math.random() / 2),
  reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
}

/** Makes the node's connections, each with the options that its use needs, and closes them all. */
export class Connections {
  readonly #opened: Redis[] = []

  constructor(
    private readonly target: RedisTarget,
    private readonly log: Logger,
  ) {}

  /** For commands: each has a time limit. */
  async commands(): Promise<Redis> {
    return this.#open('commands', { commandTimeout: COMMAND_TIMEOUT_MS, enableAutoPipelining: true })
  }

  /** For subscriptions: silent by nature, so without a time limit; it is probed instead. */
  async subscriber(use = 'subscriber'): Promise<Redis> {
    return this.#open(use, { autoResubscribe: true })
  }

  async #open(use: string, options: { readonly commandTimeout?: number; readonly enableAutoPipelining?: boolean; readonly autoResubscribe?: boolean }): Promise<Redis> {
    const { url, username, password, tls, name } = this.target
    const redis = new Redis(url, {
      ...COMMON,
      ...options,
      connectionName: `${name}:${use}`,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      ...(tls === true ? { tls: {} } : {}),
    })
    this.#opened.push(redis)
    // ioredis reconnects by itself; an 'error' without a listener would end the process.
    redis.on('error', (error: Error) => this.log.debug({ use, err: error.message }, 'redis connection'))
    await redis.connect()
    return redis
  }

  close(): void {
    for (const redis of this.#opened.splice(0).reverse()) redis.disconnect()
  }
}
