import { RollcallError } from '../protocol/errors.js'
import type { Limits } from '../protocol/limits.js'
import type { Received, SendMessage } from '../protocol/messages.js'
import { MultiMap } from './multi-map.js'
import type { Post } from './post.js'
import type { Session } from './service.js'
import { settled } from './settled.js'
import { askByPartition } from './statuses.js'
import type { PresenceStore } from './store.js'
import { userChannel } from './types.js'

/** A message on its way in. */
export interface Outgoing {
  readonly to: string
  readonly from: string
  /** The sender's session. */
  readonly session: string
  /** Names the message among those of the session; with a sequence it is the sequence. */
  readonly token: string
  readonly sequence: number | null
  readonly text: string
  /** Whether it waits for a user who is not there, and for those who do not acknowledge it now. */
  readonly waits: boolean
}

/** A message as sessions are sent it. */
export interface StoredMessage {
  readonly id: string
  readonly from: string
  readonly text: string
  /** Its place among all messages to users of the partition: on the partition's clock, so that it says what was there when a session began. */
  readonly position: number
  /** Milliseconds since the epoch, by Redis's clock. */
  readonly timestamp: number
}

/** What became of a message that was taken, or had been before. */
export type Taken =
  /** Nobody has acknowledged it yet. */
  | { readonly outcome: 'waiting'; readonly timestamp: number; readonly ageMs: number; readonly dropped: number }
  /** Received; or not, and it need not be waited for: nobody is there, or it was given up before. */
  | { readonly outcome: 'received' | 'unreceived'; readonly timestamp: number; readonly dropped: number }
  /** The user has blocked the sender. */
  | { readonly outcome: 'blocked' }

export interface Keeping {
  /** Milliseconds for which a message that waits is kept, and another one. */
  readonly waitingMs: number
  readonly otherMs: number
  /** Messages to one user; of more, those whose time is over first are dropped. */
  readonly most: number
  /** The nodes' heartbeat period. */
  readonly periodMs: number
}

/** Which messages a session lacks. */
export interface Lack {
  /** None up to here. */
  readonly after: number
  /** Behind this it lacks what others have acknowledged as well: in the life that it names, and else behind `floor`. */
  readonly received: Received | null
  readonly floor: number
}

export interface InboxPage {
  readonly life: string
  /** The position of the last message to anybody of the partition: what is not above it, and still there, is in this page or was in an earlier one. */
  readonly last: number
  readonly more: boolean
  /** In order. */
  readonly messages: readonly StoredMessage[]
}

/** Which message is settled. */
export type Settlement = Pick<Outgoing, 'to' | 'from' | 'session' | 'token'>

/**
 * What the domain needs of the store for messages. They are kept where the user is whom they are for, for a limited time, and only while a
 * session may still have to get them.
 *
 * Calls reject with `UnknownOutcomeError` or `StoreRefusedError`. All may be repeated: `take` where there is a sequence.
 */
export interface MessageStore extends Pick<PresenceStore, 'partitionOf'> {
  /** Keeps a message and posts it, in one step; unless it would reach nobody, or has come before. */
  take(app: string, message: Outgoing, keeping: Keeping): Promise<Taken>
  /**
   * A session has had it, which the first time is posted as `received` to the sender. While the user has other sessions it is kept for
   * these, for `graceMs` longer than the longest presenceTimeout among them.
   */
  acknowledge(app: string, message: Settlement, session: string, graceMs: number): Promise<void>
  /** Whether any session has acknowledged it. If none has, it is given up, unless it waits. */
  settle(app: string, message: Settlement): Promise<boolean>
  /** Which of some users of one partition have messages that are kept. One call. */
  holding(partition: number, app: string, userIds: readonly string[]): Promise<readonly string[]>
  /** A page of at least one message, and more up to about so many bytes. */
  read(app: string, userId: string, lack: Lack, bytes: number): Promise<InboxPage>
}

/** A message whose sender waits for what comes of it. */
export interface Sent {
  /** Milliseconds since the epoch, by Redis's clock. */
  readonly timestamp: number
  /** Settles within `messageWaitMs`. */
  readonly received: Promise<boolean>
}

export type MessageLimits = Pick<Limits, 'messageWaitMs' | 'offlineMessages' | 'offlineMessageS'>

/** For so long a message that does not wait outlives the time in which its sender waits, should the sender's node not give it up. */
const LEFT_MS = 30_000
/** A node that died with a session is noticed within this; from then on the session has its presenceTimeout to come back. */
const GRACE_MS = 30_000
const RECEIVED = Promise.resolve(true)
const UNRECEIVED = Promise.resolve(false)

export interface MessagesOptions {
  readonly app: string
  readonly limits: MessageLimits
  readonly heartbeatMs: number
  /** Whether one user has blocked another. */
  readonly blocks: (owner: string, peer: string) => Promise<boolean>
  readonly newToken: () => string
  readonly onDropped: (count: number) => void
}

/**
 * Messages from user to user (`002.12`, `002.13`). A message is received when a session of the user has acknowledged it, and that is only ever
 * said of one that was. Methods reject with a `RollcallError`: PRESENCE_OPERATION_FAILED, PRESENCE_OPERATION_TIMEOUT (outcome unknown), and
 * what each names.
 */
export class Messages {
  /** By the id of the message. The same may be waited for twice, when its sender was here before. */
  readonly #waiting = new MultiMap<Wait>()
  readonly #waits = new Set<Wait>()
  readonly #keeping: Keeping
  #closed = false

