import type { MessageEvent } from '../protocol/events.js'
import { checkMessageText, parseOffline, type Received } from '../protocol/messages.js'
import { checkUserId } from '../protocol/names.js'
import type { PeerMessage } from './events.js'
import { during } from './failures.js'
import type { Link } from './link.js'
import { optionsOf } from './options.js'
import type { Done } from './presence-api.js'

export interface SendMessageOptions {
  /** Keep it for a user who is not there. @default false */
  readonly offline?: boolean
}

export interface SendMessageResult extends Done {
  /** Whether a session of the peer has acknowledged it. `false` is no proof that none has had it. */
  readonly received: boolean
}

/** How messages come to the app. */
export interface MessageOutlet {
  /** Queues what will deliver. */
  later(run: () => void): void
  /** Answers whether anybody listened. */
  deliver(message: PeerMessage): boolean
}

/** What is known of messages that came; of more the oldest are forgotten. A node keeps fewer for a user. */
const REMEMBERED = 1_024
/** What a session says that has had none. */
const NONE: Received = { life: '', position: 0 }

/** One that came: whether the app has had it, and whom to tell when it does. */
interface Known {
  had: boolean
  waiting: (() => void)[] | null
}

/**
 * `client.messages`: texts from user to user. What comes is the client's event `message`: each message once, those of one user in their
 * order. A message counts as received when somebody listened to that event; one that nobody listened to does not, and comes again later if
 * the cluster still has it.
 */
export class MessagesApi {
  readonly #link: Pick<Link, 'limits' | 'request'>
  readonly #outlet: MessageOutlet
  readonly #known = new Map<string, Known>()
  #received: Received = NONE
  #sequence = 0

  constructor(link: Pick<Link, 'limits' | 'request'>, outlet: MessageOutlet) {
    this.#link = link
    this.#outlet = outlet
  }

  /**
   * Sends a text to all sessions of a user; resolves when one of them has acknowledged it, or when none has within `messageWaitMs`, or there is
   * none. One that was under way when the connection was lost is sent again, and is not delivered twice.
   *
   * INVALID_USER_ID, MESSAGE_INVALID_TEXT, MESSAGE_TEXT_TOO_LONG, PRESENCE_INVALID_ARGUMENT, USER_BLOCKED, NOT_LOGIN, NOT_CONNECTED,
   * RATE_EXCEEDED; PRESENCE_OPERATION_FAILED (not sent); PRESENCE_OPERATION_TIMEOUT, PRESENCE_REQUEST_CANCELLED (nobody knows whether it was).
   */
  async send(peerId: string, text: string, options: SendMessageOptions = {}): Promise<SendMessageResult> {
    const operation = 'sendMessage'
    const request = during(operation, () => ({ userId: checkUserId(peerId), text: checkMessageText(text, this.#link.limits), offline: parseOffline(optionsOf(options).offline) }))
    const { received, timestamp } = await this.#link.request('sendMessage', { ...request, sequence: ++this.#sequence }, operation)
    return { received, timestamp }
  }

  /** For the handshake of a connection that continues the session. */
  get received(): Received {
    return this.#received
  }

  /** The event, as it came over a connection. */
  receive(event: MessageEvent, acknowledge: () => void): void {
    const known = this.#known.get(event.id)
    if (known?.had === true) acknowledge()
    else if (known?.waiting != null) known.waiting.push(acknowledge)
    else if (!this.#isPast(event)) {
      const fresh: Known = { had: false, waiting: [acknowledge] }
      this.#remember(event.id, fresh)
      this.#outlet.later(() => this.#deliver(event, fresh))
    }
  }

  /** The session is over. What the app has had is remembered: another session may be sent it again. */
  end(): void {
    this.#received = NONE
  }

  #deliver({ life, position, id, from, text, offline, timestamp }: MessageEvent, known: Known): void {
    const { waiting } = known
    known.waiting = null
    if (!this.#outlet.deliver({ id, from, text, offline, timestamp })) return
    known.had = true
    this.#received = { life, position }
    for (const acknowledge of waiting ?? []) acknowledge()
  }

  /** Later ones have been delivered: it would come out of its order. */
  #isPast({ life, position }: MessageEvent): boolean {
    return life === this.#received.life && position <= this.#received.position
  }

  #remember(id: string, known: Known): void {
    this.#known.delete(id)
    this.#known.set(id, known)
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= REMEMBERED) break
      this.#known.delete(oldest)
    }
  }
}
