import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

import type { NodeAddress } from '../../support/node.js'
import type { Scope } from '../../support/scope.js'
import { Bell, PATIENCE_MS } from '../../support/wait.js'

/** WebSocket opcodes (RFC 6455, 5.2). */
export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

export interface FrameOptions {
  readonly opcode?: number
  /** Whether it is the message's last frame. */
  readonly fin?: boolean
  /** What the header says in place of the real length. */
  readonly length?: number | bigint
  readonly masked?: boolean
  readonly reserved?: number
}

/** One WebSocket frame as bytes; nothing of it need be right. */
export function frame(payload: string | Buffer, { opcode = OPCODE.text, fin = true, length, masked = true, reserved = 0 }: FrameOptions = {}): Buffer {
  const body = Buffer.from(payload)
  const said = BigInt(length ?? body.length)
  const first = (fin ? 0x80 : 0) | (reserved << 4) | opcode
  const mark = masked ? 0x80 : 0
  let header: Buffer
  if (said < 126n) header = Buffer.from([first, mark | Number(said)])
  else if (said < 65_536n) {
    header = Buffer.from([first, mark | 126, 0, 0])
    header.writeUInt16BE(Number(said), 2)
  } else {
    header = Buffer.alloc(10)
    header[0] = first
    header[1] = mark | 127
    header.writeBigUInt64BE(said, 2)
  }
  if (!masked) return Buffer.concat([header, body])
  const mask = randomBytes(4)
  return Buffer.concat([header, mask, body.map((byte, index) => byte ^ (mask[index % 4] ?? 0))])
}

/** A WebSocket without any library: it sends what bytes it is given, and reads text frames. */
export class RawWebSocket {
  readonly messages: string[] = []
  closed = false
  readonly #bell = new Bell()
  #buffer = Buffer.alloc(0)

  private constructor(readonly socket: Socket) {
    socket.on('data', (data) => this.#read(data))
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.closed = true
      this.#bell.ring()
    })
  }

  /** Opens an Engine.IO connection; `query` is appended to its URL. */
  static async open(scope: Scope, { port }: NodeAddress, query = ''): Promise<RawWebSocket> {
    const socket = connect(port, '127.0.0.1')
    scope.defer('a raw websocket', () => {
      socket.destroy()
    })
    await once(socket, 'connect')
    const key = randomBytes(16).toString('base64')
    socket.write(
      `GET /socket.io/?EIO=4&transport=websocket${query} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    )
    let head = Buffer.alloc(0)
    for (;;) {
      const [data] = (await once(socket, 'data')) as [Buffer]
      head = Buffer.concat([head, data])
      const end = head.indexOf('\r\n\r\n')
      if (end < 0) continue
      if (!head.toString('latin1').startsWith('HTTP/1.1 101')) throw new Error(`no upgrade: ${head.toString('latin1', 0, 80)}`)
      const raw = new RawWebSocket(socket)
      raw.#read(head.subarray(end + 4))
      return raw
    }
  }

  /** Logs in as somebody; what it was answered, or null when the connection was closed instead. */
  async login(userId: string, auth: Readonly<Record<string, unknown>> = {}): Promise<string | null> {
    this.text(`40${JSON.stringify({ appId: 'dev', userId, ...auth })}`)
    return this.until((message) => message.startsWith('40') || message.startsWith('44'))
  }

  text(payload: string): void {
    this.bytes(frame(payload))
  }

  bytes(data: Buffer): void {
    if (!this.closed && this.socket.writable) this.socket.write(data)
  }

  /** The first message that fits, or null once the connection is closed. */
  async until(fits: (message: string) => boolean, ms = PATIENCE_MS): Promise<string | null> {
    return this.#bell.until(() => this.messages.find(fits) ?? (this.closed ? null : undefined), ms, () => `a message that fits, or the end; there were ${this.messages.slice(-5).join(' | ').slice(0, 500)}`)
  }

  /** Whatever it was told, it has taken in all that was sent before: an answer to a request of its own, or the end. */
  async settled(): Promise<void> {
    const id = `${Math.floor(Math.random() * 1e9)}`
    this.text(`42${id}["whereNow",{"userId":"nobody"}]`)
    await this.until((message) => message.startsWith(`43${id}[`))
  }

  async untilClosed(ms = PATIENCE_MS): Promise<void> {
    await this.#bell.until(() => (this.closed ? true : undefined), ms, () => 'the node ends the connection')
  }

  end(): void {
    this.socket.destroy()
  }

  #read(data: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, data])
    for (;;) {
      const [first, second] = this.#buffer
      if (first === undefined || second === undefined) break
      const short = second & 0x7f
      const start = short === 126 ? 4 : short === 127 ? 10 : 2
      if (this.#buffer.length < start) break
      const length = short === 126 ? this.#buffer.readUInt16BE(2) : short === 127 ? Number(this.#buffer.readBigUInt64BE(2)) : short
      if (this.#buffer.length < start + length) break
      const text = this.#buffer.toString('utf8', start, start + length)
      this.#buffer = this.#buffer.subarray(start + length)
      if ((first & 0x0f) === OPCODE.close) this.end()
      if ((first & 0x0f) !== OPCODE.text) continue
      // Engine.IO's ping: whoever does not answer is gone.
      if (text === '2') this.text('3')
      else this.messages.push(text)
    }
    this.#bell.ring()
  }
}
