import type { UserStatus } from '../presence/status.js'
import { STATUS_CHUNK } from '../presence/statuses.js'
import type { PresenceStore } from '../presence/store.js'
import { StatusTable, type PeerNews } from './status-table.js'

/** The pause before what could not be read is tried again, in milliseconds; it doubles up to the second. */
const RETRY_MS = 100
const RETRY_MAX_MS = 2_000
/** Looking at doubted rows again waits this much longer, for clocks of two machines are not of one step. */
const SETTLE_SLACK_MS = 20

export interface PartitionContext {
  readonly store: Pick<PresenceStore, 'statuses' | 'subscribeStatuses'>
  readonly app: string
  readonly leastSettlingMs: number
  onNews(news: readonly PeerNews[]): void
  onMissed(): void
  onTrouble(partition: number, error: unknown): void
}

/** A partition's table kept in step with Redis: subscribed first, then read, one call at a time for all that is to be read. */
export class PartitionStatuses {
  readonly #table: StatusTable
  #subscribed: Promise<void> | null = null
  #unsubscribe: (() => void) | null = null
  #reading: Promise<void> | null = null
  #retry: NodeJS.Timeout | undefined
  #pauseMs = RETRY_MS
  #settle: NodeJS.Timeout | undefined
  #closed = false

  constructor(
    private readonly partition: number,
    private readonly context: PartitionContext,
  ) {
    this.#table = new StatusTable(context.app, context.leastSettlingMs, () => context.onMissed())
  }

  get size(): number {
    return this.#table.size
  }

  get(userId: string): UserStatus | null {
    return this.#table.get(userId)
  }

  hold(userIds: readonly string[]): void {
    for (const userId of userIds) this.#table.hold(userId)
  }

  letGo(userIds: readonly string[]): void {
    for (const userId of userIds) this.#table.letGo(userId)
  }

  /** Resolves when the status of these, who are held, is known; rejects with why it could not be read. */
  async known(userIds: readonly string[]): Promise<void> {
    await this.#subscription()
    while (!this.#closed && userIds.some((userId) => this.#table.get(userId) === null)) await this.#read()
    if (this.#closed) throw new Error('the node is closing')
  }

  beat(life: string, version: number): void {
    this.#table.beat(life, version)
    this.#readSoon()
  }

  rebase(life: string): void {
    if (this.#table.life !== '' && this.#table.life !== life) this.resync()
  }

  resync(): void {
    this.#table.doubt()
    this.#readSoon()
  }

  close(): void {
    this.#closed = true
    this.#unsubscribe?.()
    clearTimeout(this.#retry)
    clearTimeout(this.#settle)
  }

  #subscription(): Promise<void> {
    this.#subscribed ??= this.context.store
      .subscribeStatuses(this.partition, (event) => {
        if (this.#closed) return
        this.context.onNews(this.#table.receive(event, performance.now()))
        this.#readSoon()
        this.#armSettle()
      })
      .then(
        (unsubscribe) => {
          if (this.#closed) unsubscribe()
          else this.#unsubscribe = unsubscribe
        },
        (error: unknown) => {
          this.#subscribed = null
          throw error
        },
      )
    return this.#subscribed
  }

  /** Reads what is wanted now, or as soon as what could not be read is due to be tried again. */
  #readSoon(): void {
    if (this.#unsubscribe === null || this.#retry !== undefined || !this.#table.wants) return
    this.#read().catch(() => undefined)
  }

  #read(): Promise<void> {
    this.#reading ??= this.#readAll().finally(() => {
      this.#reading = null
      this.#armSettle()
    })
    return this.#reading
  }

  async #readAll(): Promise<void> {
    const { store, app } = this.context
    for (let take = this.#table.take(STATUS_CHUNK); take !== null && !this.#closed; take = this.#table.take(STATUS_CHUNK)) {
      try {
        const reading = await store.statuses(this.partition, app, take.userIds)
        this.context.onNews(this.#table.adopt(take, reading, performance.now()))
        this.#pauseMs = RETRY_MS
      } catch (error) {
        this.#table.giveBack(take)
        this.context.onTrouble(this.partition, error)
        this.#retryLater()
        throw error
      }
    }
  }

  #retryLater(): void {
    if (this.#closed || this.#retry !== undefined) return
    this.#retry = setTimeout(() => {
      this.#retry = undefined
      this.#readSoon()
    }, this.#pauseMs * (0.5 + Math.random() / 2)).unref()
    this.#pauseMs = Math.min(this.#pauseMs * 2, RETRY_MAX_MS)
  }

  #armSettle(): void {
    const at = this.#table.settlesAt
    if (at === null || this.#settle !== undefined || this.#closed) return
    this.#settle = setTimeout(() => {
      this.#settle = undefined
      this.#table.settle()
      this.#readSoon()
      this.#armSettle()
    }, Math.max(0, at - performance.now()) + SETTLE_SLACK_MS).unref()
  }
}
