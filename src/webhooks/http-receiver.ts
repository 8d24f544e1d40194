import { createHash } from 'node:crypto'
import http from 'node:http'
import https from 'node:https'
import type { Receiver, WebhookMessage } from '../protocol/webhooks.js'
import { checkLiteral, publicLookup } from './guard.js'
import { sign } from './signature.js'

/** How long a receiver may take, from the connection to the end of its answer, in milliseconds. */
const TIMEOUT_MS = 10_000
/** Of an answer's body, nobody reads anything; up to so many bytes it may come, so that the connection can be used again. */
const BODY_BYTES = 65_536

export interface HttpReceiverOptions {
  readonly url: string
  /** `whsec_` and base64. */
  readonly secret: string
  readonly allowPrivate: boolean
  readonly timeoutMs?: number
}

/** A server of the application's that is told by POST requests. Whatever is not 2xx is a failure; redirects are not followed. */
export class HttpReceiver implements Receiver {
  readonly name: string
  readonly #url: URL
  readonly #agent: http.Agent

  constructor(private readonly options: HttpReceiverOptions) {
    this.#url = new URL(options.url)
    this.name = nameOf(this.#url)
    const Agent = this.#url.protocol === 'https:' ? https.Agent : http.Agent
    this.#agent = new Agent({ keepAlive: true, ...(options.allowPrivate ? {} : { lookup: publicLookup }) })
  }

  async deliver({ id, type, timestamp, data }: WebhookMessage): Promise<void> {
    if (!this.options.allowPrivate) checkLiteral(this.#url.hostname)
    const body = JSON.stringify({ type, timestamp, data })
    try {
      await this.#post(id, body)
    } catch (error) {
      // The other side closed a connection that waited for its next request just as that came.
      if (!(error instanceof WornConnectionError)) throw error
      await this.#post(id, body)
    }
  }

  /** What is under way fails. */
  close(): void {
    this.#agent.destroy()
  }

  #post(id: string, body: string): Promise<void> {
    const seconds = Math.floor(Date.now() / 1000)
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'user-agent': 'rollcall',
      'webhook-id': id,
      'webhook-timestamp': String(seconds),
      'webhook-signature': sign(this.options.secret, id, seconds, body),
    }
    const { timeoutMs = TIMEOUT_MS } = this.options
    const { request } = this.#url.protocol === 'https:' ? https : http
    return new Promise((resolve, reject) => {
      const asked = request(this.#url, { method: 'POST', headers, agent: this.#agent })
      const timer = setTimeout(() => asked.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs)
      let outcome: (() => void) | undefined
      asked.on('response', (response) => {
        const { statusCode = 0 } = response
        // The status decides; how the body ends does not matter any more.
        outcome = statusCode >= 200 && statusCode < 300 ? resolve : () => reject(new Error(`HTTP ${statusCode}`))
        let bytes = 0
        response.on('data', (chunk: Buffer) => {
          if ((bytes += chunk.length) > BODY_BYTES) asked.destroy()
        })
        response.on('error', () => undefined)
      })
      asked.on('error', (error: NodeJS.ErrnoException) => {
        outcome ??= () => reject(asked.reusedSocket && error.code === 'ECONNRESET' ? new WornConnectionError(error.message, { cause: error }) : error)
      })
      asked.on('close', () => {
        clearTimeout(timer)
        if (outcome === undefined) reject(new Error('the connection ended before an answer'))
        else outcome()
      })
      asked.end(body)
    })
  }
}

class WornConnectionError extends Error {}

/** Says which host it is, and nothing that a URL may keep secret: a name stands in logs and metrics. */
function nameOf(url: URL): string {
  const host = url.host.replace(/[^A-Za-z0-9.-]+/g, '_').slice(0, 55)
  return `${host}-${createHash('sha256').update(url.href).digest('hex').slice(0, 8)}`
}
