import type { Redis } from 'ioredis'
import type { Logger } from '../../log.js'

type Listener = (message: string) => void

/** How long a probe may take to come back before the subscriber counts as silent, in milliseconds. */
const PROBE_TIMEOUT_MS = 2_000

/**
 * The node's sharded subscriptions on one connection. Redis tells nothing when such a connection goes half-open, so it
 * is probed with a message to itself; one that stays silent is cut, and ioredis makes it anew and subscribes again.
 */
export class Subscriber {
  readonly #listeners = new Map<string, Listener>()
  readonly #probes = new Map<string, () => void>()
  readonly #resets: (() => void)[] = []
  #nextProbe = 0
  #connected = true
  #closed = false

  constructor(
    private readonly redis: Redis,
    private readonly publish: (channel: string, message: string) => Promise<unknown>,
    private readonly probeChannel: string,
    private readonly log: Logger,
  ) {
    redis.on('smessage', (channel: string, message: string) => {
      if (channel === probeChannel) this.#probes.get(message)?.()
      else this.#listeners.get(channel)?.(message)
    })
    redis.on('close', () => {
      this.#connected = false
    })
    redis.on('ready', () => {
      if (!this.#connected) void this.#restored()
    })
  }

  async start(): Promise<void> {
    await this.redis.ssubscribe(this.probeChannel)
  }

  onReset(listener: () => void): void {
    this.#resets.push(listener)
  }

  /** @returns what ends the subscription. One listener a channel: a feed. */
  async subscribe(channel: string, listener: Listener): Promise<() => void> {
    this.#listeners.set(channel, listener)
    try {
      await this.redis.ssubscribe(channel)
    } catch (error) {
      this.#listeners.delete(channel)
      throw error
    }
    return () => {
      if (this.#listeners.get(channel) !== listener) return
      this.#listeners.delete(channel)
      this.redis.sunsubscribe(channel).catch((error: unknown) => this.log.debug({ err: error }, 'sunsubscribe'))
    }
  }

  /** Resolves when all that was published before has arrived. Cuts the connection when the subscriber is silent. */
  async probe(): Promise<void> {
    const token = String((this.#nextProbe += 1))
    let timer: NodeJS.Timeout | undefined
    try {
      const back = new Promise<void>((resolve, reject) => {
        this.#probes.set(token, resolve)
        timer = setTimeout(() => reject(new Error(`the subscriber was silent for ${PROBE_TIMEOUT_MS} ms`)), PROBE_TIMEOUT_MS)
      })
      back.catch(() => undefined)
      // A publish that fails says nothing about the subscriber: only a silent one is cut.
      await this.publish(this.probeChannel, token)
      await back.catch((error: unknown) => {
        if (!this.#closed) this.redis.disconnect(true)
        throw error
      })
    } finally {
      clearTimeout(timer)
      this.#probes.delete(token)
    }
  }

  close(): void {
    this.#closed = true
    this.#listeners.clear()
  }

  /** ioredis subscribes again before 'ready' listeners run their next command; what came meanwhile is lost, so say so. */
  async #restored(): Promise<void> {
    this.#connected = true
    try {
      // SSUBSCRIBE again, of all that should be there: it answers once Redis has them, and is harmless where it has.
      await this.redis.ssubscribe(this.probeChannel, ...this.#listeners.keys())
    } catch (error) {
      this.log.warn({ err: error }, 'could not subscribe again')
      if (!this.#closed) this.redis.disconnect(true)
      return
    }
    for (const listener of this.#resets) listener()
  }
}
