import { PlainClient } from '../support/plain.js'
import type { NodeAddress } from '../support/node.js'
import type { Scope } from '../support/scope.js'
import { elapse, eventually } from '../support/wait.js'
import type { Breach, Connected, Watched } from './evidence.js'
import type { PresenceModel } from './presence-model.js'

export interface PlainActorOptions {
  readonly user: string
  readonly channel: string
  readonly at: NodeAddress
  readonly timeoutMs: number
  readonly detectionMs: number
  /** A member who watches, a member who does not, or a watcher who is no member. */
  readonly as: 'member' | 'silent' | 'quiet'
  /** Its connection is lost: it may be led elsewhere now. */
  readonly onLost: () => void
}

/**
 * A client without the SDK, in one channel. After a connection it does what any plain client does: it gives its session
 * id, subscribes again, and takes the SNAPSHOT for all that it missed.
 */
export class PlainActor {
  readonly breaches: Breach[] = []
  readonly user: string
  readonly client: PlainClient
  readonly #session: string
  #joined = false
  readonly #auth: object
  #placed = false
  #lastError: unknown

  constructor(
    scope: Scope,
    private readonly model: PresenceModel,
    private readonly options: PlainActorOptions,
  ) {
    this.user = options.user
    this.#session = `${options.user}/plain`
    this.client = PlainClient.open(scope, options.user, options.at, { transports: ['websocket'], auth: { presenceTimeout: options.timeoutMs } })
    this.#auth = this.client.socket.auth
    model.session(this.#session, options.user, options.timeoutMs)
    const { socket } = this.client
    socket.io.reconnectionDelay(100)
    socket.io.reconnectionDelayMax(400)
    socket.on('ready', () => void this.#place())
    socket.on('disconnect', (reason) => {
      this.#lost()
      // Socket.IO leaves it to the client whether it wants to come back to a server that closed.
      if (reason === 'io server disconnect') socket.connect()
    })
    socket.on('connect_error', () => options.onLost())
  }

  get name(): string {
    return this.#session
  }

  get isMember(): boolean {
    return this.options.as === 'member'
  }

  get online(): boolean {
    return this.client.socket.connected && this.#placed
  }

  cut(at: number): void {
    this.model.down(this.#session, at)
  }

  async settle(withinMs: number): Promise<void> {
    await eventually(`${this.name} is in its channel again (${String(this.#lastError)})`, () => this.online, { withinMs })
  }

  connected(): readonly Connected[] {
    if (!this.online || this.options.as === 'quiet') return []
    const { sessionId, nodeId } = this.client.ready
    return [{ session: this.#session, user: this.user, sessionId, nodeId }]
  }

  watched(): readonly Watched[] {
    const { channel, as } = this.options
    if (as === 'silent') return []
    return [{ name: this.name, user: this.user, channel, log: this.client.watcher(channel).log, current: this.online, whole: true }]
  }

  #lost(): void {
    this.#placed = false
    this.model.down(this.#session, Date.now() - this.options.detectionMs)
    this.options.onLost()
  }

  /** Subscribes on a new connection, until it is done or that connection is gone too. */
  async #place(): Promise<void> {
    const { channel, as, timeoutMs } = this.options
    const { socket } = this.client
    const { id } = socket
    const { sessionId, attach, resumed } = this.client.ready
    let attempt = attach
    socket.auth = (give: (auth: object) => void) => give({ ...this.#auth, sessionId, attach: ++attempt })
    const joined = this.#joined || as === 'quiet' ? undefined : this.model.joining(this.#session, channel, Date.now())
    while (socket.connected && socket.id === id) {
      try {
        await this.client.must('subscribe', { channelName: channel, channelType: 'MESSAGE', withPresence: as !== 'silent', beQuiet: as === 'quiet' })
        const at = Date.now()
        joined?.(at)
        const away = this.model.back(this.#session, at)
        if (this.#joined && !resumed && away < timeoutMs && away > 0) this.#say(away)
        this.#joined = true
        this.#placed = true
        return
      } catch (error) {
        this.#lastError = error
        if (as !== 'quiet') this.model.unknown(this.#session, channel, Date.now())
        await elapse(200)
      }
    }
  }

  #say(away: number): void {
    this.breaches.push({ invariant: 'I2', where: `the client ${this.name}`, what: `its session ended after ${away} ms without a connection, before its presenceTimeout` })
  }
}
