import type { ChannelRef, States } from '../protocol/channel.js'
import { RollcallError } from '../protocol/errors.js'
import type { PacketSpan, PresenceEvent } from '../protocol/events.js'
import type { ResumeResult, SubscribeRequest } from '../protocol/requests.js'
import { mergeStates } from '../protocol/states.js'
import type { EventQueue } from './emitter.js'
import type { LinkState, PresenceMessage } from './events.js'
import { isUnanswered } from './failures.js'
import { deadlineFromNow, type RequestOptions } from './link.js'
import { ChannelView } from './live-channel.js'
import { Repairs } from './repairs.js'
import { inMessages } from './resume-messages.js'
import { StateCache } from './state-cache.js'
import { Subscription, type SubscribeOptions } from './subscription.js'
import { channelKey, type ReplyOf, type RequestOf } from './wire.js'

type Ask = (request: RequestOf<'resume'>) => Promise<ReplyOf<'resume'>>

/** What channels need of the link. */
export interface ChannelsLink {
  readonly state: LinkState
  request<Name extends 'subscribe' | 'unsubscribe' | 'resume'>(name: Name, payload: RequestOf<Name>, operation: string, options?: RequestOptions): Promise<ReplyOf<Name>>
}

/** Every channel of a client: what it subscribes to, what it has cached for later, and the live views. */
export class Channels {
  readonly cache = new StateCache()
  readonly #userId: string
  readonly #queue: EventQueue
  readonly #link: ChannelsLink
  readonly #tell: (message: PresenceMessage) => void
  readonly #subscriptions = new Map<string, Subscription>()
  /** Views that the app holds or a subscription feeds. */
  readonly #views = new Map<string, ChannelView>()
  readonly #held = new Set<string>()
  /** The last of the calls that begin or end a subscription, for each channel that has one under way. */
  readonly #turns = new Map<string, Promise<unknown>>()
  /** The last of those who wait for these calls to end, for each channel where somebody does. */
  readonly #settling = new Map<string, Promise<void>>()
  readonly #repairs: Repairs<Subscription>

  constructor(userId: string, queue: EventQueue, link: ChannelsLink, tell: (message: PresenceMessage) => void) {
    this.#userId = userId
    this.#queue = queue
    this.#link = link
    this.#tell = tell
    this.#repairs = new Repairs((subscriptions) => this.#fetch(subscriptions))
  }

  /** The view of a channel for the app, which may keep it: it stays the same object. */
  held(channel: ChannelRef): ChannelView {
    this.#held.add(channelKey(channel))
    return this.#view(channel)
  }

