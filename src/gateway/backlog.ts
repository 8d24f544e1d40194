import type { GatewaySocket } from './types.js'

/** What of an Engine.IO packet is looked at here. */
interface OutgoingPacket {
  readonly data?: unknown
  readonly options?: { readonly wsPreEncodedFrame?: readonly Buffer[] | null }
}

/**
 * The bytes that wait for one client: those that Engine.IO holds while the transport is busy, and those that the
 * WebSocket could not give to the kernel. Counted as they come and go, so that asking costs nothing.
 */
export class Backlog {
  #held = 0
  readonly #conn: GatewaySocket['conn']

  constructor(conn: GatewaySocket['conn']) {
    this.#conn = conn
    conn.on('packetCreate', (packet: OutgoingPacket) => {
      this.#held += sizeOf(packet)
    })
    // Everything that is held goes to the transport at once.
    conn.on('flush', () => {
      this.#held = 0
    })
  }

  get bytes(): number {
    return this.#held + buffered(this.#conn.transport)
  }
}

function sizeOf({ data, options }: OutgoingPacket): number {
  const frame = options?.wsPreEncodedFrame
  if (frame !== undefined && frame !== null) return frame.reduce((sum, part) => sum + part.length, 0)
  if (typeof data === 'string') return Buffer.byteLength(data)
  return data instanceof Uint8Array ? data.byteLength : 1
}

/** `bufferedAmount` of the transport's WebSocket; a poll takes all that it is given. */
function buffered(transport: unknown): number {
  const { socket } = transport as { readonly socket?: { readonly bufferedAmount?: unknown } }
  return typeof socket?.bufferedAmount === 'number' ? socket.bufferedAmount : 0
}
