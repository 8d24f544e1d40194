import { RollcallError, type LinkStateEvent, type RollcallClient } from '../../src/client/index.js'
import { createClient, listen } from '../support/client.js'
import type { Scope } from '../support/scope.js'
import { elapse, eventually, within } from '../support/wait.js'
import type { Watcher } from '../support/watcher.js'
import type { Breach, Connected, Watched } from './evidence.js'
import type { PresenceModel } from './presence-model.js'
import type { Tokens } from './tokens.js'

export interface ActorOptions {
  readonly user: string
  /** Which of the user's clients this is, from 0 on. */
  readonly tab: number
  /** Its user has no other client. */
  readonly alone?: boolean
  readonly urls: readonly { readonly url: string }[]
  readonly timeoutMs: number
  /** How much earlier than the client the cluster may have noticed that the connection is gone, in milliseconds. */
  readonly detectionMs: number
  /** Where a cluster asks for them. */
  readonly tokens?: Tokens
}

/** Whoever is told that its session has ended has left everywhere within this, in milliseconds. */
const LEAVES_MS = 2_000

/** One SDK client that does as it is told, and writes into the model what it did and when. */
export class Actor {
  readonly user: string
  /** What the cluster did to it and may not do. */
  readonly breaches: Breach[] = []
  readonly client: RollcallClient
  readonly #watchers = new Map<string, Watcher>()
  /** Channels that it wants to be in, and whether it watches them. */
  readonly #wanted = new Map<string, boolean>()
  /** Channels of which it does not know whether it is in there. */
  readonly #unsure = new Set<string>()
  /** How often it began or ended to be in a channel. */
  readonly #turns = new Map<string, number>()
  readonly #pending = new Set<string>()
  #logins = 0
  #session = ''
  #loggedIn = false
  #count = 0
  /** How often it noticed that it had no connection any more. */
  #downs = 0
  /** The session has ended with its token, and the client is on its way back with a new one. */
  #beginsAnew = false