  #view(channel: ChannelRef): ChannelView {
    const key = channelKey(channel)
    const view = this.#views.get(key) ?? new ChannelView(channel, this.#userId, this.#queue)
    this.#views.set(key, view)
    return view
  }

  /**
   * The subscription as it stands when the calls that are under way for its channel have ended. Who asks first is
   * answered first, also when more calls begin meanwhile: changes of states go out in the order of their calls.
   */
  async settled(channel: ChannelRef): Promise<Subscription | undefined> {
    const key = channelKey(channel)
    const before = this.#settling.get(key)
    const settling = this.#settle(key, before)
    this.#settling.set(key, settling)
    await settling
    if (this.#settling.get(key) === settling) this.#settling.delete(key)
    const subscription = this.#subscriptions.get(key)
    return subscription?.joined === true ? subscription : undefined
  }

  async #settle(key: string, before: Promise<void> | undefined): Promise<void> {
    await before
    while (this.#turns.has(key)) await this.#turns.get(key)
  }

  subscribe(channel: ChannelRef, options: SubscribeOptions, operation: string): Promise<{ readonly timestamp: number }> {
    return this.#inTurn(channel, async (deadline) => {
      const key = channelKey(channel)
      const known = this.#subscriptions.get(key)
      const subscription = known ?? new Subscription(this.#view(channel))
      const states = this.cache.get(channel)
      const request = subscription.beginning(options, states)
      // Registered first: its SNAPSHOT may come together with the reply.
      this.#subscriptions.set(key, subscription)
      const { withPresence } = subscription
      subscription.withPresence = withPresence || request.withPresence === true
      if (request.withPresence === true) subscription.view.begin(subscription.own)
      try {
        const { timestamp, version } = await this.#link.request('subscribe', request, operation, { deadline })
        this.#begun(subscription, request, version)
        return { timestamp }
      } catch (error) {
        subscription.withPresence = withPresence
        if (known === undefined) {
          this.#forget(subscription)
          if (isUnanswered(error)) this.#withdraw(channel)
        }
        throw error
      }
    })
  }

  unsubscribe(channel: ChannelRef, operation: string): Promise<{ readonly timestamp: number }> {
    return this.#inTurn(channel, async (deadline) => {
      const subscription = this.#subscriptions.get(channelKey(channel))
      if (subscription !== undefined) subscription.leaving = true
      const { timestamp } = await this.#link.request('unsubscribe', channel, operation, { deadline }).catch((error: unknown) => {
        // What could not be resumed is what was wanted: over.
        if (subscription !== undefined && isNotSubscribed(error)) return { timestamp: Date.now() }
        if (subscription !== undefined) subscription.leaving = false
        throw error
      })
      this.ended(channel)
      return { timestamp }
    })
  }

  /** The subscription is over, by this client's wish or by the server's. */
  ended(channel: ChannelRef): void {
    const subscription = this.#subscriptions.get(channelKey(channel))
    if (subscription !== undefined) this.#forget(subscription)
    this.cache.remove(channel, [])
  }

  /** An acknowledged change of one's own states. */
  wrote(subscription: Subscription, version: number, apply: (states: States) => States): void {
    subscription.own.wrote(version, apply)
    // Without events, replies are all that there is.
    if (!subscription.withPresence) subscription.own.settle(version)
    subscription.view.ownChanged()
  }

  /** Nobody knows what became of a change of one's own states: only a SNAPSHOT will tell. */
  unsure(subscription: Subscription): void {
    if (!subscription.withPresence) return
    subscription.resnapshot = true
    // Otherwise the next connection asks for it.
    if (this.#link.state === 'CONNECTED') this.#repairs.want(subscription)
  }

  receive(events: readonly PresenceEvent[], span?: PacketSpan): void {
    const channel = span ?? events[0]
    const subscription = channel === undefined ? undefined : this.#subscriptions.get(channelKey(channel))
    // What was sent before the node knew that it is not wanted any more.
    if (subscription?.withPresence !== true) return
    const { messages, gap } = subscription.view.receive(events, span)
    for (const message of messages) this.#tell(message)
    if (!gap) return
    subscription.view.mark('syncing')
    this.#repairs.want(subscription)
  }

  /** The connection is gone: nothing is in step any more. The names of the channels concerned. */
  lost(): string[] {
    this.#repairs.stop()
    const joined = this.#joined()
    for (const subscription of joined) subscription.view.mark('stale')
    return namesOf(joined)
  }

  /**
   * Continues every subscription on a new connection. Resolves with the names of those that could not be continued;
   * what can be tried again is, later. Rejects only when the connection is lost once more.
   */
  async resume(ask: Ask): Promise<string[]> {
    this.#repairs.stop()
    const joined = this.#joined()
    for (const subscription of joined) {
      if (subscription.withPresence && subscription.view.status === 'stale') subscription.view.mark('syncing')
    }
    const { retryable, failed } = await this.#continue(joined, ask)
    for (const subscription of retryable) this.#repairs.want(subscription)
    return namesOf([...retryable, ...failed])
  }

  /** The session is over: every subscription and every cached state is forgotten. The names of the channels concerned. */
  end(): string[] {
    this.#repairs.stop()
    this.cache.clear()
    const joined = this.#joined()
    for (const subscription of [...this.#subscriptions.values()]) this.#forget(subscription)
    return namesOf(joined)
  }

  #joined(): Subscription[] {
    return [...this.#subscriptions.values()].filter(({ joined }) => joined)
  }

  #begun(subscription: Subscription, { withPresence = true, beQuiet = false, states }: SubscribeRequest, version: number): void {
    const { view, channel } = subscription
    subscription.joined = true
    subscription.withPresence = withPresence
    subscription.beQuiet = beQuiet
    if (!withPresence) view.end()
    if (states === undefined) return
    this.cache.remove(channel, [])
    this.wrote(subscription, version, (before) => mergeStates(before, states))
  }

  #forget(subscription: Subscription): void {
    const key = channelKey(subscription.channel)
    this.#repairs.forget(subscription)
    if (this.#subscriptions.get(key) !== subscription) return
    this.#subscriptions.delete(key)
    subscription.view.end()
    if (!this.#held.has(key)) this.#views.delete(key)
  }

  /** One call at a time for each channel, in the order of the calls. The time that one waits for its turn is its own. */
  #inTurn<T>(channel: ChannelRef, call: (deadline: number) => Promise<T>): Promise<T> {
    const key = channelKey(channel)
    const deadline = deadlineFromNow()
    const before = this.#turns.get(key)
    const turn = before === undefined ? call(deadline) : before.then(() => call(deadline))
    const ended = turn.then(
      () => undefined,
      () => undefined,
    )
    const last = ended.then(() => {
      if (this.#turns.get(key) === last) this.#turns.delete(key)
    })
    this.#turns.set(key, last)
    return turn
  }

  /** The reply never came: the server may hold a membership that nobody here knows of. */
  #withdraw(channel: ChannelRef): void {
    this.#link.request('unsubscribe', channel, 'unsubscribe').catch(() => undefined)
  }

  /** {@link Repairs}: what is asked for again while the connection holds. */
  async #fetch(subscriptions: readonly Subscription[]): Promise<readonly Subscription[]> {
    const current = subscriptions.filter((subscription) => !subscription.leaving && this.#subscriptions.get(channelKey(subscription.channel)) === subscription)
    try {
      const { retryable } = await this.#continue(current, (request) => this.#link.request('resume', request, 'resume', { resend: false }))
      return retryable
    } catch {
      // The connection is lost; the next one resumes everything.
      return []
    }
  }

  async #continue(subscriptions: readonly Subscription[], ask: Ask): Promise<{ retryable: Subscription[]; failed: Subscription[] }> {
    const retryable: Subscription[] = []
    const failed: Subscription[] = []
    const refuse = (subscription: Subscription, error: RollcallError) => {
      subscription.view.mark('stale')
      ;(error.retryable ? retryable : failed).push(subscription)
    }
    for (const message of inMessages(subscriptions, (subscription) => subscription.continuing())) {
      const results = await ask({ channels: message.map(({ request }) => request) }).catch((error: unknown) => {
        if (error instanceof RollcallError && error.code !== 'PRESENCE_REQUEST_CANCELLED') return error
        throw error
      })
      message.forEach(({ item: subscription }, at) => {
        const result = results instanceof RollcallError ? results : resultFor(subscription, results.channels, at)
        if (result instanceof RollcallError) return refuse(subscription, result)
        subscription.resnapshot = false
        if (subscription.withPresence) subscription.view.expect(result.version)
      })
    }
    return { retryable, failed }
  }
}

/** Results come in the order of the request. */
function resultFor({ channel }: Subscription, results: readonly ResumeResult[], at: number): Exclude<ResumeResult, { result: 'error' }> | RollcallError {
  const result = results[at]
  if (result === undefined || channelKey(result) !== channelKey(channel)) return new RollcallError('PRESENCE_OPERATION_FAILED', 'no result for this channel', 'resume')
  return result.result === 'error' ? RollcallError.from(result.error, 'resume') : result
}

function isNotSubscribed(error: unknown): boolean {
  return error instanceof RollcallError && (error.code === 'CHANNEL_NOT_SUBSCRIBED' || error.code === 'CHANNEL_NOT_JOINED')
}

function namesOf(subscriptions: readonly Subscription[]): string[] {
  return [...new Set(subscriptions.map(({ channel }) => channel.channelName))]
}
