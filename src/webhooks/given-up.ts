import type { Metrics } from '../metrics/index.js'
import type { GivenUp, Outbox } from '../presence/outbox.js'
import { RollcallError } from '../protocol/errors.js'
import type { Receiver, WebhookMessage } from '../protocol/webhooks.js'
import { messageOf } from './messages.js'
import { keyOf, receiverOf } from './receivers.js'

/** An event that a receiver could not be given. */
export type FailedWebhook = WebhookMessage & {
  readonly receiver: string
  readonly attempts: number
  /** What the receiver answered last, or why it could not be reached. */
  readonly lastError: string
  /** ISO 8601. */
  readonly givenUpAt: string
}

/** What was given up, for people to look at and to send again. */
export class GivenUpList {
  constructor(
    private readonly outbox: Pick<Outbox, 'givenUp' | 'forget'>,
    private readonly app: string,
    private readonly receivers: readonly Receiver[],
    private readonly metrics: Pick<Metrics, 'webhooksDelivered'>,
  ) {}

  /** At most so many, the newest first. */
  async list(limit: number): Promise<readonly FailedWebhook[]> {
    return (await this.#mine()).slice(0, limit).map(({ receiver, attempts, lastError, at, entry }) => ({
      ...messageOf(entry),
      receiver: receiverOf(this.app, receiver),
      attempts,
      lastError,
      givenUpAt: new Date(at).toISOString(),
    }))
  }

  /**
   * Sends an event once, now, to one receiver or to all that did not get it; who takes it is struck from the list.
   *
   * @returns the receivers that have it now
   * @throws RollcallError NOT_FOUND, WEBHOOK_FAILED
   */
  async resend(id: string, receiver?: string): Promise<readonly string[]> {
    const wanted = (await this.#mine()).filter((given) => given.id === id && (receiver === undefined || given.receiver === keyOf(this.app, receiver)))
    if (wanted.length === 0) throw new RollcallError('NOT_FOUND', 'no such event was given up, or it has been sent since')
    return Promise.all(wanted.map((given) => this.#send(given)))
  }

  async #send({ id, receiver: key, entry, partition }: GivenUp & { readonly partition: number }): Promise<string> {
    const name = receiverOf(this.app, key)
    const receiver = this.receivers.find((each) => each.name === name)
    if (receiver === undefined) throw new RollcallError('NOT_FOUND', `this node has no receiver named ${name}`)
    try {
      await receiver.deliver(messageOf(entry))
    } catch (error) {
      throw new RollcallError('WEBHOOK_FAILED', `${name}: ${error instanceof Error ? error.message : String(error)}`, '', { cause: error })
    }
    this.metrics.webhooksDelivered.inc({ receiver: name })
    await this.outbox.forget(partition, key, id)
    return name
  }

  async #mine(): Promise<readonly (GivenUp & { readonly partition: number })[]> {
    return (await this.outbox.givenUp(Number.MAX_SAFE_INTEGER)).filter(({ entry }) => entry.app === this.app)
  }
}
