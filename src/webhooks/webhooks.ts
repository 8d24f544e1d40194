import type { Config } from '../config.js'
import type { Logger } from '../log.js'
import type { Metrics } from '../metrics/index.js'
import type { Receiver } from '../protocol/webhooks.js'
import type { RedisStore } from '../store/index.js'
import { Dispatcher } from './dispatcher.js'
import { GivenUpList } from './given-up.js'
import { checkReceiver, httpReceivers } from './receivers.js'

export interface WebhooksOptions {
  readonly store: Pick<RedisStore, 'outbox' | 'keepOutbox'>
  readonly config: Pick<Config, 'appId' | 'limits' | 'heartbeatTtlMs' | 'webhookUrls' | 'webhookSecret' | 'webhookAllowPrivate'>
  /** Functions, besides the servers that the configuration names. */
  readonly receivers: readonly Receiver[]
  readonly nodeId: string
  readonly metrics: Metrics
  readonly log: Logger
}

/** A node's part in telling the application's own servers and functions what happens. Without any of them it does nothing. */
export class Webhooks {
  readonly failed: GivenUpList
  readonly #receivers: Receiver[] = []
  readonly #servers: ReturnType<typeof httpReceivers>
  #dispatcher: Dispatcher | null = null

  constructor(private readonly options: WebhooksOptions) {
    const { store, config, receivers, metrics } = options
    this.#servers = httpReceivers(config)
    for (const receiver of [...this.#servers, ...receivers]) this.add(receiver)
    this.failed = new GivenUpList(store.outbox, config.appId, this.#receivers, metrics)
  }

  /** @throws Error once the node listens, TypeError for what is no receiver or has a name that is taken. */
  add(receiver: Receiver): void {
    if (this.#dispatcher !== null) throw new Error('receivers are named before the node listens')
    checkReceiver(receiver, this.#receivers)
    this.#receivers.push(receiver)
  }

  /** From here on changes are kept for the receivers. Before the node makes any. */
  keep(): void {
    const { store, config, nodeId, metrics, log } = this.options
    store.keepOutbox(config.limits.outboxEntries, this.#receivers.length === 0 ? '' : config.appId)
    if (this.#receivers.length === 0) return
    store.outbox.keepGivenUp(config.limits.webhookGivenUp)
    this.#dispatcher = new Dispatcher({
      outbox: store.outbox,
      receivers: this.#receivers,
      node: nodeId,
      app: config.appId,
      leaseMs: config.heartbeatTtlMs,
      attempts: config.limits.webhookAttempts,
      metrics,
      log,
    })
  }

  async start(): Promise<void> {
    await this.#dispatcher?.start()
  }

  /** A heartbeat of the partition was answered: what this node delivers there is renewed. */
  beat(partition: number): void {
    this.#dispatcher?.beat(partition)
  }

  async stop(): Promise<void> {
    await this.#dispatcher?.stop()
    for (const server of this.#servers) server.close()
  }
}
