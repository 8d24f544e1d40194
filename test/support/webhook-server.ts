import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

import { Webhook } from 'standardwebhooks'

import type { Scope } from './scope.js'
import { Bell, PATIENCE_MS } from './wait.js'

export const WEBHOOK_SECRET = `whsec_${Buffer.from('thirty-two bytes of a test secret').toString('base64')}`

/** One attempt to deliver, as it came. */
export interface Received {
  readonly id: string
  readonly type: string
  readonly timestamp: string
  readonly data: Readonly<Record<string, unknown>>
  /** When it came, by `performance.now()`. */
  readonly at: number
  /** What was answered; 0 while there is no answer. */
  status: number
}

/** A server of an application's. It believes nothing that is not signed. */
export class WebhookServer {
  readonly received: Received[] = []
  /** What is answered; a promise lets the sender wait. */
  answer: (received: Received) => number | Promise<number> = () => 204
  readonly #bell = new Bell()
  #server: Server | null = null

  private constructor(readonly port: number) {}

  static async start(scope: Scope, port = 0): Promise<WebhookServer> {
    const server = await listen(port)
    const hooks = new WebhookServer((server.address() as AddressInfo).port)
    hooks.#serve(server)
    scope.defer(`the webhook server :${hooks.port}`, () => hooks.down())
    return hooks
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/hook`
  }

  /** What was taken (answered with 2xx), each event once, in the order in which it was first taken. */
  get taken(): readonly Received[] {
    const taken = this.received.filter(({ status }) => status >= 200 && status < 300)
    return taken.filter(({ id }, index) => taken.findIndex((other) => other.id === id) === index)
  }

  /** What was taken of one user's comings and goings: `_clientOnline` and the like, with the close code behind it. */
  statusOf(peerId: string): readonly string[] {
    return this.taken.filter(({ data }) => data.peerId === peerId).map(({ type, data }) => (data.closeCode === undefined ? type : `${type} ${data.closeCode as number}`))
  }

  async until<T>(what: string, find: () => T | undefined | false, ms = PATIENCE_MS): Promise<T> {
    return this.#bell.until(
      () => {
        const found = find()
        return found === false ? undefined : found
      },
      ms,
      () => `${what}; received: ${JSON.stringify(this.received.map(({ type, data, status, id }) => [type, data, status, id]))}`,
    )
  }

  /** Connections are refused from now on. */
  async down(): Promise<void> {
    const server = this.#server
    this.#server = null
    if (server === null) return
    const closed = once(server, 'close')
    server.close().closeAllConnections()
    await closed
  }

  async up(): Promise<void> {
    this.#serve(await listen(this.port))
  }

  #serve(server: Server): void {
    this.#server = server
    server.on('request', (req, res) => void this.#take(req, res).catch((error: unknown) => res.destroy(error as Error)))
  }

  async #take(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const body = await text(req)
    const headers = Object.fromEntries(Object.entries(req.headers).map(([name, value]) => [name, String(value)]))
    const { type, timestamp, data } = new Webhook(WEBHOOK_SECRET).verify(body, headers) as Received
    const received: Received = { id: String(req.headers['webhook-id']), type, timestamp, data, at: performance.now(), status: 0 }
    this.received.push(received)
    this.#bell.ring()
    const status = await this.answer(received)
    received.status = status
    res.writeHead(status).end()
    this.#bell.ring()
  }
}

async function listen(port: number): Promise<Server> {
  const server = createServer().listen(port, '127.0.0.1')
  await once(server, 'listening')
  return server
}
