import type { PeerMessage, RollcallClient } from '../../src/client/index.js'
import type { MessageEvent } from '../../src/protocol/events.js'
import type { PlainClient } from './plain.js'
import { Bell, PATIENCE_MS } from './wait.js'

/** What a client is sent by other users from now on. A plain one acknowledges it unless it is told not to. */
export class MessageLog<Message extends PeerMessage = PeerMessage> {
  readonly seen: Message[] = []
  /** How to acknowledge what was not acknowledged at once, in order. */
  readonly acknowledgements: (() => void)[] = []
  readonly #bell = new Bell()
  #read = 0

  private constructor(readonly name: string) {}

  static of(client: RollcallClient): MessageLog {
    const log = new MessageLog(client.userId)
    client.on('message', (message) => log.#add(message))
    return log
  }

  static ofPlain(client: PlainClient, { acknowledges = true } = {}): MessageLog<MessageEvent> {
    const log = new MessageLog<MessageEvent>(client.user)
    client.socket.on('message', (message: MessageEvent, acknowledge: () => void) => {
      log.#add(message)
      if (acknowledges) acknowledge()
      else log.acknowledgements.push(acknowledge)
    })
    return log
  }

  get texts(): string[] {
    return this.seen.map(({ text }) => text)
  }

  /** The next message, after those that were awaited before. */
  async next(ms = PATIENCE_MS): Promise<Message> {
    const message = await this.#bell.until(() => this.seen[this.#read], ms, () => `${this.name} is sent another message; it was sent ${this.texts.join(', ') || 'none'}`)
    this.#read += 1
    return message
  }

  /** The texts of all messages, when there are so many. */
  async all(count: number, ms = PATIENCE_MS): Promise<string[]> {
    await this.#bell.until(() => (this.seen.length >= count ? true : undefined), ms, () => `${this.name} is sent ${count} messages; it was sent ${this.seen.length}`)
    return this.texts
  }

  #add(message: Message): void {
    this.seen.push(message)
    this.#bell.ring()
  }
}
