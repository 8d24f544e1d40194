import { DEFAULT_LIMITS } from '../../../protocol/limits.js'
import { checkUserId } from '../../../protocol/names.js'
import { recordOf } from '../../../protocol/record.js'
import { fitsUtf8 } from '../../../protocol/text.js'
import { RollcallError } from '../../index.js'
import { Recent } from '../../recent.js'
import { CallBook } from './call-book.js'
import { RtmEmitter } from './emitter.js'
import { CODES, notLoggedIn, RtmError, toRtmError, type Area } from './errors.js'
import { LocalInvitation } from './local-invitation.js'
import { CallRate } from './rate.js'
import type { RemoteInvitation } from './remote-invitation.js'
import { Session } from './session.js'
import type { ConnectionChangeReason, ConnectionState, PeersOnlineStatusMap, ReceivedMessageProperties, RtmMessage, SendMessageOptions } from './types.js'

/** Limits of the original that are not the node's (`002`). Times are milliseconds. */
const LOGIN_MS = 6_000
const LOGINS_PER_SECOND = 2
const MESSAGES_PER_SECOND = 60
const PEERS_MAX = 512
const QUERY_MAX = 256

export interface RtmParameters {
  /** Taken and not heeded: nothing is uploaded. */
  readonly enableLogUpload?: boolean
  /** Where the nodes are: one address, or several to be tried in turn. @default the page's origin in a browser, else `http://127.0.0.1:3000` */
  readonly url?: string | readonly string[]
  /** Milliseconds for which this user counts as UNREACHABLE after a lost connection. @default the node's */
  readonly presenceTimeout?: number
}

export interface LoginParameters {
  readonly uid: string
  readonly token?: string
}

export interface RtmClientEvents {
  ConnectionStateChanged: [newState: ConnectionState, reason: ConnectionChangeReason]
  MessageFromPeer: [message: RtmMessage, peerId: string, messageProps: ReceivedMessageProperties]
  RemoteInvitationReceived: [remoteInvitation: RemoteInvitation]
  PeersOnlineStatusChanged: [peersOnlineStatus: PeersOnlineStatusMap]
  TokenWillExpired: []
  TokenDidExpired: []
}

/**
 * A client in the shape of RTM 1.x (`002`), on the SDK: each login is a session of its own. Failed calls reject with an
 * {@link RtmError}; before a login, and after its end, with 102.
 */
export class RtmClient extends RtmEmitter<RtmClientEvents> {
  readonly #logins = new CallRate(LOGINS_PER_SECOND)
  readonly #renewals = new CallRate(LOGINS_PER_SECOND)
  readonly #messages = new CallRate(MESSAGES_PER_SECOND)
  #session: Session | null = null
  #leaving: Promise<void> | null = null
  /** Logins that wait for a logout, and how often one was asked for: the next one gives them up. */
  #queued = 0
  #logouts = 0
  #calls: CallBook | null = null
  #subscribed = new Set<string>()
  /** Who was logged in last. */
  #uid = ''
  /** An acknowledgement that a logout has overtaken does not count: the message comes again to the next session of the same user. */
  readonly #heard = new Recent()
  readonly #parameters: RtmParameters

  constructor(
    readonly appId: string,
    parameters?: RtmParameters | null,
  ) {
    super({ MessageFromPeer: () => true, RemoteInvitationReceived: (invitation) => !invitation.isOver })
    this.#parameters = parameters ?? {}
  }

