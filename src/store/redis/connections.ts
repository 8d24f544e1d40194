import { Redis } from 'ioredis'
import type { Logger } from '../../log.js'

export interface RedisTarget {
  readonly url: string
  readonly username?: string | null
  readonly password?: string | null
  readonly tls?: boolean
  /** Shown in CLIENT LIST, followed by what the connection is for. */
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

/** Makes the node's connections, each with the options that its use needs; they are opened and closed together. */
export class Connections {
  readonly #made: Redis[] = []
  /** ioredis says of a refused connection only that it is closed; why stands in an event before. */
  #trouble: Error | null = null

  constructor(
    private readonly target: RedisTarget,
    private readonly log: Logger,
    private readonly onCall: (command: string) => void,
  ) {}

  /** For commands: each has a time limit, and those of one turn of the event loop go out together. */
  commands(): Redis {
    return this.#make('commands', { commandTimeout: COMMAND_TIMEOUT_MS, enableAutoPipelining: true })
  }

  /** For subscriptions: silent by nature, so without a time limit; it is probed instead. */
  subscriber(use: string): Redis {
    return this.#make(use, { autoResubscribe: true })
  }

  /** Rejects when one of them cannot be opened. */
  async open(): Promise<void> {
    try {
      await Promise.all(this.#made.map((redis) => redis.connect()))
    } catch (error) {
      const reason = this.#trouble ?? (error as Error)
      throw new Error(`Redis cannot be reached: ${reason.message}`, { cause: error })
    }
  }

  close(): void {
    for (const redis of this.#made.splice(0).reverse()) redis.disconnect()
  }

  #make(use: string, options: { readonly commandTimeout?: number; readonly enableAutoPipelining?: boolean; readonly autoResubscribe?: boolean }): Redis {
    const { url, username, password, tls, name } = this.target
    const redis = new Redis(url, {
      ...COMMON,
      ...options,
      connectionName: `${name}:${use}`,
      ...(username === undefined || username === null ? {} : { username }),
      ...(password === undefined || password === null ? {} : { password }),
      ...(tls === true ? { tls: {} } : {}),
    })
    // ioredis reconnects by itself; an 'error' without a listener would end the process.
    redis.on('error', (error: Error) => {
      this.#trouble = error
      this.log.debug({ use, err: error }, 'redis connection')
    })
    const send = redis.sendCommand.bind(redis)
    redis.sendCommand = (command, ...rest) => {
      this.onCall(command.name)
      return send(command, ...rest)
    }
    this.#made.push(redis)
    return redis
  }
}
