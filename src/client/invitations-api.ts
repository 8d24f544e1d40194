import { chunksOf } from '../protocol/chunks.js'
import { RollcallError, type ErrorCode } from '../protocol/errors.js'
import { isOpen, parseAnswerInvitation, parseInvite, type Invitation, type InvitationRef } from '../protocol/invitations.js'
import type { Limits } from '../protocol/limits.js'
import { pause } from './backoff.js'
import { during } from './failures.js'
import { REQUEST_MS, type RequestOptions } from './link.js'
import { optionsOf } from './options.js'
import type { ReplyOf, RequestOf } from './wire.js'

/** Ended invitations that are remembered, so that nothing late is told of them. */
const REMEMBERED = 100
/** How much later than it should have ended an invitation is asked for, in milliseconds; and the pause until it is asked for again. */
const LATE_MS = 3_000
const EARLY_MS = 100
/** Of the time that an answer may take, the part that is left for what became of it, if that is not known by then. */
const ASKING = 1 / 5
/** For so long, in milliseconds, what is known of Redis's clock is not replaced by what says less: two clocks do not go apart by much meanwhile. */
const CLOCK_MS = 120_000
/** The answer may have been given, or still be; and it has not, and will not be. */
const UNCERTAIN: ReadonlySet<ErrorCode> = new Set(['PRESENCE_OPERATION_TIMEOUT', 'PRESENCE_REQUEST_CANCELLED'])
const DECIDED: ReadonlySet<ErrorCode> = new Set(['INVITATION_LATE', 'INVITATION_ENDED', 'INVITATION_UNKNOWN'])

export interface SendInvitationOptions {
  /** What is said with it: up to `invitationBytes` of UTF-8. @default '' */
  readonly content?: string
  /** The channel that it is about: up to `nameBytes` of UTF-8. @default '' */
  readonly channelId?: string
  /** Its id, 8 to 64 of A-Z a-z 0-9 _ -, which the callee was never sent before. @default one that nobody has used */
  readonly id?: string
}

export interface AnswerInvitationOptions {
  /** How long it may take, in milliseconds: by then it is known what became of it, or the node is out of reach. What has not been carried out by then is not any more. @default 10,000 */
  readonly withinMs?: number
}

/** What is asked on a connection that is not in use yet. */
export type AskInvitations = (request: RequestOf<'getInvitations'>) => Promise<ReplyOf<'getInvitations'>>

/** What invitations need of the link. */
export interface InvitationsLink {
  readonly limits: Limits
  request<Name extends 'invite' | 'acceptInvitation' | 'refuseInvitation' | 'cancelInvitation' | 'getInvitations'>(
    name: Name,
    payload: RequestOf<Name>,
    operation: string,
    options?: RequestOptions,
  ): Promise<ReplyOf<Name>>
}

/** An invitation that this client knows of. */
interface Held {
  invitation: Invitation
  /** A listener of the app was there when it was told. */
  heard: boolean
  /** When it should have come to another state at the latest, by this machine's steady clock in milliseconds. */
  until: number
}

/**
 * Told of each new state. Answers later, by calling `heard`, whether anybody in the app was there to hear of it.
 */
export type TellInvitation = (invitation: Invitation, heard: () => void) => void

/**
 * `client.invitations`: to ask another user into a call, and to answer. What becomes of one is the client's event `invitation`, on
 * all sessions of both users: each state once, in order. Whoever hears of one that is `SENT` to this client's user is being
 * rung; that somebody listens makes it `RECEIVED`.
 *
 * Everything here rejects with a `RollcallError`: NOT_LOGIN, NOT_CONNECTED, RATE_EXCEEDED, PRESENCE_INVALID_ARGUMENT,
 * PRESENCE_OPERATION_FAILED (not done), PRESENCE_OPERATION_TIMEOUT (outcome unknown), and what each names. Calls that were under
 * way when the connection was lost are sent again: repeated, they change nothing.
 */
