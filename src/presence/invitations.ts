import { RollcallError } from '../protocol/errors.js'
import { isOpen, type AnswerInvitationRequest, type Invitation, type InvitationRef, type InviteRequest } from '../protocol/invitations.js'
import type { Limits } from '../protocol/limits.js'
import { begun, following, lasts, shown, type InvitationEvent, type InvitationRecord } from './invitation.js'
import type { Lane } from './lane.js'
import type { RosterStore } from './roster.js'
import { settled } from './settled.js'
import { statusesOf } from './statuses.js'
import type { PresenceStore } from './store.js'
import type { Timer } from './types.js'

/** One step of an invitation, carried out only if it is as the caller has seen it. */
export interface InvitationStep {
  /** The revision that it has; 0: there is none of this name. */
  readonly from: number
  /** What it becomes. The store sets its timestamp. */
  readonly to: InvitationRecord
  /** Whether it was open before. */
  readonly wasOpen: boolean
  /** When it rings next, in milliseconds from now on the partition's clock. */
  readonly timerMs: number
  /** The timer that this step is due to, which must be as it was seen, and over. */
  readonly due?: Timer
  /** From when on, in milliseconds by Redis's clock, it is not taken any more. */
  readonly until?: number | undefined
}

/**
 * What became of a step. All but `done` are refusals, and then nothing was changed.
 *
 * - `conflict`: it is not as the caller has seen it; `found` is what it is.
 * - `early`: the timer is another one by now, or not over.
 * - `late`: it is not before `until` any more.
 * - `blocked`: of a new one, the callee has blocked the caller.
 * - `full`: of a new one, the callee has too many.
 */
export type InvitationOutcome =
  | { readonly outcome: 'done'; readonly timestamp: number }
  | { readonly outcome: 'conflict'; readonly found: InvitationRecord | null }
  | { readonly outcome: 'early' | 'late' | 'blocked' | 'full' }

/** An invitation and the app that it is of. */
export interface KeptInvitation {
  readonly app: string
  readonly record: InvitationRecord
}

/** What holds for every step. */
export interface InvitationRules {
  /** Open invitations that a user may have, and how many in all, with those that have ended and are remembered. */
  readonly open: number
  readonly all: number
  /** Of a heartbeat, in milliseconds: the partition's clock goes by it. */
  readonly periodMs: number
}

/**
 * What the domain needs of the store for invitations. They are kept where the callee's data is. A step is decided and carried out in one
 * atomic step with its timer and the post for both users: each invitation has one timer from its beginning until it is forgotten. Calls reject with
 * `UnknownOutcomeError` or `StoreRefusedError`.
 */
export interface InvitationStore {
  read(app: string, of: readonly InvitationRef[]): Promise<readonly (InvitationRecord | null)[]>
  /** All that these users were sent, those that have ended among them. */
  sentTo(app: string, userIds: readonly string[]): Promise<readonly InvitationRecord[]>
  step(app: string, step: InvitationStep, rules: InvitationRules): Promise<InvitationOutcome>
  /** Forgets one of this revision, when this timer is over; without a record, the timer. */
  forget(app: string, ref: InvitationRef, revision: number, due: Timer, rules: InvitationRules): Promise<void>
  /** All that are kept in a partition, page by page. It looks through every key there is: for repairs only. */
  kept(partition: number): AsyncIterable<readonly KeptInvitation[]>
  /** Sets the timer of one that has none, on the partition's clock in microseconds. Does nothing where there is one. */
  rearm(app: string, ref: InvitationRef, at: number): Promise<void>
}

/** A session that invites or answers. */
export interface Party {
  readonly userId: string
  readonly sessionId: string
}

