import { RollcallError } from '../../src/client/index.js'
import { isOpen, type Invitation } from '../../src/protocol/invitations.js'
import type { Actor } from '../model/actor.js'
import type { Breach } from '../model/evidence.js'
import { TalkLog } from '../model/talk-log.js'
import type { Answer, SentInvitation, SentMessage } from '../model/talk.js'
import { elapse } from '../support/wait.js'

/** What all of them have said. */
export interface Notes {
  readonly sent: SentMessage[]
  readonly invited: SentInvitation[]
  readonly answers: Answer[]
  /** What was refused that should not have been. */
  readonly breaches: Breach[]
}

/** What is to become of an invitation. `ring`: nobody does anything. */
export const FATES = ['accept', 'refuse', 'cancel', 'ring'] as const
export type Fate = (typeof FATES)[number]

/** While something is broken a call may be refused so, and between two who answer at once. */
const REFUSALS = /^(PRESENCE_OPERATION_(FAILED|TIMEOUT)|PRESENCE_REQUEST_CANCELLED|(PRESENCE_)?NOT_CONNECTED|NOT_LOGIN|INVITATION_(ENDED|UNKNOWN))$/

/** An SDK client that tells other users something, and writes down what it said and heard. Nothing here rejects. */
export class Talker {
  readonly log: TalkLog
  readonly #underWay = new Set<Promise<void>>()
  readonly #rung = new Set<string>()
  #count = 0

  constructor(
    readonly actor: Actor,
    private readonly notes: Notes,
  ) {
    this.log = TalkLog.of(actor.client, actor.name)
    actor.client.on('invitation', (invitation) => this.#ring(invitation))
  }

  get user(): string {
    return this.actor.user
  }

  /** @param words what the text ends with; it begins with what tells it from every other one */
  send(to: string, words: string, offline: boolean): void {
    const text = `${this.#mark()} ${words}`
    const message: SentMessage = { by: this.actor.name, from: this.user, session: this.log.session, to, text, waits: offline, asked: Date.now() }
    this.notes.sent.push(message)
    this.#call('M1', async () => {
      const { received } = await this.actor.client.messages.send(to, text, { offline })
      message.received = received
    })
  }

  broadcast(): void {
    this.#call('R1', () => this.actor.client.status.broadcast({ status: this.#mark() }))
  }

  /** The fate, and after how many milliseconds, is said with it: whoever it is for does so. */
  invite(callee: string, fate: Fate, ms: number): void {
    const id = `${this.actor.name.replace('/', '-')}-${++this.#count}-invitation`
    const sent: SentInvitation = { by: this.actor.name, caller: this.user, callee, id, content: `${fate} ${ms}`, asked: Date.now() }
    this.notes.invited.push(sent)
    this.#call('V1', async () => {
      await this.actor.client.invitations.send(callee, { id, content: sent.content })
      if (fate !== 'cancel') return
      await elapse(ms)
      sent.isCanceled = true
      await this.actor.client.invitations.cancel(id)
    })
  }

  async logout(): Promise<void> {
    this.log.leaving()
    // What it has sent and is still open goes with it.
    for (const sent of this.notes.invited) if (sent.by === this.actor.name) sent.isCanceled = true
    await this.actor.logout()
  }

  /** Resolves when everything that it asked for has been answered. */
  async over(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay)
  }

  #ring(invitation: Invitation): void {
    const { callee, id, content } = invitation
    const [fate, ms] = content.split(' ')
    if (callee !== this.user || !isOpen(invitation) || this.#rung.has(id) || (fate !== 'accept' && fate !== 'refuse')) return
    this.#rung.add(id)
    this.#call('V1', async () => {
      await elapse(Number(ms))
      const response = `${this.actor.name} answers`
      this.notes.answers.push({ callee, id, state: fate === 'accept' ? 'ACCEPTED' : 'REFUSED', response })
      await this.actor.client.invitations[fate](id, response)
    })
  }

  #mark(): string {
    return `${this.actor.name} ${++this.#count}`
  }

  #call(invariant: Breach['invariant'], call: () => Promise<unknown>): void {
    const done = call().then(
      () => undefined,
      (error: unknown) => {
        if (error instanceof RollcallError && REFUSALS.test(error.code)) return
        this.notes.breaches.push({ invariant, where: `the client ${this.actor.name}`, what: `it is refused: ${String(error)}` })
      },
    )
    this.#underWay.add(done)
    void done.then(() => this.#underWay.delete(done))
  }
}
