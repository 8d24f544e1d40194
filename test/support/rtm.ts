import ArRTM, { type RemoteInvitation, type RtmClient, type RtmClientEvents, type RtmParameters } from '../../src/client/compat/ar-rtm/index.js'
import type { Scope } from './scope.js'
import { Bell, PATIENCE_MS, within } from './wait.js'

type Name = keyof RtmClientEvents
type Heard = { [Each in Name]: { readonly name: Each; readonly args: RtmClientEvents[Each] } }[Name]

const NAMES: readonly Name[] = ['ConnectionStateChanged', 'MessageFromPeer', 'RemoteInvitationReceived', 'PeersOnlineStatusChanged', 'TokenWillExpired', 'TokenDidExpired']

/** A client in RTM 1.x's shape with all that it has emitted, in order. */
export class RtmUser {
  readonly heard: Heard[] = []
  readonly #bell = new Bell()
  readonly #read = new Map<Name, number>()

  constructor(
    readonly uid: string,
    readonly client: RtmClient,
  ) {
    for (const name of NAMES) {
      client.on(name, (...args: RtmClientEvents[Name]) => {
        this.heard.push({ name, args } as Heard)
        this.#bell.ring()
      })
    }
  }

  static create(scope: Scope, uid: string, where: { readonly url: string } | readonly { readonly url: string }[], parameters: RtmParameters = {}): RtmUser {
    const url = (Array.isArray(where) ? where : [where]).map((each: { readonly url: string }) => each.url)
    const user = new RtmUser(uid, ArRTM.createInstance('dev', { url, ...parameters }))
    scope.defer(`the RTM client of ${uid}`, () => within(user.client.logout().catch(() => undefined), 15_000, `${uid} is logged out`))
    return user
  }

  static async login(scope: Scope, uid: string, where: { readonly url: string } | readonly { readonly url: string }[], { token, ...parameters }: RtmParameters & { readonly token?: string } = {}): Promise<RtmUser> {
    const user = RtmUser.create(scope, uid, where, parameters)
    await within(user.client.login({ uid, ...(token !== undefined && { token }) }), PATIENCE_MS, `${uid} logs in`)
    return user
  }

  of<Each extends Name>(name: Each): RtmClientEvents[Each][] {
    return this.heard.filter((heard) => heard.name === name).map(({ args }) => args as RtmClientEvents[Each])
  }

  /** Each change as `STATE REASON`. */
  get states(): string[] {
    return this.of('ConnectionStateChanged').map((change) => change.join(' '))
  }

  /** The next event of this name, after those that were awaited before. */
  async next<Each extends Name>(name: Each, ms = PATIENCE_MS): Promise<RtmClientEvents[Each]> {
    const at = this.#read.get(name) ?? 0
    const args = await this.#bell.until(() => this.of(name)[at], ms, () => `${this.uid} hears ${name} once more; it heard ${JSON.stringify(this.heard)}`)
    this.#read.set(name, at + 1)
    return args
  }

  async untilStates(...states: readonly string[]): Promise<void> {
    await this.#bell.until(() => (this.states.length >= states.length ? true : undefined), PATIENCE_MS, () => `${this.uid} goes through ${states.join(', ')}; it was ${this.states.join(', ')}`)
    if (JSON.stringify(this.states.slice(0, states.length)) !== JSON.stringify(states)) throw new Error(`${this.uid} went through ${this.states.join(', ')}, not ${states.join(', ')}`)
  }

  /** The next call that rings here, with a log of what becomes of it. */
  async rings(): Promise<{ readonly call: RemoteInvitation; readonly log: CallLog }> {
    const [call] = await this.next('RemoteInvitationReceived')
    return { call, log: new CallLog(call, REMOTE_EVENTS) }
  }
}

export const LOCAL_EVENTS = ['LocalInvitationReceivedByPeer', 'LocalInvitationAccepted', 'LocalInvitationRefused', 'LocalInvitationCanceled', 'LocalInvitationFailure']
const REMOTE_EVENTS = ['RemoteInvitationAccepted', 'RemoteInvitationRefused', 'RemoteInvitationCanceled', 'RemoteInvitationFailure']

/** What an invitation has emitted, each as its name and its argument. */
export class CallLog {
  readonly events: string[] = []
  readonly #bell = new Bell()

  constructor(call: object, names: readonly string[]) {
    const emitter = call as { on(name: string, listener: (...args: readonly string[]) => void): unknown }
    for (const name of names) {
      emitter.on(name, (...args) => {
        this.events.push([name, ...args].join(' ').trim())
        this.#bell.ring()
      })
    }
  }

  /** It has emitted just these. */
  async expect(...events: readonly string[]): Promise<void> {
    await this.#bell.until(() => (this.events.length >= events.length ? true : undefined), PATIENCE_MS, () => `${events.join(', ')}; it was ${this.events.join(', ') || 'nothing'}`)
    if (JSON.stringify(this.events) !== JSON.stringify(events)) throw new Error(`expected ${events.join(', ')}, but it was ${this.events.join(', ')}`)
  }
}
