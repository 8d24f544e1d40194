import { RollcallClient, type LinkState, type LinkStateEvent, type Member, type PeerChange, type PresenceMessage, type States, type TokenEvent } from '../client/index.js'
import { ERRORS } from '../protocol/errors.js'
import { Company } from './company.js'
import { isRetryable } from './problems.js'
import type { Settings } from './settings.js'
import { StateWriter, type StatePatch } from './state-writer.js'

/** How one is in the room: not at all, as a member, or watching without being seen. */
export type Attendance = 'out' | 'seen' | 'quiet'

/** What the room tells the page. */
export interface RoomWatcher {
  /** Anything that is shown may have changed. Called often; draw once a frame. */
  readonly changed: () => void
  readonly happened: (event: PresenceMessage) => void
  /** Somebody whom one has met lost the connection, is back, came online or went. */
  readonly reached: (change: PeerChange) => void
  readonly linked: (event: LinkStateEvent) => void
  /** The session was ended from the other side; `null` where that was somebody's wish and no error. */
  readonly ended: (reason: string, errorCode: number | null) => void
  readonly token: (event: TokenEvent) => void
  readonly failed: (error: unknown) => void
}

/** Milliseconds that a lost connection keeps its place: short, so that a visitor can wait for the end of it. */
export const SEAT_KEPT_MS = 10_000

const TYPE = 'MESSAGE'

/** One room, seen through the SDK: enter, leave, say something about oneself, look who is there. */
export class Room {
  readonly name: string
  readonly userId: string
  readonly company: Company
  readonly #client: RollcallClient
  readonly #watcher: RoomWatcher
  readonly #writer: StateWriter
  #attendance: Attendance = 'out'
  #wasKicked = false
  #roundTripMs: number | null = null

  constructor(settings: Settings, watcher: RoomWatcher) {
    this.name = settings.room
    this.userId = settings.userId
    this.#watcher = watcher
    this.#client = new RollcallClient(settings.appId, settings.userId, {
      presenceTimeout: SEAT_KEPT_MS,
      ...(settings.token === null ? {} : { token: settings.token }),
    })
    this.company = new Company(this.#client.peers, settings.userId, settings.room, watcher.changed)
    this.#writer = new StateWriter((patch) => this.#send(patch), {
      isReady: () => this.link === 'CONNECTED' && this.#attendance === 'seen',
      isRetryable,
      gaveUp: watcher.failed,
    })
    this.#listen()
  }

  /** The visitor's, for what is not about the room. */
  get client(): RollcallClient {
    return this.#client
  }

  get attendance(): Attendance {
    return this.#attendance
  }

  get link(): LinkState {
    return this.#client.linkState
  }

  /** The node that serves us; `''` without a session. */
  get nodeId(): string {
    if (this.link === 'IDLE' || this.link === 'FAILED') return ''
    return this.#client.nodeId ?? ''
  }

  get members(): ReadonlyMap<string, Member> {
    return this.#client.channel(this.name, TYPE).members
  }

  get version(): number {
    return this.#client.channel(this.name, TYPE).version
  }

  /** Whether what is shown is what the cluster knows. */
  get isCurrent(): boolean {
    return this.link === 'CONNECTED' && this.#client.channel(this.name, TYPE).status === 'live'
  }

  /** How long the last change of one's own took until it was acknowledged. */
  get roundTripMs(): number | null {
    return this.#roundTripMs
  }

  /** Whether all that one said has been taken. */
  get isSettled(): boolean {
    return this.#writer.isIdle
  }

  async renewToken(token: string): Promise<void> {
    await this.#client.renewToken(token)
  }

  /** Enters with this state, or only watches, after a new login where the session is over; whoever is inside changes seats. */
  async enter(attendance: 'seen' | 'quiet', states: States): Promise<void> {
    await this.leave()
    await this.#client.login()
    if (attendance === 'seen') {
      // Said before entering, it is there with the entry: nobody sees a member without a face.
      await this.#client.presence.setState(this.name, TYPE, { ...states, node: this.nodeId })
    }
    await this.#client.subscribe(this.name, { withPresence: true, beQuiet: attendance === 'quiet' })
    this.#attendance = attendance
    this.#watcher.changed()
  }

  async leave(): Promise<void> {
    if (this.#attendance === 'out') return
    this.#attendance = 'out'
    this.#writer.clear()
    await this.#client.unsubscribe(this.name)
    this.#watcher.changed()
  }

  /** Says something about oneself. Whoever is not seen says nothing. */
  say(patch: StatePatch): void {
    if (this.#attendance === 'seen') this.#writer.write(patch)
  }

  async #send(patch: StatePatch): Promise<void> {
    const states: Record<string, string> = {}
    const gone: string[] = []
    for (const [key, value] of Object.entries(patch)) {
      if (value === null) gone.push(key)
      else states[key] = value
    }
    const { presence } = this.#client
    if (Object.keys(states).length > 0) {
      const start = performance.now()
      await presence.setState(this.name, TYPE, states)
      this.#roundTripMs = performance.now() - start
      this.#watcher.changed()
    }
    if (gone.length > 0) await presence.removeState(this.name, TYPE, { states: gone })
  }

  #listen(): void {
    const client = this.#client
    client.channel(this.name, TYPE).addEventListener('change', () => {
      this.#watcher.changed()
    })
    client.addEventListener('presence', (event) => {
      if (event.channelName === this.name && event.channelType === TYPE) this.#watcher.happened(event)
    })
    client.addEventListener('peers', (changes) => {
      changes.forEach(this.#watcher.reached)
      this.#watcher.changed()
    })
    client.addEventListener('kicked', () => {
      this.#wasKicked = true
    })
    client.addEventListener('linkState', (event) => {
      this.#watcher.linked(event)
      if (event.currentState === 'CONNECTED') this.#connected()
      if (event.currentState === 'FAILED') this.#failed(event)
    })
    client.addEventListener('token', this.#watcher.token)
  }

  #connected(): void {
    // Another node may be serving us now, and what was said meanwhile can go out.
    if (this.members.get(this.userId)?.states.node !== this.nodeId) this.say({ node: this.nodeId })
    this.#writer.poke()
  }

  /** The session is over, and with it the seat. A login that fails says so itself. */
  #failed({ operation, reason, reasonCode }: LinkStateEvent): void {
    this.#attendance = 'out'
    this.#writer.clear()
    const isWish = this.#wasKicked && reasonCode === ERRORS.NOT_LOGIN.errorCode
    this.#wasKicked = false
    if (operation === 'SERVER_REJECT') this.#watcher.ended(reason, isWish ? null : (reasonCode ?? null))
    this.#watcher.changed()
  }
}