  /** Codes: 1 to 9, as {@link CODES} names them. */
  async login(parameters: LoginParameters): Promise<void> {
    const before = this.#logouts
    // What is told of the session before is told first.
    this.#queued++
    while (this.#leaving !== null) await this.#leaving.catch(() => undefined)
    this.#queued--
    if (this.#logouts !== before) throw loggedOutFirst()
    if (this.#session !== null) throw new RtmError(CODES.login.already, 'this client is logged in, or logging in')
    if (!this.#logins.take()) throw new RtmError(CODES.login.tooOften, `at most ${LOGINS_PER_SECOND} logins a second`)
    const session = this.#begin(parameters)
    const late = setTimeout(() => session.giveUp(), LOGIN_MS)
    try {
      await session.client.login()
      await session.begun
    } catch (error) {
      throw await this.#refused(session, error)
    } finally {
      clearTimeout(late)
    }
  }

  /** Everything that was subscribed to is gone. A login that is under way, or waits for an earlier logout, is given up, and rejects. */
  async logout(): Promise<void> {
    const session = this.#session
    if (session === null && this.#queued === 0) throw notLoggedIn()
    this.#logouts++
    if (session === null) return this.#leaving ?? undefined
    const leaving = session.leave()
    this.#leaving = leaving
    this.#over(session)
    try {
      await leaving
    } finally {
      if (this.#leaving === leaving) this.#leaving = null
    }
  }

  async renewToken(token: string): Promise<void> {
    const session = this.#here()
    checkToken(token)
    if (!this.#renewals.take()) throw new RtmError(CODES.login.tooOften, `at most ${LOGINS_PER_SECOND} renewals a second`)
    await this.#calling(session, 'login', session.client.renewToken(token))
  }

  /** `hasPeerReceived`: a session of the peer has acknowledged it. */
  async sendMessageToPeer(message: RtmMessage, peerId: string, options: SendMessageOptions | null = {}): Promise<{ readonly hasPeerReceived: boolean }> {
    const session = this.#here()
    const text: unknown = (message as RtmMessage | null | undefined)?.text
    if (typeof text !== 'string' || !fitsUtf8(text, DEFAULT_LIMITS.messageTextBytes)) throw new RtmError(CODES.message.message, `a message has a text of at most ${DEFAULT_LIMITS.messageTextBytes} bytes`)
    if (!this.#messages.take()) throw new RtmError(CODES.message.tooOften, `at most ${MESSAGES_PER_SECOND} messages a second`)
    const { received } = await this.#calling(session, 'message', session.client.messages.send(peerId, text, { offline: options?.enableOfflineMessaging === true }))
    return { hasPeerReceived: received }
  }

  /** Whether each is there; whoever is UNREACHABLE still is. */
  async queryPeersOnlineStatus(peerIds: readonly string[]): Promise<Readonly<Record<string, boolean>>> {
    const session = this.#here()
    const statuses = await this.#calling(session, 'subscription', session.client.peers.query(someOf(peerIds, QUERY_MAX)))
    return recordOf(Object.entries(statuses).map(([id, status]) => [id, status !== 'OFFLINE']))
  }

  /** `PeersOnlineStatusChanged` names all of them once, and from then on those that change. */
  async subscribePeersOnlineStatus(peerIds: readonly string[]): Promise<void> {
    const session = this.#here()
    const statuses = await this.#calling(session, 'subscription', session.client.peers.subscribe(someOf(peerIds, PEERS_MAX)))
    if (session !== this.#session) return
    const isNews = Object.keys(statuses).some((id) => !this.#subscribed.has(id))
    for (const id of Object.keys(statuses)) this.#subscribed.add(id)
    if (isNews) this.emit('PeersOnlineStatusChanged', statuses)
  }

  async unsubscribePeersOnlineStatus(peerIds: readonly string[]): Promise<void> {
    const session = this.#here()
    await this.#calling(session, 'subscription', session.client.peers.unsubscribe(someOf(peerIds, PEERS_MAX)))
    if (session === this.#session) for (const id of peerIds) this.#subscribed.delete(id)
  }

  /** Those who are subscribed to now. `ONLINE_STATUS` is the only option that there is. */
  async queryPeersBySubscriptionOption(option: 'ONLINE_STATUS'): Promise<string[]> {
    this.#here()
    if ((option as string) !== 'ONLINE_STATUS') throw new RtmError(CODES.subscription.argument, 'the option is ONLINE_STATUS')
    return [...this.#subscribed]
  }

  /** Sends nothing yet: see {@link LocalInvitation.send}. */
  createLocalInvitation(calleeId: string): LocalInvitation {
    return new LocalInvitation(calleeId, () => this.#calls)
  }

  #begin(parameters: LoginParameters): Session {
    const session = this.#open(parameters)
    const { client, uid } = session
    // Whoever shares a page with somebody is not shown what that one has not read.
    if (uid !== this.#uid) this.forgetUnheard('MessageFromPeer')
    this.#uid = uid
    // Its sender has been told that it was received: what comes while the user logs out is told as well.
    client.on('message', ({ id, text, from, offline, timestamp }) => {
      if (this.#heard.isNew(`${uid}\0${id}`)) session.tell(() => this.emit('MessageFromPeer', { text }, from, { isOfflineMessage: offline, serverReceivedTs: timestamp }))
    })
    client.on('peers', (changes) =>
      session.tell(() => {
        if (session === this.#session) this.emit('PeersOnlineStatusChanged', recordOf(changes.map(({ userId, status }) => [userId, status])))
      }),
    )
    const calls = new CallBook(session, (invitation) => this.emit('RemoteInvitationReceived', invitation))
    this.#session = session
    this.#calls = calls
    this.#subscribed = new Set()
    return session
  }

  #open(given: LoginParameters | null | undefined): Session {
    const { url, presenceTimeout } = this.#parameters
    try {
      // Without types it may be anything.
      if (typeof given !== 'object' || given === null) throw new RtmError(CODES.login.argument, 'login takes an object: { uid, token? }')
      const { uid, token } = given
      checkUserId(uid)
      if (token != null) checkToken(token)
      const session: Session = new Session(
        this.appId,
        uid,
        { ...(url !== undefined && { url }), ...(presenceTimeout !== undefined && { presenceTimeout }), ...(token != null && { token }) },
        {
          changed: ([state, reason]) => this.emit('ConnectionStateChanged', state, reason),
          tokenWillExpire: () => this.emit('TokenWillExpired'),
          tokenDidExpire: () => this.emit('TokenDidExpired'),
          over: () => this.#over(session),
        },
      )
      return session
    } catch (error) {
      this.emit('ConnectionStateChanged', 'DISCONNECTED', 'LOGIN_FAILURE')
      throw toRtmError(error, 'login')
    }
  }

  async #refused(session: Session, error: unknown): Promise<RtmError> {
    this.#over(session)
    await session.ended
    if (session.isLeft) return loggedOutFirst()
    return session.timedOut ? new RtmError(CODES.login.timeout, `not logged in within ${LOGIN_MS} ms`) : toRtmError(error, 'login')
  }

  #over(session: Session): void {
    if (session !== this.#session) return
    const calls = this.#calls
    this.#session = null
    this.#calls = null
    this.#subscribed = new Set()
    // Whoever hears of these ends may call somebody at once: that one has no login to go out on.
    calls?.close()
  }

  /** Rejects with 102 when the session ended meanwhile. */
  async #calling<T>(session: Session, area: Area, call: Promise<T>): Promise<T> {
    try {
      return await call
    } catch (error) {
      throw session !== this.#session || RollcallError.from(error, area).code === 'NOT_LOGIN' ? notLoggedIn() : toRtmError(error, area)
    }
  }

  /** Throws 102 unless there is a session that has logged in. */
  #here(): Session {
    if (this.#session?.isIn !== true) throw notLoggedIn()
    return this.#session
  }
}

function loggedOutFirst(): RtmError {
  return new RtmError(CODES.login.unknown, 'logged out before the login was answered')
}

function checkToken(token: unknown): void {
  if (typeof token !== 'string') throw new RtmError(CODES.login.argument, 'a token is a string')
}

function someOf(peerIds: readonly string[], most: number): readonly string[] {
  const given: unknown = peerIds
  if (!Array.isArray(given) || given.length === 0) throw new RtmError(CODES.subscription.argument, 'peerIds is a list of user ids')
  if (peerIds.length > most) throw new RtmError(most === QUERY_MAX ? CODES.subscription.argument : CODES.subscription.overflow, `at most ${most} users in one call`)
  return peerIds
}