export class InvitationsApi {
  readonly #userId: string
  readonly #link: InvitationsLink
  readonly #tell: TellInvitation
  /** By {@link keyOf}, those that were heard of last at the end. */
  readonly #held = new Map<string, Held>()
  /** Calls that invite, by the id: whoever cancels waits for what comes of them. */
  readonly #sending = new Map<string, { readonly calleeId: string; readonly done: Promise<unknown> }>()
  /** The callees of those of which nobody knows whether the cluster has them, by the id; of more the oldest are forgotten. They can be cancelled. */
  readonly #unsure = new Map<string, string>()
  #guard: ReturnType<typeof setTimeout> | undefined
  /** Redis's clock showed this, or more, when this machine's steady clock showed `at`; in milliseconds. */
  #clock: { readonly time: number; readonly at: number } | null = null
  /** One object a session: what is answered to an earlier one has ended with it. */
  #life = new AbortController()

  constructor(userId: string, link: InvitationsLink, tell: TellInvitation) {
    this.#userId = userId
    this.#link = link
    this.#tell = tell
  }

  /**
   * Invites a user, who need not be there yet: there are `invitationReceiptMs` for it to be received. Resolves when the cluster has it.
   *
   * INVALID_USER_ID, INVALID_PEER (oneself), INVITATION_TOO_LARGE, USER_BLOCKED, INVITATION_LIMIT (the callee has too many open),
   * INVITATION_EXISTS (the id is taken). Where the outcome is unknown, the same may be sent again with its `id`, or cancelled.
   */
  async send(calleeId: string, options: SendInvitationOptions = {}): Promise<Invitation> {
    const operation = 'invite'
    const request = during(operation, () => {
      const { content, channelId, id = newId() } = optionsOf(options)
      return parseInvite({ userId: calleeId, id, content, channelId }, this.#link.limits)
    })
    const life = this.#life
    const reply = this.#link.request('invite', request, operation)
    const sending = { calleeId, done: reply.catch(() => undefined) }
    this.#sending.set(request.id, sending)
    try {
      const { invitation } = await reply
      this.#unsure.delete(request.id)
      return this.#learnt(invitation, life)
    } catch (error) {
      if (life === this.#life && UNCERTAIN.has(RollcallError.from(error, operation).code)) this.#doubt(request.id, calleeId)
      throw error
    } finally {
      if (this.#sending.get(request.id) === sending) this.#sending.delete(request.id)
    }
  }

  /** Says yes to one that this client's user was sent. INVITATION_UNKNOWN, INVITATION_ENDED (also when another session was first), INVITATION_LATE, INVITATION_TOO_LARGE. */
  accept(id: string, response = '', options: AnswerInvitationOptions = {}): Promise<Invitation> {
    return this.#answer('acceptInvitation', id, response, options)
  }

  /** Says no. As {@link accept}. */
  refuse(id: string, response = '', options: AnswerInvitationOptions = {}): Promise<Invitation> {
    return this.#answer('refuseInvitation', id, response, options)
  }

  /** Takes back one that this client's user has sent. INVITATION_UNKNOWN, INVITATION_ENDED. */
  async cancel(id: string): Promise<Invitation> {
    const operation = 'cancelInvitation'
    const sending = this.#sending.get(id)
    await sending?.done
    const isOwn = ({ caller }: Invitation): boolean => caller === this.#userId
    const userId = sending?.calleeId ?? this.#find(id, isOwn)?.callee ?? this.#unsure.get(id)
    if (userId === undefined) throw new RollcallError('INVITATION_UNKNOWN', 'this client has sent no such invitation', operation)
    const life = this.#life
    try {
      return this.#learnt((await this.#link.request(operation, { userId, id }, operation)).invitation, life)
    } catch (error) {
      this.#unknown(error, life, this.#find(id, isOwn))
      throw error
    }
  }

  /** What this client knows of an invitation: all that are open, and some that have ended. */
  get(id: string): Invitation | undefined {
    return this.#find(id, () => true)
  }

  /** The event, as it came over a connection; `acknowledge` is for one that is being rung. */
  receive(invitation: Invitation, acknowledge?: () => void): void {
    if (invitation.callee === this.#userId) this.noteTime(invitation.timestamp)
    this.#learn(invitation, acknowledge)
  }

  /** Redis's clock, where this user's data is, shows this or more by now, in milliseconds. */
  noteTime(time: number): void {
    const [known, at] = [this.#clock, performance.now()]
    if (known === null || time - at >= known.time - known.at || at - known.at > CLOCK_MS) this.#clock = { time, at }
  }

  /** Asks on a new connection what became of those that were open. Rejects only when that is lost as well. */
  async resume(ask: AskInvitations): Promise<void> {
    try {
      await this.#ask(this.#open(), ask)
    } catch (error) {
      if (!(error instanceof RollcallError) || error.code === 'PRESENCE_REQUEST_CANCELLED') throw error
      this.#watch(LATE_MS)
    }
  }

  /** The session is over, and so is what was open: what this user sent is cancelled, by the node too where it has seen the end. */
  end(): void {
    for (const invitation of this.#open()) this.#learn(endedHere(invitation, invitation.caller === this.#userId))
    this.#held.clear()
    this.#sending.clear()
    this.#unsure.clear()
    this.#life.abort()
    this.#life = new AbortController()
    this.#clock = null
    clearTimeout(this.#guard)
  }

  async #answer(operation: 'acceptInvitation' | 'refuseInvitation', id: string, response: string, options: AnswerInvitationOptions): Promise<Invitation> {
    const life = this.#life
    try {
      return await this.#insist(operation, id, response, options)
    } catch (error) {
      this.#unknown(error, life, this.#find(id, ({ callee }) => callee === this.#userId))
      throw error
    }
  }

  async #insist(operation: 'acceptInvitation' | 'refuseInvitation', id: string, response: string, options: AnswerInvitationOptions): Promise<Invitation> {
    const { request, withinMs } = during(operation, () => ({ request: parseAnswerInvitation({ id, response }, this.#link.limits), withinMs: parseWithinMs(optionsOf(options).withinMs) }))
    const life = this.#life
    const end = performance.now() + withinMs
    const last = end - ASKING * withinMs
    // By then it is carried out, or never will be.
    const until = this.#clock === null ? {} : { until: Math.floor(this.#clock.time + last - this.#clock.at) }
    const send = (deadline: number) => this.#link.request(operation, { ...request, ...until }, operation, { deadline })
    try {
      return this.#learnt((await send(last)).invitation, life)
    } catch (error) {
      if (!UNCERTAIN.has(RollcallError.from(error, operation).code) || life.signal.aborted) throw error
      try {
        await pause(last - performance.now(), life.signal)
        // Sent again it changes nothing, and says what has come of it.
        return this.#learnt((await send(end)).invitation, life)
      } catch (second) {
        throw DECIDED.has(RollcallError.from(second, operation).code) ? second : error
      }
    }
  }

  /** One that is open here and that the cluster knows nothing of, for Redis has lost it, has ended: who wants to be rid of it is not left with it. */
  #unknown(error: unknown, life: AbortController, invitation: Invitation | undefined): void {
    if (life !== this.#life || invitation === undefined || !isOpen(invitation) || RollcallError.from(error, 'invite').code !== 'INVITATION_UNKNOWN') return
    this.#learn(endedHere(invitation, invitation.caller === this.#userId))
  }

  #doubt(id: string, calleeId: string): void {
    this.#unsure.set(id, calleeId)
    const [oldest] = this.#unsure.keys()
    if (this.#unsure.size > REMEMBERED && oldest !== undefined) this.#unsure.delete(oldest)
  }

  /** What a reply says; by now more may be known. */
  #learnt(invitation: Invitation, life: AbortController): Invitation {
    if (life !== this.#life) return isOpen(invitation) ? endedHere(invitation, invitation.caller === this.#userId) : invitation
    this.#learn(invitation)
    return this.#held.get(keyOf(invitation))?.invitation ?? invitation
  }

  #learn(invitation: Invitation, acknowledge?: () => void): void {
    const key = keyOf(invitation)
    const before = this.#held.get(key)
    if (before !== undefined && before.invitation.revision >= invitation.revision) {
      // It is being rung again. If nobody heard of it the first time, it has not been told.
      if (before.invitation.revision > invitation.revision || acknowledge === undefined) return
      if (before.heard) return acknowledge()
    }
    const { invitationReceiptMs, invitationAnswerMs } = this.#link.limits
    const until = isOpen(invitation) ? performance.now() + LATE_MS + (invitation.state === 'SENT' ? invitationReceiptMs : invitationAnswerMs) : Infinity
    const held: Held = { invitation, heard: before?.heard ?? false, until }
    this.#held.delete(key)
    this.#held.set(key, held)
    this.#tell(invitation, () => {
      held.heard = true
      acknowledge?.()
    })
    this.#forgetSome()
    if (isOpen(invitation)) this.#watch()
  }

  #find(id: string, which: (invitation: Invitation) => boolean): Invitation | undefined {
    for (const { invitation } of this.#held.values()) if (invitation.id === id && which(invitation)) return invitation
    return undefined
  }

  #open(): readonly Invitation[] {
    return [...this.#held.values()].flatMap(({ invitation }) => (isOpen(invitation) ? [invitation] : []))
  }

  #forgetSome(): void {
    if (this.#held.size <= REMEMBERED) return
    for (const [key, { invitation }] of this.#held) {
      if (isOpen(invitation)) continue
      this.#held.delete(key)
      return
    }
  }

  async #ask(invitations: readonly Invitation[], ask: AskInvitations): Promise<void> {
    for (const asked of chunksOf(invitations, this.#link.limits.invitations)) {
      const life = this.#life
      const reply = await ask({ sent: asked.map(({ callee, id }): InvitationRef => ({ userId: callee, id })) })
      if (life !== this.#life) return
      for (const invitation of reply.invitations) if (invitation !== null) this.#learn(invitation)
      // What the cluster does not know any more has ended while nobody could say so.
      asked.forEach((invitation, index) => {
        if (reply.invitations[index] === null && this.#held.get(keyOf(invitation))?.invitation === invitation) this.#learn(endedHere(invitation, false))
      })
    }
  }

  /** An invitation whose end was missed, or which Redis has lost, ends here too. */
  #watch(leastMs = 0): void {
    clearTimeout(this.#guard)
    const first = Math.min(...[...this.#held.values()].map(({ until }) => until))
    if (first !== Infinity) this.#guard = setTimeout(() => void this.#check(), Math.max(leastMs, first - performance.now()))
  }

  async #check(): Promise<void> {
    // Timers may be a little early.
    const now = performance.now() + EARLY_MS
    const late = this.#open().filter((invitation) => (this.#held.get(keyOf(invitation))?.until ?? Infinity) <= now)
    // Where there is no answer, it is asked again.
    await this.#ask(late, (request) => this.#link.request('getInvitations', request, 'getInvitations')).catch(() => undefined)
    this.#watch(LATE_MS)
  }
}

function parseWithinMs(value: unknown): number {
  if (value === undefined) return REQUEST_MS
  if (typeof value !== 'number' || !(value > 0) || value > REQUEST_MS) throw new RollcallError('PRESENCE_INVALID_ARGUMENT', `withinMs is a number of milliseconds, up to ${REQUEST_MS}`)
  return value
}

function keyOf({ callee, id }: Pick<Invitation, 'callee' | 'id'>): string {
  return `${callee}\0${id}`
}

function endedHere(invitation: Invitation, canceled: boolean): Invitation {
  const end = canceled ? ({ state: 'CANCELED', reason: null } as const) : ({ state: 'FAILED', reason: 'EXPIRED' } as const)
  return { ...invitation, ...end, revision: invitation.revision + 1, timestamp: Date.now() }
}

const ID_BYTES = 16

/** An id that nobody has used. */
export function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(ID_BYTES)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
