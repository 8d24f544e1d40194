import { Server, type ServerOptions } from 'socket.io'
import type { GatewayDeps, GatewayServer } from './types.js'

/** A transport that does not log in within this time is closed. */
const LOGIN_MS = 20_000

/** The Socket.IO server with all its settings. `accepting` is asked for each new transport. */
export function createServer({ server, config, adapter, connectionId }: GatewayDeps, accepting: () => boolean): GatewayServer {
  const options: Partial<ServerOptions> = {
    serveClient: false,
    transports: [...config.transports],
    pingInterval: config.pingIntervalMs,
    pingTimeout: config.pingTimeoutMs,
    connectTimeout: LOGIN_MS,
    maxHttpBufferSize: config.limits.messageBytes,
    perMessageDeflate: false,
    // A plain client tries again by itself when its transport is refused, which it does not when its login is.
    allowRequest: (_request, callback) => callback(accepting() ? null : 'this node takes no new clients now', accepting()),
    ...(config.corsOrigins.length === 0 ? {} : { cors: { origin: config.corsOrigins === '*' ? '*' : [...config.corsOrigins] } }),
    ...(adapter === undefined ? {} : { adapter }),
  }
  const io: GatewayServer = new Server(server, options)
  // Where a connection's id gets what a balancer reads from it.
  if (connectionId !== undefined) io.engine.generateId = connectionId
  return io
}
