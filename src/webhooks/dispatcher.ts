import type { Logger } from '../log.js'
import type { Metrics } from '../metrics/index.js'
import type { Outbox } from '../presence/outbox.js'
import type { Receiver } from '../protocol/webhooks.js'
import { Courier } from './courier.js'
import { Desk } from './desk.js'
import { keyOf } from './receivers.js'

/** How long deliveries that are under way may take when the node closes, in milliseconds. */
const GRACE_MS = 1_000

export interface DispatcherOptions {
  readonly outbox: Outbox
  readonly receivers: readonly Receiver[]
  readonly node: string
  readonly app: string
  readonly leaseMs: number
  readonly attempts: number
  readonly backoffMs?: (attempt: number) => number
  readonly metrics: Metrics
  readonly log: Logger
}

/**
 * Tells the application's servers what happens. Of each partition and receiver one node delivers, so that a user's events keep their
 * order, and no receiver waits for another. It sends nothing to Redis while nothing happens but its claims, with each heartbeat.
 */
export class Dispatcher {
  readonly #desks: readonly Desk[]
  readonly #couriers: readonly Courier[]
  #started = false

  constructor({ outbox, receivers, node, app, leaseMs, log, ...rest }: DispatcherOptions) {
    const partitions = Array.from({ length: outbox.partitions }, (_, partition) => partition)
    const desks = partitions.map((partition) => {
      const couriers = receivers.map((receiver): [string, Courier] => {
        const key = keyOf(app, receiver.name)
        return [key, new Courier({ outbox, partition, node, app, receiver, key, log, ...rest })]
      })
      return { couriers, desk: new Desk({ outbox, partition, node, couriers: new Map(couriers), leaseMs, log }) }
    })
    this.#desks = desks.map(({ desk }) => desk)
    this.#couriers = desks.flatMap(({ couriers }) => couriers.map(([, courier]) => courier))
    for (const receiver of receivers) rest.metrics.webhookBacklog.set({ receiver: receiver.name }, 0)
    rest.metrics.onCollect(() => {
      const behind = new Map(receivers.map(({ name }) => [name, 0]))
      for (const courier of this.#couriers) behind.set(courier.receiver, (behind.get(courier.receiver) ?? 0) + courier.behind)
      for (const [receiver, count] of behind) rest.metrics.webhookBacklog.set({ receiver }, count)
    })
  }

  async start(): Promise<void> {
    await Promise.all(this.#desks.map((desk) => desk.start()))
    this.#started = true
  }

  /** A heartbeat of the partition was answered. */
  beat(partition: number): void {
    if (this.#started) this.#desks[partition]?.beat()
  }

  async stop(): Promise<void> {
    this.#started = false
    await Promise.all(this.#desks.map((desk) => desk.stop(GRACE_MS)))
  }
}
