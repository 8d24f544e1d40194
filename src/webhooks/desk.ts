import type { Logger } from '../log.js'
import type { Outbox } from '../presence/outbox.js'
import type { Courier } from './courier.js'

export interface DeskOptions {
  readonly outbox: Pick<Outbox, 'claim' | 'release' | 'onWritten'>
  readonly partition: number
  readonly node: string
  /** By the receivers' names in the store. */
  readonly couriers: ReadonlyMap<string, Courier>
  readonly leaseMs: number
  readonly log: Logger
}

/** One partition: which of its receivers are this node's, and who hears that there is something to deliver. */
export class Desk {
  #claiming: Promise<void> | null = null
  /** By `performance.now()`: when another node's claim may have run out. */
  #freeAt = -Infinity
  #mine = 0
  #stopped = false
  #unsubscribe: (() => void) | undefined

  constructor(private readonly options: DeskOptions) {}

  async start(): Promise<void> {
    const { outbox, partition, couriers } = this.options
    this.#unsubscribe = await outbox.onWritten(partition, (what) => {
      if (what === 'released') void this.#claimAgain()
      else for (const courier of couriers.values()) courier.wake()
    })
    await this.claim()
  }

  /** With each heartbeat: what is this node's is renewed; what is another's is asked for only once its claim may be over. */
  beat(): void {
    if (this.#mine > 0 || performance.now() >= this.#freeAt) void this.claim()
  }

  /** Never rejects: without an answer, what this node owns runs out by itself. */
  claim(): Promise<void> {
    if (this.#stopped) return Promise.resolve()
    return (this.#claiming ??= this.#claim().finally(() => (this.#claiming = null)))
  }

  /** One that is under way may have come before what is to be claimed was there. */
  async #claimAgain(): Promise<void> {
    await this.#claiming
    await this.claim()
  }

  async #claim(): Promise<void> {
    const { outbox, partition, node, couriers, leaseMs, log } = this.options
    const sentAt = performance.now()
    try {
      const { mine, freeInMs } = await outbox.claim(partition, node, [...couriers.keys()], leaseMs)
      this.#mine = mine.size
      this.#freeAt = freeInMs === null ? -Infinity : performance.now() + freeInMs
      for (const [key, courier] of couriers) {
        const claim = mine.get(key)
        if (claim === undefined) courier.lose()
        else courier.own(claim, sentAt + leaseMs)
      }
    } catch (error) {
      log.debug({ err: error, partition }, 'claim of the outbox')
    }
  }

  /** Whatever is not delivered within `graceMs` is left to another node, which may begin at once. */
  async stop(graceMs: number): Promise<void> {
    this.#stopped = true
    this.#unsubscribe?.()
    const { outbox, partition, node, couriers, log } = this.options
    await this.#claiming
    await Promise.all([...couriers.values()].map((courier) => courier.stop(graceMs)))
    if (this.#mine === 0) return
    await outbox.release(partition, node).catch((error: unknown) => log.debug({ err: error, partition }, 'release of the outbox'))
  }
}
