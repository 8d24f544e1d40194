import type { Grant } from '../auth/index.js'
import type { EndReason } from '../presence/service.js'
import type { Waiting } from '../presence/types.js'
import { RollcallError, type ErrorBody } from '../protocol/errors.js'
import { parseHandshake } from '../protocol/parse.js'
import type { HandshakeAuth } from '../protocol/requests.js'
import { Connection, type ConnectionDeps, type Ending } from './connection.js'
import type { Connections } from './connections.js'
import { refusalOf } from './refusal.js'
import { sourceAddress } from './source-address.js'
import { both, type Arrival, type Users } from './users.js'
import type { GatewayDeps, GatewayServer, GatewaySocket } from './types.js'

export interface LoginDeps extends Pick<GatewayDeps, 'config' | 'auth' | 'presence' | 'metrics' | 'log'> {
  readonly connections: Connections
  readonly users: Users
  readonly connection: ConnectionDeps
  /** Whether this node takes new sessions. */
  readonly accepting: () => boolean
}

interface Opened {
  readonly connection: Connection
  readonly arrival: Arrival
  /** The login is over. */
  readonly end: () => void
}

/**
 * The way in: whoever passes has an open session, whoever does not gets a `connect_error` whose `data` says why.
 * `onConnected` is called when the client has been told that it is in, with what may wait for the user.
 */
export function installLogin(io: GatewayServer, deps: LoginDeps, onConnected: (connection: Connection, waiting: Waiting) => void): void {
  const opened = new WeakMap<GatewaySocket, Opened>()
  const addressOf = sourceAddress(deps.config.trustProxy)
  // One transport logs in once at a time: nothing stops a client from asking again before it has been answered.
  const underWay = new WeakSet<GatewaySocket['conn']>()

  io.use((socket, next) => {
    const { conn } = socket
    if (underWay.has(conn)) {
      next(connectError(new RollcallError('PRESENCE_INVALID_ARGUMENT', 'a login is under way on this connection').body('login')))
      return
    }
    underWay.add(conn)
    login(socket, deps, addressOf(socket.request)).then(
      (it) => {
        underWay.delete(conn)
        opened.set(socket, it)
        next()
      },
      (error: unknown) => {
        underWay.delete(conn)
        const body = refusalOf(error, 'login', deps.log)
        deps.metrics.errors.inc({ code: body.code })
        next(connectError(body))
      },
    )
  })

  io.on('connection', (socket) => {
    const it = opened.get(socket)
    opened.delete(socket)
    // Its session may have ended between the two steps.
    if (it?.connection.alive === true) onConnected(it.connection, both(it.connection.session.waiting, it.arrival.waiting))
    else socket.disconnect(true)
    it?.end()
  })
}

async function login(socket: GatewaySocket, deps: LoginDeps, sourceIP: string): Promise<Opened> {
  const { config, auth, users } = deps
  if (!deps.accepting()) throw turnedAway()
  const request = parseHandshake(socket.handshake.auth, config.limits)
  if (request.appId !== config.appId) throw new RollcallError('INVALID_APP_ID', 'this is another app')
  const grant = await auth.verify(request.token, { userId: request.userId }, true)
  const arrival = users.expect(request.userId)
  try {
    const connection = await openSession(socket, { ...request, sourceIP }, grant, deps)
    // Its transport may end before it has been told that it is in. Once it has, nothing is left of this.
    const end = (): void => {
      socket.conn.off('close', end)
      arrival.end()
    }
    socket.conn.once('close', end)
    return { connection, arrival, end }
  } catch (error) {
    arrival.end()
    throw error
  }
}

async function openSession(socket: GatewaySocket, request: HandshakeAuth & { readonly sourceIP: string }, grant: Grant, deps: LoginDeps): Promise<Connection> {
  const { config, presence, connections } = deps
  // What is needed later is named: what a session keeps of its request, it keeps for as long as it lives.
  const { userId } = request
  // Presence may end the session before it has even told us that it is open.
  let connection: Connection | null = null
  let endedEarly: EndReason | null = null
  const onEnd = (reason: EndReason, why: string): void => {
    if (connection === null) endedEarly = reason
    else {
      deps.log.debug({ userId, reason }, 'a session ended elsewhere')
      if (reason === 'superseded') connection.supersede('a newer connection of this session took over')
      else if (reason === 'ended') connection.drop(reason)
      else connection.expel(reason, why)
    }
  }
  const session = await presence.open({
    userId,
    timeoutMs: request.presenceTimeout ?? config.presenceTimeoutMs,
    onEnd,
    ...(request.sessionId === undefined ? {} : { sessionId: request.sessionId }),
    ...(request.attach === undefined ? {} : { attach: request.attach }),
    ...(request.tag === undefined ? {} : { tag: request.tag }),
    sourceIP: request.sourceIP,
    wanted: () => socket.conn.readyState === 'open',
  })
  const opened = (connection = new Connection(socket, session, grant, deps.connection, request.received))
  connections.add(opened)
  // However the transport ends, from here on the session hears of it, whether the client has been told of it or not.
  const lost = (): void => connections.remove(opened, opened.end('lost'))
  if (endedEarly !== null || socket.conn.readyState !== 'open') {
    connections.remove(opened, opened.end(endingOf(endedEarly)))
    throw new RollcallError('PRESENCE_REQUEST_CANCELLED', 'the connection has ended')
  }
  socket.conn.once('close', lost)
  if (!deps.accepting()) {
    lost()
    throw turnedAway()
  }
  return opened
}

function endingOf(ended: EndReason | null): Ending {
  if (ended === null) return 'lost'
  return ended === 'replaced' || ended === 'kicked' ? 'logout' : 'over'
}

function turnedAway(): RollcallError {
  return new RollcallError('NOT_CONNECTED', 'this node takes no new clients now')
}

function connectError(body: ErrorBody): Error & { readonly data: ErrorBody } {
  return Object.assign(new Error(body.reason), { data: body })
}
