import type { IncomingMessage, Server as HttpServer } from 'node:http'
import type { Duplex } from 'node:stream'
import { Server, type ServerOptions } from 'socket.io'
import { tagConnections } from './connection-ids.js'
import { parser } from './packet.js'
import { guardTransports } from './transport-guard.js'
import type { GatewayDeps, GatewayServer } from './types.js'

/** A transport that does not log in within this time is closed. */
const LOGIN_MS = 20_000
/** How long a polling transport that is being closed waits at most for the client's next request. */
const FAREWELL_MS = 5_000

/** The Socket.IO server with all its settings. `accepting` is asked for each new transport. */
export function createServer({ server, config, adapter, presence, metrics }: GatewayDeps, accepting: () => boolean): GatewayServer {
  const options: Partial<ServerOptions> = {
    serveClient: false,
    transports: [...config.transports],
    pingInterval: config.pingIntervalMs,
    pingTimeout: config.pingTimeoutMs,
    connectTimeout: LOGIN_MS,
    maxHttpBufferSize: config.limits.messageBytes,
    perMessageDeflate: false,
    parser,
    // A plain client tries again by itself when its transport is refused, which it does not when its login is.
    allowRequest: (request, callback) => {
      const refusal = accepting() ? foreignOrigin(request, config.corsOrigins) : 'this node takes no new clients now'
      callback(refusal, refusal === null)
    },
    ...(config.corsOrigins.length === 0 ? {} : { cors: { origin: config.corsOrigins === '*' ? '*' : [...config.corsOrigins] } }),
    ...(adapter === undefined ? {} : { adapter }),
  }
  const io: GatewayServer = new Server(server, options)
  // A polling client that has gone silent does not come for its farewell: Engine.IO would keep a timer for 30 s, and so
  // the process, for each one.
  io.engine.on('connection', ({ transport }: { readonly transport: { closeTimeout?: number } }) => {
    transport.closeTimeout = Math.min(config.pingTimeoutMs, FAREWELL_MS)
  })
  tagConnections(io, presence.nodeId)
  guardTransports(io, { pendingRequests: config.limits.pendingRequests, metrics })
  return io
}

/** CORS does not hold for WebSockets, so the origin that a browser names is looked at here. Other clients name none. */
function foreignOrigin({ headers }: IncomingMessage, allowed: '*' | readonly string[]): string | null {
  const { origin, host } = headers
  if (origin === undefined || allowed === '*' || allowed.includes(origin)) return null
  const own = URL.canParse(origin) && new URL(origin).host === host
  return own ? null : 'this origin is not allowed'
}

/**
 * Remembers the WebSockets' connections, which the HTTP server forgets. The answer is a function that cuts those that
 * are left: a client that is frozen would keep its own, and so the process, for as long as a closing handshake may take.
 */
export function trackUpgrades(server: HttpServer, io: GatewayServer): () => void {
  const open = new Set<Duplex>()
  const onUpgrade = (request: IncomingMessage, socket: Duplex): void => {
    if (request.url?.startsWith(io.path()) !== true) return
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  }
  server.on('upgrade', onUpgrade)
  return () => {
    server.off('upgrade', onUpgrade)
    for (const socket of open) socket.destroy()
  }
}
