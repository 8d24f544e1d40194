import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'

import type { Scope } from './scope.js'
import { eventually } from './wait.js'

const END_OF_HEAD = '\r\n\r\n'

/** A WebSocket without a library: every byte that the server sends is there to be looked at. */
export class RawWebSocket {
  #bytes: Buffer = Buffer.alloc(0)
  #open = false

  private constructor(private readonly tcp: Socket) {
    tcp.on('data', (chunk) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk])
      const end = this.#open ? -1 : this.#bytes.indexOf(END_OF_HEAD)
      if (end < 0) return
      this.#open = true
      this.#bytes = this.#bytes.subarray(end + END_OF_HEAD.length)
    })
  }

  /** Logged in to the main namespace of the Socket.IO server at a port. */
  static async open(scope: Scope, port: number): Promise<RawWebSocket> {
    const tcp = connect(port, '127.0.0.1')
    scope.defer('a raw WebSocket', () => void tcp.destroy())
    const raw = new RawWebSocket(tcp)
    const key = randomBytes(16).toString('base64')
    tcp.write(`GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}${END_OF_HEAD}`)
    await eventually('the server has said open', () => raw.messages().length > 0)
    raw.send('40')
    await eventually('the login is answered', () => raw.messages().length > 1)
    return raw
  }

  /** What has come since it was last asked. */
  take(): Buffer {
    const bytes = this.#bytes
    this.#bytes = Buffer.alloc(0)
    return bytes
  }

  get received(): number {
    return this.#bytes.length
  }

  /** The whole messages among what has come. */
  messages(): string[] {
    if (!this.#open) return []
    const found: string[] = []
    for (let at = 0; at + 2 <= this.#bytes.length; ) {
      const short = (this.#bytes[at + 1] ?? 0) & 0x7f
      const head = short < 126 ? 2 : short === 126 ? 4 : 10
      if (at + head > this.#bytes.length) break
      const length = short < 126 ? short : short === 126 ? this.#bytes.readUInt16BE(at + 2) : Number(this.#bytes.readBigUInt64BE(at + 2))
      if (at + head + length > this.#bytes.length) break
      found.push(this.#bytes.toString('utf8', at + head, at + head + length))
      at += head + length
    }
    return found
  }

  /** A text of at most 125 bytes. */
  send(text: string): void {
    const payload = Buffer.from(text)
    // A mask of zeros leaves it as it is.
    this.tcp.write(Buffer.concat([Buffer.from([0x81, 0x80 | payload.length, 0, 0, 0, 0]), payload]))
  }

  /** Reads nothing until it is told to. */
  pause(): void {
    this.tcp.pause()
  }

  resume(): void {
    this.tcp.resume()
  }
}
