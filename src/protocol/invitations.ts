import { RollcallError } from './errors.js'
import { fieldsOf, type Read } from './fields.js'
import { DEFAULT_LIMITS, type Limits } from './limits.js'
import { checkUserId } from './names.js'
import { fitsUtf8, isWellFormed } from './text.js'

/** One user asks another into a call, or whatever the two make of it (`002.16`). */

/**
 * Where an invitation stands. It is open while it is SENT or RECEIVED; the other four are ends, and nothing follows on them.
 *
 * - `SENT`: no client of the callee has said that it has it.
 * - `RECEIVED`: one has.
 * - `ACCEPTED`, `REFUSED`: by the callee.
 * - `CANCELED`: by the caller.
 * - `FAILED`: by nobody; `reason` says why.
 */
export type InvitationState = 'SENT' | 'RECEIVED' | 'ACCEPTED' | 'REFUSED' | 'CANCELED' | 'FAILED'

/**
 * Why an invitation has FAILED.
 *
 * - `PEER_OFFLINE`: the callee was not there in time, or the caller is gone.
 * - `PEER_NO_RESPONSE`: the callee was there, but no client of theirs has said that it has it.
 * - `EXPIRED`: it was received and not answered in time.
 */
export type InvitationReason = 'PEER_OFFLINE' | 'PEER_NO_RESPONSE' | 'EXPIRED'

/** An invitation as both sides see it. */
export interface Invitation {
  /** Given by the caller's client; among the invitations to one user no two have the same. */
  readonly id: string
  readonly caller: string
  readonly callee: string
  /** What the caller says; `''` for nothing. */
  readonly content: string
  /** The channel that it is about; `''` for none. */
  readonly channelId: string
  /** What the callee says to it, once it is ACCEPTED or REFUSED. */
  readonly response: string
  readonly state: InvitationState
  /** Of one that has FAILED. */
  readonly reason: InvitationReason | null
  /** 1 for the first state; one more with each that follows. */
  readonly revision: number
  /** When it came to this state, in milliseconds since the epoch, by Redis's clock. */
  readonly timestamp: number
  /** The session that has accepted or refused it. */
  readonly answeredBy?: string
}

/** Whether an invitation may still be accepted, refused or cancelled. */
export function isOpen({ state }: Pick<Invitation, 'state'>): boolean {
  return state === 'SENT' || state === 'RECEIVED'
}

/** An invitation by its name: whom it was sent to, and the id among those. */
export interface InvitationRef {
  /** The callee. */
  readonly userId: string
  readonly id: string
}

export interface InviteRequest extends InvitationRef {
  readonly content?: string
  readonly channelId?: string
}

/** `acceptInvitation` and `refuseInvitation`, by the callee. */
export interface AnswerInvitationRequest {
  readonly id: string
  readonly response?: string
  /** When it is too late, by Redis's clock, in milliseconds: then it is not carried out any more. Never, if absent. */
  readonly until?: number
}

export interface GetInvitationsRequest {
  /** Those that the client knows of, whoever sent them. */
  readonly sent?: readonly InvitationRef[]
}

export interface InvitationReply {
  /** As it is now. */
  readonly invitation: Invitation
}

export interface InvitationsReply {
  /** Those that were asked for, in order, `null` where none is known any more; then all open ones to oneself. */
  readonly invitations: readonly (Invitation | null)[]
}

type InvitationLimits = Pick<Limits, 'nameBytes' | 'invitationBytes' | 'invitations'>

const INVITATION_ID = /^[A-Za-z0-9_-]{8,64}$/

/** PRESENCE_INVALID_ARGUMENT, INVALID_USER_ID, INVITATION_TOO_LARGE (of the content). */
export function parseInvite(value: unknown, limits: InvitationLimits = DEFAULT_LIMITS): Required<InviteRequest> {
  const read = fieldsOf(value)
  const ref = refOf(read, limits)
  return { ...ref, content: saying(read('content'), 'content', limits.invitationBytes), channelId: saying(read('channelId'), 'channelId', limits.nameBytes) }
}

/** PRESENCE_INVALID_ARGUMENT, INVALID_USER_ID. */
export function parseCancelInvitation(value: unknown, limits: InvitationLimits = DEFAULT_LIMITS): InvitationRef {
  return refOf(fieldsOf(value), limits)
}

/** PRESENCE_INVALID_ARGUMENT, INVITATION_TOO_LARGE. */
export function parseAnswerInvitation(value: unknown, limits: InvitationLimits = DEFAULT_LIMITS): AnswerInvitationRequest & { readonly response: string } {
  const read = fieldsOf(value)
  const until = read('until')
  if (until !== undefined && !(Number.isSafeInteger(until) && Number(until) >= 0)) throw invalid('until is a time in milliseconds, a whole number')
  return { id: checkInvitationId(read('id')), response: saying(read('response'), 'response', limits.invitationBytes), ...(until !== undefined && { until: Number(until) }) }
}

/** PRESENCE_INVALID_ARGUMENT (also for more than `limits.invitations`), INVALID_USER_ID. */
export function parseGetInvitations(value: unknown, limits: InvitationLimits = DEFAULT_LIMITS): readonly InvitationRef[] {
  const sent = fieldsOf(value)('sent')
  if (sent === undefined) return []
  if (!Array.isArray(sent)) throw invalid('sent is a list')
  if (sent.length > limits.invitations) throw invalid(`sent has at most ${limits.invitations} invitations`)
  // Array.from makes the holes of a sparse list visible.
  return Array.from(sent as readonly unknown[], (entry) => refOf(fieldsOf(entry, 'an invitation'), limits))
}

/** Throws PRESENCE_INVALID_ARGUMENT. */
function checkInvitationId(id: unknown): string {
  if (typeof id !== 'string' || !INVITATION_ID.test(id)) throw invalid('the id of an invitation has 8 to 64 of the characters A-Z a-z 0-9 _ -')
  return id
}

function refOf(read: Read, limits: InvitationLimits): InvitationRef {
  return { userId: checkUserId(read('userId'), limits), id: checkInvitationId(read('id')) }
}

function saying(value: unknown, what: string, bytes: number): string {
  if (value === undefined) return ''
  if (typeof value !== 'string') throw invalid(`${what} is a string`)
  // Before anything that costs time in proportion to the length.
  if (!fitsUtf8(value, bytes)) throw new RollcallError('INVITATION_TOO_LARGE', `${what} has at most ${bytes} bytes of UTF-8`)
  if (!isWellFormed(value)) throw invalid(`${what} is well-formed Unicode, without lone surrogates`)
  return value
}

function invalid(reason: string): RollcallError {
  return new RollcallError('PRESENCE_INVALID_ARGUMENT', reason)
}
