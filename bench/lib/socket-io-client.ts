import { WsClient } from './ws-client.js'

const OPEN = 0x30
const PING = 0x32
const MESSAGE = 0x34
const CONNECTED = 0x30
const DISCONNECTED = 0x31
const EVENT = 0x32
const ACK = 0x33
const REFUSED = 0x34

/** Socket.IO protocol 5 on Engine.IO 4 over {@link WsClient}: one namespace, no binary, nothing parsed but answers. Events that want an answer get an empty one. */
export class SocketIoClient {
  /** The text of each event's array, `["name",…]`. */
  onEvent: (text: string) => void = () => undefined
  #asked = 0
  readonly #waiting = new Map<number, (reply: unknown) => void>()
  #ws!: WsClient

  static connect(port: number, auth: unknown, onEvent: (text: string) => void = () => undefined): Promise<SocketIoClient> {
    const client = new SocketIoClient()
    client.onEvent = onEvent
    return new Promise((resolve, reject) => {
      const onMessage = (payload: Buffer): void => {
        switch (payload[0]) {
          case OPEN:
            client.#ws.send(`40${JSON.stringify(auth)}`)
            return
          case PING:
            client.#ws.send('3')
            return
          case MESSAGE:
            if (payload[1] === CONNECTED) resolve(client)
            else if (payload[1] === REFUSED || payload[1] === DISCONNECTED) reject(new Error(payload.toString('latin1')))
            else client.#take(payload)
            return
          default:
        }
      }
      WsClient.connect(port, '/socket.io/?EIO=4&transport=websocket', onMessage).then((ws) => {
        client.#ws = ws
        ws.onClose = () => reject(new Error('closed before the login'))
      }, reject)
    })
  }

  get frames(): number {
    return this.#ws.frames
  }

  get bytes(): number {
    return this.#ws.bytes
  }

  set onClose(act: () => void) {
    this.#ws.onClose = act
  }

  /** Emits an event with an acknowledgement; what comes back is its first argument. */
  ask(event: string, payload: unknown): Promise<unknown> {
    const id = this.#asked++
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve)
      this.#ws.send(`42${id}${JSON.stringify([event, payload])}`)
    })
  }

  /** Emits an event without one. */
  say(event: string, payload: unknown): void {
    this.#ws.send(`42${JSON.stringify([event, payload])}`)
  }

  /** Cuts the connection. */
  destroy(): void {
    this.#ws.destroy()
  }

  #take(payload: Buffer): void {
    if (payload[1] === EVENT) {
      // All names here are ASCII.
      const start = payload.indexOf('[')
      this.onEvent(payload.toString('latin1', start))
      // The event of a server that wants no answer has no id: the array begins at once.
      if (start > 2) this.#ws.send(`43${payload.toString('latin1', 2, start)}[]`)
      return
    }
    if (payload[1] !== ACK) return
    const start = payload.indexOf('[')
    const id = Number(payload.toString('latin1', 2, start))
    const [reply] = JSON.parse(payload.toString('utf8', start)) as unknown[]
    this.#waiting.get(id)?.(reply)
    this.#waiting.delete(id)
  }
}
