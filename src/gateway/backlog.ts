import type { GatewaySocket } from './types.js'

/** What of an Engine.IO connection is looked at here. */
interface Outgoing {
  /** Packets that wait while the transport is busy; Engine.IO keeps it for those who listen to `close`. */
  readonly writeBuffer?: readonly OutgoingPacket[]
  readonly transport: { readonly socket?: { readonly bufferedAmount?: unknown } }
}

interface OutgoingPacket {
  readonly data?: unknown
  readonly options?: { readonly wsPreEncodedFrame?: readonly Buffer[] | null }
}

/**
 * The bytes that wait for one client: those that Engine.IO holds while the transport is busy, and those that the
 * WebSocket could not give to the kernel. (A poll takes all that it is given.) Nearly always both are none.
 */
export function backlogOf(conn: GatewaySocket['conn']): number {
  const { writeBuffer = [], transport } = conn as unknown as Outgoing
  const buffered = transport.socket?.bufferedAmount
  let bytes = typeof buffered === 'number' ? buffered : 0
  for (const packet of writeBuffer) bytes += sizeOf(packet)
  return bytes
}

function sizeOf({ data, options }: OutgoingPacket): number {
  const frame = options?.wsPreEncodedFrame
  if (frame !== undefined && frame !== null) return frame.reduce((sum, part) => sum + part.length, 0)
  if (typeof data === 'string') return Buffer.byteLength(data)
  return data instanceof Uint8Array ? data.byteLength : 1
}