export interface InvitationsOptions {
  readonly store: InvitationStore
  readonly roster: Pick<RosterStore, 'blocks'>
  readonly statuses: Pick<PresenceStore, 'partitionOf' | 'statuses'>
  readonly app: string
  readonly limits: Limits
  readonly heartbeatMs: number
  readonly metrics: { readonly invitations: { inc(labels: { readonly state: string }): void } }
  /** A timer has been set where the data of this user of an app is, to ring in so many milliseconds. */
  readonly onTimer: (app: string, userId: string, inMs: number) => void
}

/** How many times as many invitations as may be open are kept for one user, with those that have ended. */
const ALL_TO_OPEN = 4
/** Each failed try means that somebody else's has succeeded, and an invitation has three states in its life. */
const TRIES = 8

/**
 * Invitations (`002.16`): one record each, which every change replaces if it is still as it was seen; so of two that race one wins, and the
 * other sees what has become of it. Any node ends what is out of time.
 *
 * All methods reject with a `RollcallError`: PRESENCE_OPERATION_FAILED (not carried out), PRESENCE_OPERATION_TIMEOUT (outcome unknown; to
 * repeat it does no harm), and what each names.
 */
export class Invitations {
  readonly #rules: InvitationRules

  constructor(private readonly options: InvitationsOptions) {
    const { invitations: open } = options.limits
    this.#rules = { open, all: ALL_TO_OPEN * open, periodMs: options.heartbeatMs }
  }

  /** USER_BLOCKED, INVALID_PEER, INVITATION_LIMIT, INVITATION_EXISTS. The same one sent again is as it is by now. */
  async invite(caller: Party, { userId, id, content, channelId }: Required<InviteRequest>): Promise<Invitation> {
    const { roster, app, limits } = this.options
    if (userId === caller.userId) throw new RollcallError('INVALID_PEER', 'one cannot invite oneself')
    if (await settled(roster.blocks(app, caller.userId, userId))) throw blocked()
    const to = begun({ id, caller: caller.userId, callee: userId, session: caller.sessionId, content, channelId })
    const result = await this.#step(app, { from: 0, to, wasOpen: false, timerMs: lasts(to, limits) })
    switch (result.outcome) {
      case 'done':
        return shown({ ...to, timestamp: result.timestamp })
      case 'conflict':
        if (result.found !== null && isSame(result.found, to)) return shown(result.found)
        throw new RollcallError('INVITATION_EXISTS', 'another invitation to this user has this id')
      case 'blocked':
        throw blocked()
      case 'full':
        throw new RollcallError('INVITATION_LIMIT', `a user has at most ${limits.invitations} open invitations`)
      case 'early':
      case 'late':
        throw new Error('a new invitation is bound to no time')
    }
  }

  /** INVITATION_UNKNOWN, INVITATION_ENDED. One that is cancelled already is so. */
  async cancel(caller: Party, ref: InvitationRef): Promise<Invitation> {
    const { record, moved } = await this.#change(ref, { kind: 'cancel' }, { may: (record) => record.caller === caller.userId })
    if (!moved && record.state !== 'CANCELED') throw ended(record)
    return shown(record)
  }

  /** INVITATION_UNKNOWN, INVITATION_ENDED, INVITATION_LATE. What this session has answered so already is so. */
  async answer(callee: Party, kind: 'accept' | 'refuse', { id, response = '', until }: AnswerInvitationRequest): Promise<Invitation> {
    const { record, moved } = await this.#change({ userId: callee.userId, id }, { kind, session: callee.sessionId, response }, { until })
    const wanted = kind === 'accept' ? 'ACCEPTED' : 'REFUSED'
    if (!moved && !(record.state === wanted && record.answeredBy === callee.sessionId)) throw ended(record)
    return shown(record)
  }

  /** A client of the callee has it. INVITATION_UNKNOWN. */
  async receive(ref: InvitationRef): Promise<void> {
    await this.#change(ref, { kind: 'receive' })
  }

  /** Ends it if it is open. INVITATION_UNKNOWN. */
  async callerGone(ref: InvitationRef): Promise<void> {
    await this.#change(ref, { kind: 'callerGone' })
  }

