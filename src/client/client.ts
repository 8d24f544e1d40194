import type { ChannelRef, ChannelType } from '../protocol/channel.js'
import { RollcallError } from '../protocol/errors.js'
import { checkChannel, checkChannelName, checkUserId } from '../protocol/names.js'
import { Channels } from './channels.js'
import { Credentials, type LoginOptions } from './credentials.js'
import { Emitter, EventQueue } from './emitter.js'
import type { ClientEvents, LinkState } from './events.js'
import { during } from './failures.js'
import { InvitationsApi } from './invitations-api.js'
import { Link } from './link.js'
import type { LiveChannel } from './live-channel.js'
import { MessagesApi } from './messages-api.js'
import { checkOptions, optionsOf, type ClientOptions } from './options.js'
import { onPageHide } from './page.js'
import { PeersApi } from './peers-api.js'
import { PresenceApi, type Done } from './presence-api.js'
import { RosterApi } from './roster-api.js'
import { StatusApi } from './status-api.js'
import { StorageApi } from './storage-api.js'
import { StreamChannel, type SubscribeResult } from './stream-channel.js'
import type { SubscribeOptions } from './subscription.js'
import { renewInBackground } from './token-renewal.js'

/** Milliseconds for `getToken` when the present token is about to expire. */
const GET_TOKEN_MS = 10_000

export interface RenewTokenResult extends Done {
  /** Subscriptions that the new token does not cover; they are over. */
  readonly ended: readonly ChannelRef[]
}

/**
 * A client of a Rollcall cluster, in the shape of RTM 2.x (`000`), for browsers and Node.
 *
 * Events: `presence`, `peers`, `message`, `invitation`, `status`, `roster`, `linkState`, `token`, `kicked` ({@link ClientEvents}). None fires before the tick of the call that
 * caused it has ended. Every failed call rejects with a {@link RollcallError}, whose `operation` names the call.
 */
export class RollcallClient extends Emitter<ClientEvents> {
  readonly userId: string
  /** Temporary states and who is where. */
  readonly presence: PresenceApi
  /** Whether other users are there. */
  readonly peers: PeersApi
  /** To ask another user into a call, and to answer. */
  readonly invitations: InvitationsApi
  /** What lasts of users. */
  readonly storage: StorageApi
  /** Messages to other users. */
  readonly messages: MessagesApi
  /** What this user says of itself to others. */
  readonly status: StatusApi
  /** This user's friends. */
  readonly roster: RosterApi
  readonly #credentials: Credentials
  readonly #link: Link
  readonly #channels: Channels
  #renewal = new AbortController()
  #unhook: () => void = () => undefined

