import { setTimeout as pause } from 'node:timers/promises'
import type { Logger } from '../log.js'
import type { Metrics } from '../metrics/index.js'
import type { Claim, Cursor, GivenUp, Outbox, OutboxEntry } from '../presence/outbox.js'
import type { Receiver } from '../protocol/webhooks.js'
import { backoffMs } from './backoff.js'
import { messageOf } from './messages.js'

/** Entries that are read at once: each may carry all states of a member. */
const READ_MAX = 50
/** A function of the application's that takes longer, in milliseconds, counts as failed; servers have less. */
const PATIENCE_MS = 30_000
const REASON_CHARACTERS = 200

export interface CourierOptions {
  readonly outbox: Pick<Outbox, 'read' | 'acknowledge'>
  readonly partition: number
  readonly node: string
  readonly app: string
  readonly receiver: Receiver
  /** The receiver's name in the store: apps share it. */
  readonly key: string
  /** Times that an event is sent before it is given up. */
  readonly attempts: number
  readonly backoffMs?: (attempt: number) => number
  readonly metrics: Pick<Metrics, 'webhooksDelivered' | 'webhooksRetried' | 'webhooksGivenUp' | 'webhooksDropped'>
  readonly log: Logger
}

/** What was done, and the outbox does not know yet. */
interface Done {
  readonly entry: OutboxEntry
  readonly givenUp: GivenUp | undefined
}

/** One partition's deliveries to one receiver, one after the other, while they are this node's. */
export class Courier {
  #cursor: Cursor | null = null
  /** By `performance.now()`. */
  #ownedUntil = -Infinity
  /** The outbox says another place than this courier: what it has read counts no more. */
  #moved = false
  #done: Done | null = null
  #news = false
  #serving = false
  #run = Promise.resolve()
  #behind = 0
  /** Ends pauses. */
  readonly #stopped = new AbortController()
  /** Ends the wait for the attempt that is under way. */
  #attemptOver: AbortController | null = null

  constructor(private readonly options: CourierOptions) {}

  get receiver(): string {
    return this.options.receiver.name
  }

  /** Entries that are not delivered yet, as the last claim said. */
  get behind(): number {
    return this.#behind
  }

  get #owns(): boolean {
    return !this.#stopped.signal.aborted && performance.now() < this.#ownedUntil
  }

  /** The receiver is this node's until then. */
  own(claim: Claim, until: number): void {
    this.#ownedUntil = until
    this.#behind = claim.behind
    if (!claim.held || this.#cursor === null) {
      this.#cursor = claim
      this.#moved = true
    }
    if (claim.behind > 0) this.wake()
  }

  /** It is another node's now. */
  lose(): void {
    this.#ownedUntil = -Infinity
    this.#cursor = null
    this.#done = null
    this.#behind = 0
  }

  /** There is something to be read. */
  wake(): void {
    if (!this.#owns) return
    this.#news = true
    if (!this.#serving) this.#run = this.#serve()
  }

  /** Resolves when nothing is under way any more; what has not succeeded within `graceMs` is left to the next owner. */
  async stop(graceMs: number): Promise<void> {
    this.#stopped.abort()
    const timer = setTimeout(() => this.#attemptOver?.abort(), graceMs)
    await this.#run
    clearTimeout(timer)
  }

  async #serve(): Promise<void> {
    this.#serving = true
    try {
      while (this.#news && this.#owns) {
        this.#news = false
        this.#moved = false
        if (!(await this.#acknowledge())) return
        const entries = await this.options.outbox.read(this.options.partition, this.#cursor?.place ?? '', READ_MAX)
        if (entries.length === READ_MAX) this.#news = true
        await this.#deliverAll(entries)
        if (this.#moved) this.#news = true
      }
    } catch (error) {
      // The next claim says again what is behind.
      this.options.log.debug({ err: error, partition: this.options.partition, receiver: this.receiver }, 'outbox')
    } finally {
      this.#serving = false
    }
  }

  async #deliverAll(entries: readonly OutboxEntry[]): Promise<void> {
    for (const entry of entries) {
      if (!this.#owns || this.#moved) return
      this.#countDropped(entry)
      // Another app's, on the same Redis.
      const outcome = entry.app === this.options.app ? await this.#deliver(entry) : 'skipped'
      if (outcome === 'stopped') return
      this.#done = { entry, givenUp: typeof outcome === 'object' ? outcome : undefined }
      if (!this.#moved) this.#cursor = { place: entry.place, life: entry.life, sequence: entry.sequence }
      const last = entry === entries.at(-1)
      if ((outcome !== 'skipped' || last) && !(await this.#acknowledge())) return
    }
  }

  /** @returns false when another node has the receiver now. */
  async #acknowledge(): Promise<boolean> {
    const done = this.#done
    if (done === null) return true
    const { outbox, partition, node, key } = this.options
    const ours = await outbox.acknowledge(partition, node, key, done.entry, done.givenUp && { ...done.givenUp, receiver: key })
    this.#done = null
    if (!ours) this.lose()
    return ours
  }

  async #deliver(entry: OutboxEntry): Promise<'delivered' | 'stopped' | GivenUp> {
    const { attempts, metrics, log, partition } = this.options
    const receiver = this.receiver
    for (let attempt = 1; ; attempt += 1) {
      const failure = await this.#attempt(entry)
      if (failure === null) {
        metrics.webhooksDelivered.inc({ receiver })
        return 'delivered'
      }
      if (!this.#owns) return 'stopped'
      const lastError = failure.message.slice(0, REASON_CHARACTERS)
      if (attempt >= attempts) {
        metrics.webhooksGivenUp.inc({ receiver })
        log.warn({ receiver, partition, id: entry.id, attempts, reason: lastError }, 'a webhook was given up; it can be sent again')
        return { id: entry.id, receiver, attempts, lastError, at: 0, entry }
      }
      if (attempt === 1) log.info({ receiver, partition, id: entry.id, reason: lastError }, 'a webhook failed and is tried again')
      metrics.webhooksRetried.inc({ receiver })
      await pause((this.options.backoffMs ?? backoffMs)(attempt), undefined, { signal: this.#stopped.signal }).catch(() => undefined)
      if (!this.#owns) return 'stopped'
    }
  }

  /** @returns why it failed, or null. */
  async #attempt(entry: OutboxEntry): Promise<Error | null> {
    const over = (this.#attemptOver = new AbortController())
    const late = pause(PATIENCE_MS, undefined, { signal: over.signal }).catch(() => undefined)
    const delivering = async (): Promise<null> => {
      await this.options.receiver.deliver(messageOf(entry))
      return null
    }
    try {
      return await Promise.race([delivering(), late.then(() => new Error(`not done within ${PATIENCE_MS} ms`))])
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error))
    } finally {
      over.abort()
      this.#attemptOver = null
    }
  }

  #countDropped(entry: OutboxEntry): void {
    const cursor = this.#cursor
    if (cursor?.life !== entry.life || entry.sequence <= cursor.sequence + 1) return
    const count = entry.sequence - cursor.sequence - 1
    this.#cursor = { ...cursor, sequence: entry.sequence - 1 }
    this.options.metrics.webhooksDropped.inc({ receiver: this.receiver }, count)
    this.options.log.warn({ receiver: this.receiver, partition: this.options.partition, count }, 'events fell out of the outbox before they could be delivered')
  }
}
