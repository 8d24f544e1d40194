import { Manager, type Socket } from 'socket.io-client'
import { ERRORS, RollcallError, type ErrorBody, type ErrorCode } from '../protocol/errors.js'
import type { KickedEvent, MessageEvent, MovingEvent, PacketSpan, PeerChange, PresenceEvent, ReadyEvent, TokenEvent } from '../protocol/events.js'
import type { Invitation } from '../protocol/invitations.js'
import type { HandshakeAuth, Reply, RequestName } from '../protocol/requests.js'
import type { RosterNotice } from '../protocol/roster.js'
import type { StatusNotice } from '../protocol/statuses-told.js'
import type { Address, ClientOptions } from './options.js'
import type { ReplyOf, RequestOf } from './wire.js'

/** The connection ended before the request was answered: its outcome is unknown. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost'
}

/** The reason of an attempt that is given up because its session is over. */
export class LoggedOut extends RollcallError {
  constructor(reason: string) {
    super('PRESENCE_REQUEST_CANCELLED', reason)
  }
}

/** How long the node of such an attempt has to say whether it has let the session in, in milliseconds. */
const LEAVE_MS = 2_000

export interface ConnectionHandlers {
  presence(events: readonly PresenceEvent[], span?: PacketSpan): void
  peers(changes: readonly PeerChange[], connection: Connection): void
  invitation(invitation: Invitation, acknowledge?: () => void): void
  message(event: MessageEvent, acknowledge: () => void): void
  status(notice: StatusNotice): void
  roster(notice: RosterNotice): void
  token(event: TokenEvent, connection: Connection): void
  kicked(event: KickedEvent, connection: Connection): void
  moving(event: MovingEvent, connection: Connection): void
  lost(reason: string, connection: Connection): void
}

export interface Target {
  readonly address: Address
  readonly auth: HandshakeAuth
  readonly transports: ClientOptions['transports']
  /** Until `ready`, in milliseconds. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/**
 * One accepted connection, from the server's `ready` until it is lost, dropped or logged out. Reconnecting is not its
 * business: a new connection is a new object.
 */
export class Connection {
  readonly ready: ReadyEvent
  readonly #socket: Socket
  readonly #cancels = new Set<() => void>()
  readonly #idle = new Set<() => void>()
  #open = true

  private constructor(socket: Socket, ready: ReadyEvent, handlers: ConnectionHandlers) {
    this.#socket = socket
    this.ready = ready
    socket.on('presence', (events: readonly PresenceEvent[], span?: PacketSpan) => handlers.presence(events, span))
    socket.on('peers', (changes: readonly PeerChange[]) => handlers.peers(changes, this))
    socket.on('invitation', (invitation: Invitation, acknowledge?: () => void) => handlers.invitation(invitation, acknowledge))
    socket.on('message', (event: MessageEvent, acknowledge?: () => void) => handlers.message(event, acknowledge ?? (() => undefined)))
    socket.on('status', (notice: StatusNotice) => handlers.status(notice))
    socket.on('roster', (notice: RosterNotice) => handlers.roster(notice))
    socket.on('token', (event: TokenEvent) => handlers.token(event, this))
    socket.on('kicked', (event: KickedEvent) => handlers.kicked(event, this))
    socket.on('moving', (event: MovingEvent) => handlers.moving(event, this))
    socket.on('disconnect', (reason) => {
      this.#end()
      handlers.lost(reason, this)
    })
  }

