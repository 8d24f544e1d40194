import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Socket as TcpSocket } from 'node:net'
import { dirname, join } from 'node:path'
import type { GatewayServer, GatewaySocket } from './types.js'

/** The versions whose private fields are used here. With any other the way of Socket.IO is taken. */
export const KNOWN_VERSIONS = { 'engine.io': '6.6.12', ws: '8.21.3' } as const

const OPEN = 1
const FIN_TEXT = 0x81
const SHORT = 125
const MEDIUM = 0xffff

/** What is looked at of Engine.IO and of ws: fields that they keep for themselves. */
interface Engine {
  readonly readyState: string
  readonly upgrading: boolean
  readonly writeBuffer: readonly unknown[]
  /** Only that of a WebSocket has a `socket`. Compression was looked at when the server started. */
  readonly transport: { readonly writable: boolean; readonly socket?: WebSocket }
}

interface WebSocket {
  readonly readyState: number
  readonly _socket: TcpSocket | null
  /** It queues nothing while its state is 0. */
  readonly _sender: { readonly _state: number }
}

/**
 * Gives a frame to the TCP socket of a WebSocket that has nothing else to send, past all that Engine.IO and ws do for a packet. Whoever has
 * something under way, or is not on a WebSocket, gets nothing: the packet goes the usual way then, behind what is there.
 *
 * @returns whether it was sent.
 */
export function sendDirectly(conn: GatewaySocket['conn'], frame: Buffer): boolean {
  const { readyState, upgrading, writeBuffer, transport } = conn as unknown as Engine
  if (readyState !== 'open' || upgrading || writeBuffer.length > 0) return false
  const { socket } = transport
  if (socket?.readyState !== OPEN || socket._socket === null || !transport.writable) return false
  const { _sender: sender, _socket: tcp } = socket
  if (sender._state !== 0) return false
  if (tcp.writableLength > 0 || tcp.writableCorked > 0 || !tcp.writable) return false
  tcp.write(frame)
  return true
}

/** One unmasked text frame, as a server sends it (RFC 6455, section 5.2), in one piece. */
export function textFrame(message: string): Buffer {
  const length = Buffer.byteLength(message)
  const header = length <= SHORT ? 2 : length <= MEDIUM ? 4 : 10
  const frame = Buffer.allocUnsafe(header + length)
  frame[0] = FIN_TEXT
  if (header === 2) frame[1] = length
  else if (header === 4) {
    frame[1] = 126
    frame.writeUInt16BE(length, 2)
  } else {
    frame[1] = 127
    frame.writeBigUInt64BE(BigInt(length), 2)
  }
  frame.write(message, header)
  return frame
}

/** Why frames may not be sent directly, or null when they may. */
export function directFramesRefused(io: GatewayServer): string | null {
  if ((io.engine.opts as { readonly perMessageDeflate?: unknown }).perMessageDeflate !== false) return 'messages are compressed'
  const found = installedVersions()
  const other = Object.entries(KNOWN_VERSIONS).find(([name, version]) => found[name] !== version)
  return other === undefined ? null : `${other[0]} is ${found[other[0]] ?? 'not found'}, and only ${other[1]} is known`
}

/** Of the packages that Socket.IO uses. */
export function installedVersions(): Readonly<Record<string, string>> {
  const socketIo = createRequire(import.meta.url).resolve('socket.io')
  const engineIo = createRequire(socketIo).resolve('engine.io')
  const ws = createRequire(engineIo).resolve('ws')
  return { 'engine.io': versionOf(engineIo, 'engine.io'), ws: versionOf(ws, 'ws') }
}

function versionOf(file: string, name: string): string {
  for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder)) {
    try {
      const found = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { readonly name?: string; readonly version?: string }
      if (found.name === name) return found.version ?? ''
    } catch {
      // None in this folder.
    }
  }
  return ''
}
