import { z } from 'zod'

import { ask, jsonOf, type Answer } from './http.js'

/** A request of the session reached a node that does not know it. */
export class StrayRequestError extends Error {
  constructor(
    readonly request: number,
    /** Whether the balancer had given a cookie, that this request did not send back. */
    readonly cookieOffered: boolean,
  ) {
    super(`request ${request} of the session reached a node that does not know it`)
  }
}

/** The node takes no sessions over polling. */
export class PollingOffError extends Error {}

/** The login was refused, by a node and not by what is in front of it. */
export class LoginRefusedError extends Error {
  constructor(
    readonly code: string,
    readonly reason: string,
  ) {
    super(`${code}: ${reason}`)
  }
}

const opening = z.looseObject({ sid: z.string(), upgrades: z.array(z.string()) })
const engineError = z.looseObject({ code: z.number() })
const refusal = z.looseObject({ data: z.looseObject({ code: z.string(), reason: z.string() }) })

/** Engine.IO's own: between packets, for an unknown session, for a transport that is off. */
const SEPARATOR = '\u001e'
const UNKNOWN_SESSION = 1
const UNKNOWN_TRANSPORT = 0
const POLLS_PER_ANSWER = 10

/**
 * A Socket.IO session over HTTP long-polling, request by request, each on a connection of its own: unlike a client
 * library it can tell which request went astray.
 */
export class PollingSession {
  #sid = ''
  #requests = 0
  #cookies: readonly string[] = []
  #upgrades: readonly string[] = []
  #inbox: string[] = []

  /** @param keepCookies as a browser does; other clients mostly do not */
  constructor(
    private readonly base: string,
    private readonly keepCookies: boolean,
  ) {}

  /** The transports that the node offers to change to. */
  get upgrades(): readonly string[] {
    return this.#upgrades
  }
  get requests(): number {
    return this.#requests
  }

  /** Rejects with {@link StrayRequestError}, {@link PollingOffError}, {@link LoginRefusedError}, or an Error for no answer. */
  async login(auth: object): Promise<void> {
    const first = await this.#send('GET')
    const opened = opening.safeParse(jsonOf(first.slice(1)))
    if (!opened.success || !first.startsWith('0')) throw new Error('what answers there is not a Socket.IO server')
    this.#sid = opened.data.sid
    this.#upgrades = opened.data.upgrades
    await this.#send('POST', `40${JSON.stringify(auth)}`)
    const answer = await this.#until((packet) => packet.startsWith('44') || packet.startsWith('42["ready"'))
    if (!answer.startsWith('44')) return
    const refused = refusal.safeParse(jsonOf(answer.slice(2)))
    throw refused.success ? new LoginRefusedError(refused.data.data.code, refused.data.data.reason) : new Error(`the login was refused: ${answer.slice(2)}`)
  }

  /** One request of Rollcall's protocol, with its reply. */
  async call(id: number, name: string, body: object): Promise<void> {
    await this.#send('POST', `42${id}${JSON.stringify([name, body])}`)
    await this.#until((packet) => packet.startsWith(`43${id}[`))
  }

  async logout(): Promise<void> {
    await this.#send('POST', '41')
  }

  async #until(wanted: (packet: string) => boolean): Promise<string> {
    for (let polls = 0; polls < POLLS_PER_ANSWER; polls += 1) {
      for (let packet = this.#inbox.shift(); packet !== undefined; packet = this.#inbox.shift()) {
        if (packet === '2') await this.#send('POST', '3')
        if (wanted(packet)) return packet
      }
      this.#inbox = (await this.#send('GET')).split(SEPARATOR)
    }
    throw new Error('the node does not answer over polling')
  }

  async #send(method: string, body?: string): Promise<string> {
    this.#requests += 1
    const answer = await ask(`${this.base}/socket.io/?EIO=4&transport=polling${this.#sid === '' ? '' : `&sid=${encodeURIComponent(this.#sid)}`}`, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'text/plain;charset=UTF-8' }),
        ...(this.keepCookies && this.#cookies.length > 0 ? { cookie: this.#cookies.join('; ') } : {}),
      },
      ...(body === undefined ? {} : { body }),
    })
    if (answer.status !== 200) throw this.#failure(answer)
    if (answer.cookies.length > 0) this.#cookies = answer.cookies
    return answer.body
  }

  #failure({ status, body }: Answer): Error {
    const said = engineError.safeParse(jsonOf(body))
    if (status === 400 && said.success && said.data.code === UNKNOWN_SESSION) return new StrayRequestError(this.#requests, this.#cookies.length > 0)
    if (status === 400 && said.success && said.data.code === UNKNOWN_TRANSPORT) return new PollingOffError('polling is off')
    return new Error(`request ${this.#requests} of the session was answered with status ${status}`)
  }
}