  /** In order; `null` for what is not known. */
  read(of: readonly InvitationRef[]): Promise<readonly (InvitationRecord | null)[]> {
    return of.length === 0 ? Promise.resolve([]) : settled(this.options.store.read(this.options.app, of))
  }

  /** All open ones that these users were sent. */
  async openTo(userIds: readonly string[]): Promise<readonly InvitationRecord[]> {
    return (await settled(this.options.store.sentTo(this.options.app, userIds))).filter(isOpen)
  }

  /** The timer of an invitation is over: it ends, or is forgotten. */
  async ring(timer: Timer): Promise<void> {
    const { store, statuses } = this.options
    // Nodes of several apps may share a Redis, and sweep for each other.
    const { app, name: userId } = timer.channel
    const ref = { userId, id: timer.id }
    const [record = null] = await store.read(app, [ref])
    if (record === null || !isOpen(record)) return store.forget(app, ref, record?.revision ?? 0, timer, this.#rules)
    const [callee] = record.state === 'SENT' ? await statusesOf(statuses, app, [userId]) : []
    const to = following(record, { kind: 'timeUp', calleeThere: callee?.status === 'ONLINE' })
    // One that has moved on meanwhile has another timer.
    if (to !== null) await this.#step(app, { from: record.revision, to, wasOpen: true, timerMs: lasts(to, this.options.limits), due: timer })
  }

  /** Timers of the partition were lost: what has none gets another, and with it its whole time once more. */
  async rearm(lane: Pick<Lane, 'partition' | 'clockNow'>): Promise<void> {
    const { store, limits } = this.options
    for await (const found of store.kept(lane.partition)) {
      await Promise.all(found.map(({ app, record }) => store.rearm(app, { userId: record.callee, id: record.id }, lane.clockNow + 1000 * lasts(record, limits))))
    }
  }

  /** What an event makes of an invitation, and whether that changed anything. */
  async #change(
    ref: InvitationRef,
    event: InvitationEvent,
    { may = () => true, until }: { readonly may?: (record: InvitationRecord) => boolean; readonly until?: number | undefined } = {},
  ): Promise<{ readonly record: InvitationRecord; readonly moved: boolean }> {
    let [record = null] = await this.read([ref])
    for (let tries = 0; tries < TRIES; tries++) {
      if (record === null || !may(record)) throw new RollcallError('INVITATION_UNKNOWN', 'there is no such invitation, or none any more')
      const to = following(record, event)
      if (to === null) return { record, moved: false }
      const result = await this.#step(this.options.app, { from: record.revision, to, wasOpen: true, timerMs: lasts(to, this.options.limits), until })
      if (result.outcome === 'late') throw new RollcallError('INVITATION_LATE', 'the answer came too late')
      if (result.outcome === 'done') return { record: { ...to, timestamp: result.timestamp }, moved: true }
      if (result.outcome === 'conflict') record = result.found
    }
    throw new RollcallError('PRESENCE_OPERATION_FAILED', 'the invitation kept changing')
  }

  async #step(app: string, step: InvitationStep): Promise<InvitationOutcome> {
    const { store, metrics, onTimer } = this.options
    const result = await settled(store.step(app, step, this.#rules))
    if (result.outcome === 'done') {
      metrics.invitations.inc({ state: step.to.state })
      onTimer(app, step.to.callee, step.timerMs)
    }
    return result
  }
}

/** Whether one is the other, sent again because its answer got lost. */
function isSame(found: InvitationRecord, sent: InvitationRecord): boolean {
  return found.caller === sent.caller && found.session === sent.session && found.content === sent.content && found.channelId === sent.channelId
}

function ended({ state }: Invitation): RollcallError {
  return new RollcallError('INVITATION_ENDED', `the invitation is ${state} already`)
}

function blocked(): RollcallError {
  return new RollcallError('USER_BLOCKED', 'one of the two has blocked the other')
}