  /**
   * Opens nothing yet: see {@link login}.
   *
   * @param appId the cluster's app id (`ROLLCALL_APP_ID`)
   * @throws RollcallError PRESENCE_INVALID_ARGUMENT for options that cannot be
   */
  constructor(appId: string, userId: string, options: ClientOptions = {}) {
    const queue = new EventQueue()
    super(queue)
    const checked = checkOptions(options)
    this.userId = userId
    this.#credentials = new Credentials(appId, userId, checked)
    this.#link = new Link(checked, this.#credentials, {
      resume: async (connection) => {
        this.invitations.noteTime(connection.ready.timestamp)
        const unrestored = await this.#channels.resume((request) => connection.request('resume', request, GET_TOKEN_MS))
        await this.peers.resume(connection, (request) => connection.request('subscribePeers', request, GET_TOKEN_MS))
        await this.invitations.resume((request) => connection.request('getInvitations', request, GET_TOKEN_MS))
        return unrestored
      },
      lost: () => {
        this.peers.lost()
        return this.#channels.lost()
      },
      ended: () => this.#ended(),
      presence: (events, span) => this.#channels.receive(events, span),
      peers: (changes, connection) => this.peers.receive(changes, connection),
      invitation: (invitation, acknowledge) => this.invitations.receive(invitation, acknowledge),
      message: (event, acknowledge) => this.messages.receive(event, acknowledge),
      received: () => this.messages.received,
      status: (notice) => this.status.receive(notice),
      roster: (notice) => this.roster.receive(notice),
      token: (event) => {
        this.emit('token', event)
        if (event.eventType === 'WILL_EXPIRE' && this.#credentials.canRenew) void renewInBackground(() => this.#renew(), this.#renewal.signal)
      },
      kicked: (event) => this.emit('kicked', event),
      state: (event) => {
        if (event.currentState === 'CONNECTING' && event.operation === 'LOGIN') this.#unhook = onPageHide(() => this.#link.closing())
        this.emit('linkState', event)
      },
    })
    this.#channels = new Channels(userId, queue, this.#link, (message) => this.emit('presence', message))
    this.presence = new PresenceApi(userId, this.#link, this.#channels)
    this.peers = new PeersApi(this.#link, (changes) => this.emit('peers', changes))
    this.invitations = new InvitationsApi(userId, this.#link, (invitation, heard) =>
      this.later(() => {
        if (this.hears('invitation')) heard()
        this.deliver('invitation', invitation)
      }),
    )
    this.storage = new StorageApi(userId, this.#link)
    this.status = new StatusApi(this.#link, (notice) => this.emit('status', notice))
    this.roster = new RosterApi(this.#link, (notice) => this.emit('roster', notice))
    this.messages = new MessagesApi(this.#link, { later: (run) => this.later(run), deliver: (message) => this.deliver('message', message) })
  }

  /** The session that the cluster knows this client by, from the last login on. */
  get sessionId(): string | undefined {
    return this.#link.ready?.sessionId
  }

  /** The node that serves this client, or did last. */
  get nodeId(): string | undefined {
    return this.#link.ready?.nodeId
  }

  get linkState(): LinkState {
    return this.#link.state
  }

  /**
   * Begins a session. While there is one, or one is being opened, this is its login and nothing happens.
   *
   * INVALID_USER_ID, INVALID_APP_ID, INVALID_TOKEN, TOKEN_EXPIRED (without `getToken`), PERMISSION_DENIED and
   * DUPLICATE_USER_ID are final. NOT_CONNECTED and what else can be retried are, at all addresses in turn, for 10 s.
   */
  async login(options: LoginOptions = {}): Promise<Done> {
    during('login', () => checkUserId(this.userId) && optionsOf(options))
    return this.#link.login(options)
  }

  /** Leaves every channel at once, after what is under way was answered (at most 1 s). A login that is under way, or waits for an earlier logout, is given up. Without a session nothing happens. */
  logout(): Promise<void> {
    return this.#link.logout()
  }

  /** Replaces the token of this session; it is also used to reconnect. INVALID_TOKEN, TOKEN_EXPIRED: the old one stays. */
  async renewToken(token: string): Promise<RenewTokenResult> {
    const reply = await this.#link.request('renewToken', { token }, 'renewToken')
    this.#credentials.renewed(token)
    const { ended = [] } = reply as { readonly ended?: readonly ChannelRef[] }
    for (const channel of ended) this.#channels.ended(channel)
    return { timestamp: reply.timestamp, ended }
  }

  /**
   * Joins a channel and, with presence, watches it; the first event is a SNAPSHOT. States that were set before go along
   * (`000.1`). Repeating it changes what differs.
   *
   * INVALID_CHANNEL_NAME, INVALID_CHANNEL_TYPE, NOT_LOGIN, NOT_CONNECTED, CHANNEL_LIMIT, PERMISSION_DENIED.
   *
   * @param options.channelType @default 'MESSAGE'
   */
  async subscribe(channelName: string, options: SubscribeOptions & { readonly channelType?: ChannelType } = {}): Promise<SubscribeResult> {
    const channel = during('subscribe', () => checkChannel(channelName, optionsOf(options).channelType ?? 'MESSAGE'))
    this.#link.assertUsable('subscribe')
    const { timestamp } = await this.#channels.subscribe(channel, options, 'subscribe')
    return { timestamp, channelName }
  }

  /**
   * Leaves a channel: others see one leave, and the states are gone. CHANNEL_NOT_SUBSCRIBED.
   *
   * @param options.channelType @default 'MESSAGE'
   */
  async unsubscribe(channelName: string, options: { readonly channelType?: ChannelType } = {}): Promise<SubscribeResult> {
    const channel = during('unsubscribe', () => checkChannel(channelName, optionsOf(options).channelType ?? 'MESSAGE'))
    this.#link.assertUsable('unsubscribe')
    const { timestamp } = await this.#channels.unsubscribe(channel, 'unsubscribe')
    return { timestamp, channelName }
  }

  /** Throws INVALID_CHANNEL_NAME. Nothing happens before its `join`. */
  createStreamChannel(channelName: string): StreamChannel {
    const name = during('createStreamChannel', () => checkChannelName(channelName))
    return new StreamChannel(name, this.#channels, (operation) => this.#link.assertUsable(operation))
  }

  /**
   * The live view of a channel; empty and `stale` until it is subscribed to with presence. Each call gives the same
   * object. Throws INVALID_CHANNEL_NAME, INVALID_CHANNEL_TYPE.
   */
  channel(channelName: string, channelType: ChannelType = 'MESSAGE'): LiveChannel {
    return this.#channels.held(during('channel', () => checkChannel(channelName, channelType)))
  }

  async #renew(): Promise<void> {
    await this.renewToken(await this.#credentials.ask(GET_TOKEN_MS))
  }

  #ended(): readonly string[] {
    this.#renewal.abort(new RollcallError('PRESENCE_REQUEST_CANCELLED', 'the session is over'))
    this.#renewal = new AbortController()
    this.#unhook()
    this.peers.end()
    this.messages.end()
    this.invitations.end()
    return this.#channels.end()
  }
}
