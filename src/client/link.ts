import { ERRORS, RollcallError } from '../protocol/errors.js'
import type { KickedEvent, MessageEvent, MovingEvent, PacketSpan, PeerChange, PresenceEvent, ReadyEvent, TokenEvent } from '../protocol/events.js'
import type { Invitation } from '../protocol/invitations.js'
import { DEFAULT_LIMITS, type Limits } from '../protocol/limits.js'
import type { Received } from '../protocol/messages.js'
import type { HandshakeAuth, RequestName } from '../protocol/requests.js'
import type { RosterNotice } from '../protocol/roster.js'
import type { StatusNotice } from '../protocol/statuses-told.js'
import { backoffMs, pause } from './backoff.js'
import { Connection, ConnectionLost, LoggedOut, type ConnectionHandlers } from './connection.js'
import type { Credentials, LoginOptions } from './credentials.js'
import type { LinkOperation, LinkState, LinkStateEvent } from './events.js'
import type { CheckedOptions } from './options.js'
import { Turnstile } from './turnstile.js'
import type { ReplyOf, RequestOf } from './wire.js'

/** Milliseconds. */
const LOGIN_MS = 10_000
/** How long a call waits for its reply, from its beginning on. */
export const REQUEST_MS = 10_000

/** When a call that begins now has to have its reply, by this machine's steady clock. */
export function deadlineFromNow(): number {
  return performance.now() + REQUEST_MS
}

/** What every address gets of an attempt's time, at least. */
const LEAST_ATTEMPT_MS = 3_000
/** How long leaving a connection on purpose waits for the requests that are under way on it. */
const GRACE_MS = 1_000
/** A node's default, until one has told its own. */
const DEFAULT_PRESENCE_TIMEOUT_MS = 30_000

export interface RequestOptions {
  readonly resend?: boolean
  readonly deadline?: number
}

/** What is made of the link's life. Calls are synchronous but `resume`. */
export interface LinkHooks {
  /** Before anything else is asked on a new connection. Resolves with the names of channels that could not be resumed. */
  resume(connection: Connection): Promise<readonly string[]>
  /** Names of the channels concerned. */
  lost(): readonly string[]
  /** The session is over: names of the channels concerned. */
  ended(): readonly string[]
  presence(events: readonly PresenceEvent[], span?: PacketSpan): void
  peers(changes: readonly PeerChange[], connection: Connection): void
  invitation(invitation: Invitation, acknowledge?: () => void): void
  message(event: MessageEvent, acknowledge: () => void): void
  /** Up to where this session has had its messages. */
  received(): Received
  status(notice: StatusNotice): void
  roster(notice: RosterNotice): void
  token(event: TokenEvent): void
  kicked(event: KickedEvent): void
  state(event: LinkStateEvent): void
}

/**
 * The way to the cluster: one connection at a time, made again when it is lost until `logout`, a final refusal or a
 * kick. Requests wait while there is none. (Socket.IO's own reconnection is off: it knows neither several addresses nor
 * refusals that are final.)
 */
export class Link {
  readonly #options: CheckedOptions
  readonly #credentials: Credentials
  readonly #hooks: LinkHooks
  readonly #waiting = new Turnstile()
  readonly #handlers: ConnectionHandlers
  #state: LinkState = 'IDLE'
  #connection: Connection | null = null
  /** The `ready` of the present session's last connection. */
  #ready: ReadyEvent | null = null
  /** The highest number that an attempt to connect had. */
  #attach = 0
  /** Aborted by logout and by what is final. */
  #life = new AbortController()
  #login: Promise<{ readonly timestamp: number }> | null = null
  #logout: Promise<void> | null = null
  /** How often a logout was asked for: a login that waits for one is given up by the next. */
  #logouts = 0
  #leaving = false
  #address = 0
  #connecting = false
  /** A connection is being opened that may replace the present one: requests wait for it. */
  #replacing = false
  #suspension: ReturnType<typeof setTimeout> | undefined

