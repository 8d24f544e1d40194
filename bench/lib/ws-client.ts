import { connect, type Socket } from 'node:net'

const TEXT = 1
const BINARY = 2
const CLOSE = 8
const PING = 9
const PONG = 10
const NOTHING = Buffer.alloc(0)

/**
 * A websocket client that does next to nothing, so that it is not what is measured: no compression, no fragments (none of
 * the servers sends any), a mask of zeros, and payloads handed over as they lie in the buffer.
 */
export class WsClient {
  frames = 0
  bytes = 0
  onClose: () => void = () => undefined
  #parts: Buffer[] = []
  #have = 0
  #need = 2

  private constructor(
    private readonly socket: Socket,
    private readonly onMessage: (payload: Buffer) => void,
  ) {
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    socket.on('close', () => this.onClose())
    // A close follows.
    socket.on('error', () => undefined)
  }

  static connect(port: number, path: string, onMessage: (payload: Buffer) => void): Promise<WsClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true })
      const handshake = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`
      let head = NOTHING
      const onData = (chunk: Buffer): void => {
        head = Buffer.concat([head, chunk])
        const end = head.indexOf('\r\n\r\n')
        if (end < 0) return
        socket.removeAllListeners()
        if (!head.subarray(0, 12).equals(Buffer.from('HTTP/1.1 101'))) {
          socket.destroy()
          reject(new Error(`no websocket: ${head.toString('latin1', 0, 100)}`))
          return
        }
        const client = new WsClient(socket, onMessage)
        resolve(client)
        // Whoever connects has its turn first.
        const rest = head.subarray(end + 4)
        if (rest.length > 0) queueMicrotask(() => client.#take(rest))
      }
      socket.on('data', onData)
      socket.once('error', reject)
      socket.once('close', () => reject(new Error('closed before the websocket was open')))
      socket.write(handshake)
    })
  }

  send(text: string): void {
    this.#write(TEXT, Buffer.from(text))
  }

  /** Cuts the connection. */
  destroy(): void {
    this.socket.destroy()
  }

  #take(chunk: Buffer): void {
    this.#parts.push(chunk)
    this.#have += chunk.length
    if (this.#have < this.#need) return
    const [only] = this.#parts
    let buffer = this.#parts.length === 1 && only !== undefined ? only : Buffer.concat(this.#parts)
    for (let size = frameSize(buffer); ; size = frameSize(buffer)) {
      if (buffer.length < size) {
        this.#need = size
        break
      }
      this.#frame(buffer.subarray(0, size))
      buffer = buffer.subarray(size)
    }
    this.#parts = buffer.length === 0 ? [] : [buffer]
    this.#have = buffer.length
  }

  #frame(frame: Buffer): void {
    const opcode = (frame[0] ?? 0) & 15
    const payload = frame.subarray(headerSize(frame))
    if (opcode === TEXT || opcode === BINARY) {
      this.frames++
      this.bytes += frame.length
      this.onMessage(payload)
    } else if (opcode === PING) this.#write(PONG, payload)
    else if (opcode === CLOSE) this.socket.destroy()
  }

  #write(opcode: number, payload: Buffer): void {
    const { length } = payload
    const head = Buffer.alloc(length < 126 ? 6 : length < 65_536 ? 8 : 14)
    head[0] = 0x80 | opcode
    if (length < 126) head[1] = 0x80 | length
    else if (length < 65_536) {
      head[1] = 0x80 | 126
      head.writeUInt16BE(length, 2)
    } else {
      head[1] = 0x80 | 127
      head.writeBigUInt64BE(BigInt(length), 2)
    }
    this.socket.write(Buffer.concat([head, payload]))
  }
}

function headerSize(frame: Buffer): number {
  const length = (frame[1] ?? 0) & 127
  return length === 127 ? 10 : length === 126 ? 4 : 2
}

/** Of the frame that begins here; as far as it can be told yet. */
function frameSize(buffer: Buffer): number {
  if (buffer.length < 2) return 2
  const header = headerSize(buffer)
  if (buffer.length < header) return header
  const length = (buffer[1] ?? 0) & 127
  return header + (length === 127 ? Number(buffer.readBigUInt64BE(2)) : length === 126 ? buffer.readUInt16BE(2) : length)
}
