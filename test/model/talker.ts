import { RollcallError } from '../../src/client/index.js'
import { isOpen, type Invitation } from '../../src/protocol/invitations.js'
import { elapse } from '../support/wait.js'
import type { Actor } from './actor.js'
import type { Breach } from './evidence.js'
import { RosterModel, type RosterChange } from './roster-model.js'
import { TalkLog } from './talk-log.js'
import type { Answer, SentInvitation, SentMessage, SentStatus } from './talk.js'

/** What all of them have said. */
export interface Notes {
  readonly sent: SentMessage[]
  readonly statuses: SentStatus[]
  readonly invited: SentInvitation[]
  readonly answers: Answer[]
  readonly rosters: RosterModel
  /** What was refused that should not have been. */
  readonly breaches: Breach[]
}

export function newNotes(): Notes {
  return { sent: [], statuses: [], invited: [], answers: [], rosters: new RosterModel(), breaches: [] }
}

/** What is to become of an invitation. `ring`: nobody does anything. `race`: the caller cancels, the first of the callee's clients accepts and the second one refuses, all at once. */
export type Fate = 'accept' | 'refuse' | 'cancel' | 'ring' | 'race'

/** While something is broken a call may be refused so, and between two who answer at once. */
const REFUSALS = /^(PRESENCE_OPERATION_(FAILED|TIMEOUT)|PRESENCE_REQUEST_CANCELLED|(PRESENCE_)?NOT_CONNECTED|NOT_LOGIN|INVITATION_(ENDED|UNKNOWN))$/

/** An SDK client that tells other users something, and writes down what it said and heard. Nothing here rejects; what is returned resolves with the answer. */
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
    actor.client.on('linkState', ({ currentState, isResumed }) => {
      // Another session, or none: where the old one was ended for good, its invitations were ended with it.
      if ((currentState === 'CONNECTED' && !isResumed) || currentState === 'FAILED') this.#takeBack()
    })
  }

  get user(): string {
    return this.actor.user
  }

  /** @param words what the text ends with; it begins with what tells it from every other one */
  send(to: string, words: string, offline: boolean): Promise<void> {
    const text = `${this.#mark()} ${words}`
    const message: SentMessage = { by: this.actor.name, from: this.user, session: this.log.session, to, text, waits: offline, asked: Date.now() }
    this.notes.sent.push(message)
    const send = async (): Promise<void> => {
      const { received } = await this.actor.client.messages.send(to, text, { offline })
      Object.assign(message, { received, answered: Date.now() })
    }
    return this.#call('M1', send, () => refused(message))
  }

  broadcast(): Promise<void> {
    const status: SentStatus = { by: this.actor.name, from: this.user, text: this.#mark(), asked: Date.now() }
    this.notes.statuses.push(status)
    return this.#call('R1', async () => {
      await this.actor.client.status.broadcast({ status: status.text })
      status.answered = Date.now()
    })
  }

  /** The fate, and after how many milliseconds, is said with it: whoever it is for does so. */
  invite(callee: string, fate: Fate, ms: number): Promise<void> {
    const id = `${this.actor.name.replace('/', '-')}-${++this.#count}-invitation`
    const sent: SentInvitation = { by: this.actor.name, caller: this.user, callee, id, content: `${fate} ${ms}`, asked: Date.now() }
    this.notes.invited.push(sent)
    const invite = async (): Promise<void> => {
      await this.actor.client.invitations.send(callee, { id, content: sent.content })
      sent.answered = Date.now()
      if (fate === 'cancel' || fate === 'race') void this.#call('V1', () => this.#cancel(sent, ms))
    }
    return this.#call('V1', invite, () => refused(sent))
  }

  /** Adds, removes or blocks somebody. */
  change(what: RosterChange, peer: string): Promise<void> {
    const { roster } = this.actor.client
    const answer = this.notes.rosters.asking(what, this.user, peer, Date.now())
    const change = async (): Promise<void> => {
      if (what === 'add') {
        const { isFriend } = await roster.add(peer)
        answer('done', Date.now(), isFriend)
      } else {
        await roster[what](peer)
        answer('done', Date.now())
      }
    }
    return this.#call('R4', change, () => answer('refused', Date.now()))
  }

  async logout(): Promise<void> {
    this.log.leaving()
    this.#takeBack()
    await this.actor.logout()
  }

  /** Resolves when everything that it asked for has been answered. */
  async over(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay)
  }

  /** What it has sent and is still open goes with its session. */
  #takeBack(): void {
    for (const sent of this.notes.invited) if (sent.by === this.actor.name) sent.isCanceled = true
  }

  async #cancel(sent: SentInvitation, ms: number): Promise<void> {
    await elapse(ms)
    sent.isCanceled = true
    await this.actor.client.invitations.cancel(sent.id)
    sent.hasWon = true
  }

  #ring(invitation: Invitation): void {
    const { callee, id, content } = invitation
    const [fate = '', ms] = content.split(' ')
    const how = fate === 'race' ? (this.actor.name.endsWith('/0') ? 'accept' : 'refuse') : fate
    if (callee !== this.user || !isOpen(invitation) || this.#rung.has(id) || (how !== 'accept' && how !== 'refuse')) return
    this.#rung.add(id)
    void this.#call('V1', async () => {
      await elapse(Number(ms))
      const answer: Answer = { callee, id, state: how === 'accept' ? 'ACCEPTED' : 'REFUSED', response: `${this.actor.name} answers` }
      this.notes.answers.push(answer)
      await this.actor.client.invitations[how](id, answer.response)
      answer.hasWon = true
    })
  }

  #mark(): string {
    return `${this.actor.name} ${++this.#count}`
  }

  /** @param onBlocked one of the two has blocked the other; without it nobody can have */
  #call(invariant: Breach['invariant'], call: () => Promise<unknown>, onBlocked?: () => void): Promise<void> {
    const done = call().then(
      () => undefined,
      (error: unknown) => {
        const code = error instanceof RollcallError ? error.code : ''
        if (code === 'USER_BLOCKED' && onBlocked !== undefined) onBlocked()
        else if (!REFUSALS.test(code)) this.notes.breaches.push({ invariant, where: `the client ${this.actor.name}`, what: `it is refused: ${String(error)}` })
      },
    )
    this.#underWay.add(done)
    void done.then(() => this.#underWay.delete(done))
    return done
  }
}

function refused(what: SentMessage | SentInvitation): void {
  Object.assign(what, { answered: Date.now(), isBlocked: true })
}