  constructor(
    scope: Scope,
    private readonly model: PresenceModel,
    private readonly options: ActorOptions,
  ) {
    this.user = options.user
    this.client = createClient(scope, options.user, options.urls, {
      presenceTimeout: options.timeoutMs,
      transports: ['websocket'],
      ...(options.tokens !== undefined && { getToken: options.tokens.get }),
    })
    this.client.on('linkState', (event) => this.#link(event))
    this.client.on('token', ({ eventType }) => {
      if (eventType === 'EXPIRED' && this.#loggedIn) this.#expired(Date.now() + LEAVES_MS)
    })
  }

  get name(): string {
    return `${this.user}/${this.options.tab}`
  }

  get online(): boolean {
    return this.#loggedIn && this.client.linkState === 'CONNECTED'
  }

  get loggedIn(): boolean {
    return this.#loggedIn
  }

  get channels(): readonly string[] {
    return [...this.#wanted.keys()]
  }

  get link(): string {
    return this.client.linkState
  }

  async login(): Promise<void> {
    if (this.#loggedIn) return
    this.options.tokens?.give()
    const at = Date.now()
    try {
      await within(this.client.login(), 15_000, `${this.name} logs in`)
    } catch (error) {
      // It may have been in for a moment, or be so later.
      this.#begin(at)
      this.model.ending(this.#session, at)
      throw error
    }
    this.#begin(Date.now())
    this.#loggedIn = true
  }

  async logout(): Promise<void> {
    if (!this.#loggedIn) return
    this.#loggedIn = false
    const at = Date.now()
    this.model.ending(this.#session, at)
    for (const channel of this.#places()) {
      this.#turn(channel)
      this.model.leaving(this.#session, channel, at)
      // Nothing says when the cluster has done it, nor, without a connection, that it was told.
      this.model.unknown(this.#session, channel, at)
    }
    this.#wanted.clear()
    this.#unsure.clear()
    await this.client.logout()
  }

  async join(channel: string, withPresence = true): Promise<void> {
    if (!this.#loggedIn) return
    if (!this.#watchers.has(channel)) this.#watchers.set(channel, listen(this.client, channel, this.name))
    this.#wanted.set(channel, withPresence)
    this.#turn(channel)
    const joined = this.model.joining(this.#session, channel, Date.now())
    await this.#try(channel, () => this.client.subscribe(channel, { withPresence }), joined)
  }

  async leave(channel: string): Promise<void> {
    if (!this.#loggedIn) return
    this.#wanted.delete(channel)
    this.#turn(channel)
    const left = this.model.leaving(this.#session, channel, Date.now())
    await this.#try(channel, () => this.client.unsubscribe(channel).catch(refuseUnless('CHANNEL_NOT_SUBSCRIBED')), left)
  }

  /** Writes a number that this client never wrote before, under a key of its own. */
  async set(channel: string): Promise<void> {
    if (!this.#loggedIn || !this.#wanted.has(channel)) return
    const [key, value] = [`k${this.options.tab}`, String(++this.#count)]
    const wrote = this.model.writing(this.#session, channel, key, value, Date.now())
    await this.#try(channel, () => this.client.presence.setState(channel, 'MESSAGE', { [key]: value }), this.#ifIn(channel, wrote), false)
  }

  async remove(channel: string): Promise<void> {
    if (!this.#loggedIn || !this.#wanted.has(channel)) return
    const key = `k${this.options.tab}`
    const wrote = this.model.writing(this.#session, channel, key, null, Date.now())
    await this.#try(channel, () => this.client.presence.removeState(channel, 'MESSAGE', { states: [key] }), this.#ifIn(channel, wrote), false)
  }

  /** In a channel that it could not join, a change is one of the client's own cache (`000.4`), and no cluster has acknowledged it. */
  #ifIn(channel: string, wrote: (at: number) => void): (at: number) => void {
    return (at) => {
      if (this.#wanted.has(channel) && !this.#unsure.has(channel)) wrote(at)
    }
  }

  /** The app hands over a token that runs out soon. The client gets the next one by itself, and nobody else notices. */
  async renew(ms: number): Promise<void> {
    const { tokens } = this.options
    if (this.online && tokens?.mayHandOver() === true) await this.#handOver(tokens, Date.now() + ms)
  }

  /** The same, and the app gives no other token, for good or until this one has run out: the session ends as by a logout. */
  async expire(ms: number, forGood: boolean): Promise<void> {
    const { tokens } = this.options
    if (!this.online || tokens?.mayHandOver() !== true) return
    const [at, session, downs] = [Date.now() + ms, this.#session, this.#downs]
    tokens.refuse(forGood)
    await this.#handOver(tokens, at)
    const { endsFrom } = tokens
    await elapse(Math.max(0, at - Date.now()))
    const over = () => session !== this.#session || downs !== this.#downs || !this.#loggedIn || tokens.endsFrom !== endsFrom
    if (endsFrom < Infinity) await eventually('the session has ended with its token', over, { withinMs: LEAVES_MS }).catch(() => this.#say('I2', 'its token has run out, and its session goes on'))
    if (!forGood) tokens.give()
  }

  /** The wire was cut, and this client may not have noticed yet. */
  cut(at: number): void {
    if (this.#loggedIn) this.#down(at)
  }

  /** Waits for the connection, and makes certain what is not: in every channel it is in or out, and knows it. */
  async settle(withinMs: number): Promise<void> {
    if (!this.#loggedIn) return
    const deadline = Date.now() + withinMs
    await eventually(`${this.name} is connected again (it is ${this.client.linkState})`, () => this.client.linkState === 'CONNECTED' || this.client.linkState === 'FAILED', { withinMs })
    while (this.#unsure.size > 0 && this.client.linkState === 'CONNECTED') {
      if (Date.now() > deadline) throw new Error(`${this.name} cannot settle ${[...this.#unsure].join(', ')}: ${String(this.lastError)}`)
      for (const channel of [...this.#unsure]) {
        this.#unsure.delete(channel)
        const wanted = this.#wanted.get(channel)
        await (wanted === undefined ? this.leave(channel) : this.join(channel, wanted))
      }
      if (this.#unsure.size > 0) await elapse(200)
    }
  }

  lastError: unknown

  connected(): readonly Connected[] {
    const { sessionId, nodeId } = this.client
    if (!this.online || sessionId === undefined || nodeId === undefined) return []
    return [{ session: this.#session, user: this.user, sessionId, nodeId }]
  }

  watched(): readonly Watched[] {
    return [...this.#watchers].map(([channel, { log }]) => {
      const current = this.online && this.#wanted.get(channel) === true && !this.#unsure.has(channel)
      const view = new Map([...this.client.channel(channel).members].map(([user, { states }]) => [user, states]))
      return { name: this.name, user: this.user, channel, log, current, whole: this.#turns.get(channel) === 1, alone: this.options.alone === true, view }
    })
  }

  async #try(channel: string, call: () => Promise<unknown>, done: (at: number) => void, membership = true): Promise<void> {
    const pending = `${channel} ${++this.#count}`
    this.#pending.add(pending)
    const session = this.#session
    try {
      await call()
      done(Date.now())
    } catch (error) {
      this.lastError = error
      if (membership && this.#loggedIn && session === this.#session) {
        this.#unsure.add(channel)
        this.model.unknown(session, channel, Date.now())
      }
    } finally {
      this.#pending.delete(pending)
    }
  }

  #link({ currentState, operation, reason, isResumed, affectedChannels = [] }: LinkStateEvent): void {
    if (!this.#loggedIn) return
    const at = Date.now()
    if (currentState === 'DISCONNECTED') {
      this.#downs += 1
      this.#down(at - this.options.detectionMs)
    }
    if (currentState === 'CONNECTED' && operation === 'RECONNECTED') {
      // Its place there could not be continued (Redis refused it, say): the SDK tries again, and who knows when it succeeds.
      for (const channel of affectedChannels) {
        this.model.leaving(this.#session, channel, at)
        this.model.unknown(this.#session, channel, at)
        this.#unsure.add(channel)
      }
      const away = this.model.back(this.#session, at)
      // Its token has run out, and it was not there to hear of it.
      if (!isResumed && at >= this.#endsFrom) this.#expired()
      if (this.#beginsAnew) this.#rejoined(at, affectedChannels)
      else if (!isResumed && away < this.options.timeoutMs) this.#say('I2', `its session ended after ${away} ms without a connection, before its presenceTimeout`)
    }
    if (currentState === 'FAILED') {
      if (this.options.tokens?.refuses === true) this.#stayOut(at)
      else this.#say('I3', `its session was ended by the cluster: ${reason}`)
    }
  }

  /** A new session, as the model knows it; without a time it is not there yet. */
  #begin(at = Infinity): void {
    this.#session = `${this.name}#${++this.#logins}`
    this.options.tokens?.begin()
    this.model.session(this.#session, this.user, this.options.timeoutMs, at)
  }

  #handOver(tokens: Tokens, at: number): Promise<void> {
    return tokens.handOver(at, (token) => this.client.renewToken(token))
  }

  get #endsFrom(): number {
    return this.options.tokens?.endsFrom ?? Infinity
  }

  /** The session ended with its token; `by` then all of it had ended, where that is known. */
  #expired(by?: number): void {
    const from = this.#endsFrom
    for (const channel of this.#places()) {
      this.#turn(channel)
      const left = this.model.leaving(this.#session, channel, from)
      if (by === undefined) this.model.unknown(this.#session, channel, from)
      else left(by)
    }
    for (const pending of this.#pending) this.model.unknown(this.#session, pending.split(' ')[0] ?? '', from)
    this.model.ending(this.#session, from)
    this.#begin()
    this.#beginsAnew = true
  }

  /** It is back with another session, and the SDK has joined again what it was in, as far as it knows. */
  #rejoined(at: number, failed: readonly string[]): void {
    this.#beginsAnew = false
    this.model.begins(this.#session, at)
    const underWay = new Set([...this.#pending].map((pending) => pending.split(' ')[0] ?? ''))
    for (const channel of this.#places()) {
      const joined = this.model.joining(this.#session, channel, at - LEAVES_MS)
      if (this.#wanted.has(channel) && !underWay.has(channel) && !this.#unsure.has(channel) && !failed.includes(channel)) {
        joined(at)
        continue
      }
      this.model.unknown(this.#session, channel, at)
      this.#unsure.add(channel)
    }
  }

  /** The app wants it to be out, and it has given up. Its places end, now or with their grace. */
  #stayOut(at: number): void {
    if (!this.#beginsAnew && at >= this.#endsFrom) this.#expired()
    this.#beginsAnew = false
    this.#loggedIn = false
    // It does not hear of what happens from here on.
    for (const channel of this.#places()) this.#turn(channel)
    this.#wanted.clear()
    this.#unsure.clear()
  }

  /** Channels that it is in, or may be in. */
  #places(): ReadonlySet<string> {
    return new Set([...this.#wanted.keys(), ...this.#unsure])
  }

  #turn(channel: string): void {
    this.#turns.set(channel, (this.#turns.get(channel) ?? 0) + 1)
  }

  #down(at: number): void {
    this.model.down(this.#session, at)
    for (const pending of this.#pending) this.model.unknown(this.#session, pending.split(' ')[0] ?? '', at)
  }

  #say(invariant: Breach['invariant'], what: string): void {
    this.breaches.push({ invariant, where: `the client ${this.name}`, what })
  }
}

/** One answer is as good as success: what was asked for is so already. */
function refuseUnless(code: string): (error: unknown) => void {
  return (error) => {
    if (!(error instanceof RollcallError && error.code === code)) throw error
  }
}