  constructor(
    private readonly store: MessageStore,
    private readonly options: MessagesOptions,
  ) {
    const { messageWaitMs, offlineMessages, offlineMessageS } = options.limits
    this.#keeping = { waitingMs: offlineMessageS * 1000, otherMs: messageWaitMs + LEFT_MS, most: offlineMessages, periodMs: options.heartbeatMs }
  }

  /**
   * Resolves when the message is taken, in its place behind those of the same session whose call has resolved before. USER_BLOCKED: one of
   * the two has blocked the other.
   */
  async send({ userId: from, id: session }: Pick<Session, 'userId' | 'id'>, { userId: to, text, offline, sequence }: SendMessage): Promise<Sent> {
    const { app, blocks, newToken, onDropped } = this.options
    if (await blocks(from, to)) throw blocked()
    const token = sequence === null ? newToken() : String(sequence)
    const message = { to, from, session, token }
    // The acknowledgement may be here before the store's answer is.
    const wait = this.#expect(messageId(message))
    try {
      const taken = await settled(this.store.take(app, { ...message, sequence, text, waits: offline }, this.#keeping))
      if (taken.outcome === 'blocked') throw blocked()
      if (taken.dropped > 0) onDropped(taken.dropped)
      const { timestamp } = taken
      if (taken.outcome === 'waiting') return { timestamp, received: this.#outcome(message, wait, this.options.limits.messageWaitMs - taken.ageMs) }
      this.#end(wait)
      return { timestamp, received: taken.outcome === 'received' ? RECEIVED : UNRECEIVED }
    } catch (error) {
      this.#end(wait)
      throw error
    }
  }

  /** A session has had a message. */
  acknowledge({ userId: to, id }: Pick<Session, 'userId' | 'id'>, messageId: string): Promise<void> {
    return settled(this.store.acknowledge(this.options.app, { to, ...partsOf(messageId) }, id, GRACE_MS))
  }

  /** The partition of a user's messages. */
  partitionOf(userId: string): number {
    return this.store.partitionOf(userChannel(this.options.app, userId))
  }

  read(userId: string, lack: Lack, bytes: number): Promise<InboxPage> {
    return settled(this.store.read(this.options.app, userId, lack, bytes))
  }

  /** Which of these users have messages that are kept: one call a partition, for up to `STATUS_CHUNK` of them. */
  async holding(userIds: Iterable<string>): Promise<ReadonlySet<string>> {
    const { app } = this.options
    return new Set((await settled(askByPartition(this.store, app, userIds, (partition, some) => this.store.holding(partition, app, some)))).flat())
  }

  /** Post: a session has acknowledged a message. */
  received({ fields: [id = ''] }: Post): void {
    for (const wait of [...this.#waiting.of(id)]) this.#end(wait, true)
  }

  /** Nobody waits any more: PRESENCE_REQUEST_CANCELLED. */
  close(): void {
    this.#closed = true
    for (const wait of this.#waits) this.#end(wait)
  }

  #expect(id: string): Wait {
    const wait = new Wait(id)
    this.#waiting.add(id, wait)
    this.#waits.add(wait)
    return wait
  }

  #end(wait: Wait, received = false): void {
    this.#waiting.delete(wait.id, wait)
    this.#waits.delete(wait)
    wait.end(received)
  }

  async #outcome(message: Settlement, wait: Wait, ms: number): Promise<boolean> {
    const received = await wait.within(ms)
    // Also what was acknowledged before it was waited for: its timer began after that.
    this.#end(wait)
    if (received) return true
    if (this.#closed) throw new RollcallError('PRESENCE_REQUEST_CANCELLED', 'the node is leaving')
    // What it was told may be lost: only the store knows.
    return settled(this.store.settle(this.options.app, message))
  }
}

/** Somebody waits for a message to be acknowledged. */
class Wait {
  readonly #over: Promise<boolean>
  #resolve: (received: boolean) => void = () => undefined
  #timer: NodeJS.Timeout | undefined

  constructor(readonly id: string) {
    this.#over = new Promise((resolve) => (this.#resolve = resolve))
  }

  /** False when it was not in time. */
  within(ms: number): Promise<boolean> {
    this.#timer = setTimeout(() => this.#resolve(false), Math.max(0, ms))
    return this.#over
  }

  end(received: boolean): void {
    clearTimeout(this.#timer)
    this.#resolve(received)
  }
}

/**
 * No two messages have the same. It names the sender, for a session's id is what a client says it is; that comes last, for only users' names may
 * have colons.
 */
export function messageId({ session, token, from }: Pick<Settlement, 'session' | 'token' | 'from'>): string {
  return `${session}:${token}:${from}`
}

function partsOf(id: string): Pick<Settlement, 'session' | 'token' | 'from'> {
  const [session = '', token = '', ...from] = id.split(':')
  return { session, token, from: from.join(':') }
}

/** What a `message` of the post says. */
export interface PostedMessage {
  readonly life: string
  readonly message: StoredMessage
}

export function messageOf({ fields }: Post): PostedMessage {
  // Only the text may have NULs.
  const [life = '', position, id = '', timestamp, from = '', ...text] = fields
  return { life, message: { id, from, text: text.join('\0'), position: Number(position), timestamp: Number(timestamp) } }
}

function blocked(): RollcallError {
  return new RollcallError('USER_BLOCKED', 'one of the two has blocked the other')
}