  /**
   * Rejects with the server's refusal as a {@link RollcallError}, with NOT_CONNECTED when nobody answers as a node
   * does, or with the signal's reason.
   */
  static open({ address, auth, transports, timeoutMs, signal }: Target, handlers: ConnectionHandlers): Promise<Connection> {
    const manager = new Manager(address.origin, {
      path: address.path,
      reconnection: false,
      autoConnect: false,
      ...(transports !== undefined && { transports: [...transports] }),
    })
    // Ours, below, covers all of it, up to `ready`.
    manager.timeout(false)
    const socket = manager.socket('/', { auth: { ...auth } })

    return new Promise((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer)
        signal.removeEventListener('abort', abort)
        socket.off()
      }
      const fail = (error: Error) => {
        settle()
        closeQuietly(socket)
        reject(error)
      }
      const abort = () => {
        if (!(signal.reason instanceof LoggedOut)) return fail(signal.reason as Error)
        settle()
        logOut(socket)
        reject(signal.reason)
      }
      const timer = setTimeout(() => fail(unreachable(address, `no answer within ${timeoutMs} ms`)), timeoutMs)
      signal.addEventListener('abort', abort, { once: true })
      if (signal.aborted) return abort()
      socket.on('connect_error', (error: Error & { data?: unknown }) => fail(refusalOf(error, address)))
      socket.on('kicked', ({ reason, errorCode }: KickedEvent) => fail(new RollcallError(codeOf(errorCode), reason)))
      socket.on('disconnect', (reason) => fail(unreachable(address, reason)))
      socket.on('ready', (ready: ReadyEvent) => {
        settle()
        resolve(new Connection(socket, ready, handlers))
      })
      socket.connect()
    })
  }

  get isOpen(): boolean {
    return this.#open
  }

  /**
   * Rejects with the server's refusal, with PRESENCE_OPERATION_TIMEOUT, or with {@link ConnectionLost}.
   */
  request<Name extends RequestName>(name: Name, payload: RequestOf<Name>, timeoutMs: number): Promise<ReplyOf<Name>> {
    if (!this.#open) return Promise.reject(new ConnectionLost(`${name}: the connection is closed`))
    return new Promise((resolve, reject) => {
      const settle = (finish: () => void) => {
        clearTimeout(timer)
        this.#cancels.delete(cancel)
        finish()
        if (this.#cancels.size === 0) this.#beIdle()
      }
      const cancel = () => settle(() => reject(new ConnectionLost(`${name}: the connection ended before the reply`)))
      const timer = setTimeout(() => settle(() => reject(new RollcallError('PRESENCE_OPERATION_TIMEOUT', `no reply within ${Math.round(timeoutMs)} ms`, name))), timeoutMs)
      this.#cancels.add(cancel)
      this.#socket.emit(name, payload, (reply: unknown) =>
        settle(() => {
          if (isReply<ReplyOf<Name>>(reply)) resolve(reply)
          else reject(RollcallError.from((reply as { readonly error?: ErrorBody } | null)?.error, name))
        }),
      )
    })
  }

  /** Resolves when no request is under way, at the latest after `ms`. */
  idle(ms: number): Promise<void> {
    if (this.#cancels.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer)
        this.#idle.delete(done)
        resolve()
      }
      const timer = setTimeout(done, ms)
      this.#idle.add(done)
    })
  }

  /** Tells the node that the page is going: it waits 3 s then, not presenceTimeout. */
  closing(): void {
    this.#socket.emit('closing')
  }

  /** Leaves every channel at once: for the server this is a logout. */
  logout(): void {
    this.#socket.off()
    this.#socket.disconnect()
    this.#end()
  }

  /** Closes the transport only: for the server the connection was lost, and the session may go on elsewhere. */
  drop(): void {
    this.#socket.off()
    closeQuietly(this.#socket)
    this.#end()
  }

  #end(): void {
    this.#open = false
    for (const cancel of [...this.#cancels]) cancel()
    this.#beIdle()
  }

  #beIdle(): void {
    for (const done of [...this.#idle]) done()
  }
}

/** Ends the transport without the packet that means logout. */
function closeQuietly(socket: Socket): void {
  engineOf(socket)?.close()
}

/** A node that has been asked for a login may be about to let it in: it is told of the logout as soon as it has, or the session would wait for its timeout. */
function logOut(socket: Socket): void {
  if (engineOf(socket)?.readyState !== 'open') return closeQuietly(socket)
  const leave = () => {
    clearTimeout(timer)
    socket.off()
    if (socket.connected) socket.disconnect()
    else closeQuietly(socket)
  }
  const timer = setTimeout(leave, LEAVE_MS)
  if (socket.connected) leave()
  else socket.on('connect', leave).on('connect_error', leave).on('disconnect', leave)
}

function engineOf(socket: Socket): { readonly readyState: string; close(): unknown } | undefined {
  return (socket.io as { engine?: { readonly readyState: string; close(): unknown } }).engine
}

function isReply<T>(reply: unknown): reply is T {
  return typeof reply === 'object' && reply !== null && (reply as Reply<object>).ok
}

/** What a refused handshake says; anything but our own error in `data` means that no node answered. */
function refusalOf(error: Error & { data?: unknown }, address: Address): RollcallError {
  if (typeof error.data === 'object' && error.data !== null && 'code' in error.data) return RollcallError.from(error.data, 'login')
  return unreachable(address, error.message, error)
}

function unreachable(address: Address, reason: string, cause?: unknown): RollcallError {
  return new RollcallError('NOT_CONNECTED', `${address.origin}: ${reason}`, 'login', { cause })
}

/** The catalogue's name of a number; a number that is not in it stands for an ended session. */
export function codeOf(errorCode: number): ErrorCode {
  const codes = Object.keys(ERRORS) as ErrorCode[]
  return codes.find((code) => ERRORS[code].errorCode === errorCode) ?? 'DUPLICATE_USER_ID'
}
