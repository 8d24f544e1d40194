import type { RollcallClient } from '../../src/client/index.js'
import type { Invitation, InvitationState } from '../../src/protocol/invitations.js'
import type { PlainClient } from './plain.js'
import { Bell, PATIENCE_MS } from './wait.js'

/** What a client is told of invitations from now on. */
export class InvitationLog {
  readonly events: Invitation[] = []
  readonly #bell = new Bell()
  readonly #read = new Map<string, number>()

  /** @param acknowledges of a plain client: whether it says that it has what is sent to its user */
  constructor(
    private readonly client: RollcallClient | PlainClient,
    acknowledges = true,
  ) {
    const add = (invitation: Invitation): void => {
      this.events.push(invitation)
      this.#bell.ring()
    }
    if (!('socket' in client)) client.on('invitation', add)
    else {
      client.socket.on('invitation', (invitation: Invitation, acknowledge?: () => void) => {
        if (acknowledges) acknowledge?.()
        add(invitation)
      })
    }
  }

  of(id: string): Invitation[] {
    return this.events.filter((event) => event.id === id)
  }

  /** The states that an invitation went through, with the reason of a failure. */
  path(id: string): string[] {
    return this.of(id).map(({ state, reason }) => (reason === null ? state : `${state} ${reason}`))
  }

  /** The next event of an invitation, after those that were awaited before; it has to be of this state. */
  async next(id: string, state: InvitationState, ms = PATIENCE_MS): Promise<Invitation> {
    const at = this.#read.get(id) ?? 0
    const event = await this.#bell.until(() => this.of(id)[at], ms, () => `${id} is ${state} for ${this.#name}; it was ${this.path(id).join(', ') || 'told of nothing'}`)
    if (event.state !== state) throw new Error(`${id} is ${event.state} and not ${state} for ${this.#name}: ${this.path(id).join(', ')}`)
    this.#read.set(id, at + 1)
    return event
  }

  /** The first invitation of somebody whom this client has not heard of an invitation before that it has awaited. */
  async first(caller: string, ms = PATIENCE_MS): Promise<Invitation> {
    return this.#bell.until(() => this.events.find((event) => event.caller === caller), ms, () => `${this.#name} hears of an invitation of ${caller}`)
  }

  /** The end that an invitation comes to, whatever comes before. */
  async end(id: string, ms = PATIENCE_MS): Promise<Invitation> {
    const find = () => this.of(id).find(({ state }) => state !== 'SENT' && state !== 'RECEIVED')
    return this.#bell.until(find, ms, () => `${id} has ended for ${this.#name}; it was ${this.path(id).join(', ') || 'told of nothing'}`)
  }

  get #name(): string {
    return 'user' in this.client ? this.client.user : this.client.userId
  }
}