  constructor(options: CheckedOptions, credentials: Credentials, hooks: LinkHooks) {
    this.#options = options
    this.#credentials = credentials
    this.#hooks = hooks
    this.#handlers = {
      presence: (events, span) => hooks.presence(events, span),
      peers: (changes, connection) => hooks.peers(changes, connection),
      invitation: (invitation, acknowledge) => hooks.invitation(invitation, acknowledge),
      message: (event, acknowledge) => hooks.message(event, acknowledge),
      status: (notice) => hooks.status(notice),
      roster: (notice) => hooks.roster(notice),
      token: (event, connection) => this.#onToken(event, connection),
      kicked: (event, connection) => this.#onKicked(event, connection),
      moving: (event, connection) => this.#onMoving(event, connection),
      lost: (reason, connection) => this.#onLost(reason, connection),
    }
  }

  get state(): LinkState {
    return this.#state
  }

  get ready(): ReadyEvent | null {
    return this.#ready
  }

  get limits(): Limits {
    return { ...DEFAULT_LIMITS, ...this.#ready?.limits }
  }

  /** Throws unless there is a session, or one is being opened or continued. */
  assertUsable(operation: string): void {
    const refusal = this.#refusal(operation)
    if (refusal !== null) throw refusal
  }

  /** One session at a time: while there is one, or one is being opened, this is its login. */
  login(options: LoginOptions): Promise<{ readonly timestamp: number }> {
    if (this.#logout !== null) return this.#loginAfter(this.#logout, options)
    this.#login ??= this.#begin(options)
    return this.#login
  }

  /** Waits for requests that are under way, within bounds, and leaves. Does nothing when there is no session. */
  logout(): Promise<void> {
    this.#logouts++
    if (this.#state === 'IDLE') return Promise.resolve()
    this.#logout ??= this.#leave().finally(() => (this.#logout = null))
    return this.#logout
  }

  /**
   * Sends a request, once there is a connection. One that was under way when the connection was lost is sent again on the
   * next, within its time-out; with `resend: false` (for what must not happen twice) it is not. After `deadline`, by this
   * machine's steady clock in milliseconds, it is not sent any more.
   *
   * NOT_LOGIN; PRESENCE_NOT_CONNECTED, or NOT_CONNECTED where it is not about presence; PRESENCE_OPERATION_TIMEOUT,
   * PRESENCE_REQUEST_CANCELLED: the outcome is unknown; PRESENCE_TOO_MANY_PENDING; and what the server answers.
   */
  async request<Name extends RequestName>(name: Name, payload: RequestOf<Name>, operation: string, { resend = true, deadline = deadlineFromNow() }: RequestOptions = {}): Promise<ReplyOf<Name>> {
    let cancelled: RollcallError | undefined
    for (;;) {
      const refusal = this.#refusal(operation)
      if (refusal !== null) throw cancelled ?? refusal
      const connection = this.#replacing ? null : this.#connection
      if (performance.now() >= deadline) throw cancelled ?? tooLate(operation, connection !== null)
      if (connection === null) {
        if (this.#waiting.size >= this.limits.pendingRequests) throw new RollcallError('PRESENCE_TOO_MANY_PENDING', 'too many requests wait for the connection', operation)
        await this.#waiting.pass(deadline - performance.now())
        continue
      }
      try {
        return await connection.request(name, payload, deadline - performance.now())
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw RollcallError.from(error, operation).during(operation)
        cancelled = new RollcallError('PRESENCE_REQUEST_CANCELLED', error.message, operation, { cause: error })
        if (!resend) throw cancelled
      }
    }
  }

  /** The page is being closed. */
  closing(): void {
    this.#connection?.closing()
  }

  async #loginAfter(logout: Promise<void>, options: LoginOptions): Promise<{ readonly timestamp: number }> {
    const before = this.#logouts
    await logout
    if (this.#logouts !== before) throw new RollcallError('PRESENCE_REQUEST_CANCELLED', 'logged out before the login began', 'login')
    return this.login(options)
  }

  async #begin(options: LoginOptions): Promise<{ readonly timestamp: number }> {
    const life = (this.#life = new AbortController())
    this.#ready = null
    this.#credentials.begin(options)
    this.#move('CONNECTING', 'LOGIN', 'login')
    try {
      const { timestamp } = await this.#connect(life.signal, performance.now() + LOGIN_MS)
      return { timestamp }
    } catch (error) {
      const refusal = RollcallError.from(error, 'login').during('login')
      if (!life.signal.aborted) this.#fail('LOGIN', refusal.reason, refusal.errorCode)
      throw refusal
    }
  }

  async #leave(): Promise<void> {
    // What was called in the same tick is on its way first.
    await new Promise((resolve) => setTimeout(resolve, 0))
    this.#leaving = true
    await this.#connection?.idle(GRACE_MS)
    this.#leaving = false
    // The one that there is by now: another may have taken over.
    const connection = this.#connection
    this.#over('IDLE', 'LOGOUT', 'logout', undefined, () => connection?.logout())
  }

  /** Tries the addresses in turn until one of their nodes has accepted and resumed; rejects with what is final. */
  async #connect(signal: AbortSignal, deadline = Infinity): Promise<ReadyEvent> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#attempt(signal, deadline)
      } catch (error) {
        signal.throwIfAborted()
        const refusal = RollcallError.from(error, 'login')
        if (!this.#isWorthRetrying(refusal)) throw refusal
        this.#missed()
        const wait = backoffMs(attempt)
        if (performance.now() + wait >= deadline) throw refusal
        await pause(wait, signal)
      }
    }
  }

  async #attempt(signal: AbortSignal, deadline: number): Promise<ReadyEvent> {
    const { addresses, transports } = this.#options
    const address = addresses[this.#address++ % addresses.length] ?? addresses[0]
    const until = Math.min(deadline, performance.now() + Math.max(LOGIN_MS / addresses.length, LEAST_ATTEMPT_MS))
    const left = () => Math.max(1, until - performance.now())
    const auth = await this.#credentials.auth(this.#nextAttach(), left())
    signal.throwIfAborted()
    this.#replacing = this.#connection !== null
    try {
      if (this.#replacing) await this.#connection?.idle(GRACE_MS)
      const connection = await Connection.open({ address, auth, transports, timeoutMs: left(), signal }, this.#handlers)
      try {
        this.#adopt(connection, await this.#hooks.resume(connection), signal)
        return connection.ready
      } catch (error) {
        if (signal.reason instanceof LoggedOut) connection.logout()
        else connection.drop()
        throw error
      }
    } finally {
      this.#replacing = false
      if (this.#connection !== null) this.#waiting.open()
    }
  }

  /** Attempts are counted: one that was given up, and that a node carries out late, is known by its number to be an old one. */
  #nextAttach(): Partial<Pick<HandshakeAuth, 'sessionId' | 'attach' | 'received'>> {
    if (this.#ready === null) return {}
    this.#attach = Math.max(this.#attach, this.#ready.attach) + 1
    return { sessionId: this.#ready.sessionId, attach: this.#attach, received: this.#hooks.received() }
  }

  #adopt(connection: Connection, unrestored: readonly string[], signal: AbortSignal): void {
    signal.throwIfAborted()
    if (!connection.isOpen) throw new ConnectionLost('the connection ended while it was being set up')
    const first = this.#ready === null
    this.#connection?.drop()
    this.#connection = connection
    this.#ready = connection.ready
    this.#connecting = false
    clearTimeout(this.#suspension)
    if (this.#state !== 'CONNECTED') {
      this.#move('CONNECTED', first ? 'LOGIN' : 'RECONNECTED', first ? 'login' : 'the connection is back', {
        isResumed: connection.ready.resumed,
        ...(unrestored.length > 0 && { affectedChannels: unrestored }),
      })
    }
  }

  /** Keeps connecting until it has succeeded or failed for good. */
  #reconnect(): void {
    if (this.#connecting) return
    this.#connecting = true
    const { signal } = this.#life
    pause(backoffMs(0), signal)
      .then(() => this.#connect(signal))
      .catch((error: unknown) => {
        if (signal.aborted) return
        const { code, reason, errorCode } = RollcallError.from(error, 'login')
        // The session was ended for good while it was away.
        if (code === 'NOT_LOGIN' || code === 'DUPLICATE_USER_ID') this.#hooks.kicked({ reason, errorCode })
        this.#fail('SERVER_REJECT', reason, errorCode)
      })
  }

  #onLost(reason: string, connection: Connection): void {
    if (connection !== this.#connection) return
    this.#connection = null
    // While another one is being opened, it is seen first what comes of that.
    if (!this.#replacing) this.#missed(reason)
    this.#reconnect()
  }

  /** There is no connection: says so, once. */
  #missed(reason = 'the connection is lost'): void {
    if (this.#connection !== null || this.#state !== 'CONNECTED') return
    const timeoutMs = this.#ready?.presenceTimeout ?? this.#options.presenceTimeout ?? DEFAULT_PRESENCE_TIMEOUT_MS
    this.#suspension = setTimeout(() => this.#move('SUSPENDED', 'PRESENCE_TIMEOUT', 'the connection has been lost for longer than presenceTimeout'), timeoutMs)
    this.#move('DISCONNECTED', 'NETWORK_LOST', reason, { affectedChannels: this.#hooks.lost() })
    this.#move('CONNECTING', 'AUTO_RECONNECT', 'reconnecting')
  }

  #onMoving({ afterMs }: MovingEvent, connection: Connection): void {
    pause(afterMs, this.#life.signal).then(
      () => {
        if (connection === this.#connection) this.#reconnect()
      },
      () => undefined,
    )
  }

  #onToken(event: TokenEvent, connection: Connection): void {
    this.#hooks.token(event)
    // A node takes a token for some seconds more, for clocks differ: with the same one others would see this user leave, come back and leave again.
    if (event.eventType === 'EXPIRED' && connection === this.#connection && !this.#credentials.canRenew) this.#fail('SERVER_REJECT', 'the token has expired', ERRORS.TOKEN_EXPIRED.errorCode)
  }

  #onKicked(event: KickedEvent, connection: Connection): void {
    // What a connection hears that is being replaced is about the replacement.
    if (connection !== this.#connection || (this.#replacing && event.errorCode === ERRORS.DUPLICATE_USER_ID.errorCode)) return
    this.#hooks.kicked(event)
    this.#fail('SERVER_REJECT', event.reason, event.errorCode)
  }

  #fail(operation: LinkOperation, reason: string, reasonCode: number): void {
    const connection = this.#connection
    this.#over('FAILED', operation, reason, reasonCode, () => connection?.drop())
  }

  #over(state: 'IDLE' | 'FAILED', operation: LinkOperation, reason: string, reasonCode: number | undefined, close: () => void): void {
    clearTimeout(this.#suspension)
    this.#connection = null
    this.#connecting = false
    this.#login = null
    this.#life.abort(state === 'IDLE' ? new LoggedOut(reason) : new RollcallError('PRESENCE_REQUEST_CANCELLED', reason))
    close()
    const affectedChannels = this.#hooks.ended()
    this.#move(state, operation, reason, { ...(reasonCode !== undefined && { reasonCode }), ...(affectedChannels.length > 0 && { affectedChannels }) })
    this.#waiting.open()
  }

  #refusal(operation: string): RollcallError | null {
    if (this.#state === 'IDLE' || this.#leaving) return new RollcallError('NOT_LOGIN', 'log in first', operation)
    // Waiting does not help here, so it is no matter of the connection.
    return this.#state === 'FAILED' ? new RollcallError('NOT_LOGIN', 'the session is over: log in again', operation) : null
  }

  #isWorthRetrying({ code, retryable }: RollcallError): boolean {
    return retryable || (code === 'TOKEN_EXPIRED' && this.#credentials.canRenew)
  }

  #move(currentState: LinkState, operation: LinkOperation, reason: string, more: Partial<LinkStateEvent> = {}): void {
    const previousState = this.#state
    this.#state = currentState
    this.#hooks.state({ currentState, previousState, operation, reason, isResumed: false, ...more, timestamp: Date.now() })
  }
}

function notConnected(operation: string, reason: string): RollcallError {
  return new RollcallError(operation.startsWith('presence') ? 'PRESENCE_NOT_CONNECTED' : 'NOT_CONNECTED', reason, operation)
}

/** It has not been sent. */
function tooLate(operation: string, connected: boolean): RollcallError {
  if (!connected) return notConnected(operation, 'the connection did not come back in time')
  return new RollcallError('PRESENCE_OPERATION_TIMEOUT', 'the calls before it took all of its time', operation)
}
