import type { Metrics } from '../metrics/index.js'
import type { GatewayServer, GatewaySocket } from './types.js'

/** Logins that one transport may try. Client libraries open another one after each that is refused. */
const LOGINS = 10
/** How many times the requests that may be under way a client may send at once. */
const AT_ONCE = 4

/** What of an Engine.IO packet is looked at here. */
interface IncomingPacket {
  readonly data?: unknown
}

export interface TransportGuardOptions {
  readonly pendingRequests: number
  readonly metrics: Pick<Metrics, 'dropped'>
}

/**
 * Ends transports that send packets as no client does: a message of polling may hold as many packets as it has bytes,
 * and all of them are taken in within one turn of the event loop, in which nobody else is served. A login costs most of
 * all, and whatever is behind it in the same message comes before its answer.
 *
 * What comes in a turn is counted before anything is made of it; a transport that is closed here is not listened to any
 * more, so what is left of its message costs next to nothing.
 */
export function guardTransports(io: GatewayServer, { pendingRequests, metrics }: TransportGuardOptions): void {
  io.engine.on('connection', (conn: GatewaySocket['conn']) => {
    let inTurn = 0
    let logins = 0
    conn.on('packet', (packet: IncomingPacket) => {
      if (inTurn++ === 0) {
        setImmediate(() => {
          inTurn = 0
        })
      }
      if (isLogin(packet)) logins++
      if (inTurn <= AT_ONCE * pendingRequests && logins <= LOGINS) return
      metrics.dropped.inc({ reason: 'flood' })
      conn.close(true)
    })
  })
}

/** Socket.IO's CONNECT, to whatever namespace. */
function isLogin({ data }: IncomingPacket): boolean {
  return typeof data === 'string' && data.startsWith('0')
}
