import { isOpen, type Invitation, type InvitationReason, type InvitationState } from '../protocol/invitations.js'

/** An invitation as the store keeps it. */
export interface InvitationRecord extends Invitation {
  /** The caller's session that has sent it. */
  readonly session: string
}

/** What an invitation begins with. */
export type InvitationStart = Pick<InvitationRecord, 'id' | 'caller' | 'callee' | 'session' | 'content' | 'channelId'>

/** What may befall an invitation. */
export type InvitationEvent =
  /** A client of the callee has said that it has it. */
  | { readonly kind: 'receive' }
  | { readonly kind: 'accept' | 'refuse'; readonly session: string; readonly response: string }
  /** The caller takes it back, or the session that has sent it is over. */
  | { readonly kind: 'cancel' }
  /** No session of the caller is left, with or without a connection. */
  | { readonly kind: 'callerGone' }
  /** Its time is over, and whether the callee has a connection now. */
  | { readonly kind: 'timeUp'; readonly calleeThere: boolean }

/** How long an invitation may stay SENT, and RECEIVED, in milliseconds. */
export interface InvitationTimes {
  readonly invitationReceiptMs: number
  readonly invitationAnswerMs: number
}

/**
 * How long it is known what came of an invitation, in milliseconds: for clients that were away when it ended, and for calls that are
 * sent again.
 */
export const REMEMBERED_MS = 120_000

/** The first state. The store says when. */
export function begun(start: InvitationStart): InvitationRecord {
  return { ...start, response: '', state: 'SENT', reason: null, revision: 1, timestamp: 0 }
}

/**
 * The rules of an invitation, as a pure function: the state that follows, or `null` when nothing does. It ends once, revisions rise by one,
 * and nothing follows on an end. The timestamp stays for the store to set.
 */
export function following(record: InvitationRecord, event: InvitationEvent): InvitationRecord | null {
  if (!isOpen(record)) return null
  switch (event.kind) {
    case 'receive':
      return record.state === 'SENT' ? moved(record, 'RECEIVED') : null
    case 'accept':
    case 'refuse':
      return { ...moved(record, event.kind === 'accept' ? 'ACCEPTED' : 'REFUSED'), response: event.response, answeredBy: event.session }
    case 'cancel':
      return moved(record, 'CANCELED')
    case 'callerGone':
      return moved(record, 'FAILED', 'PEER_OFFLINE')
    case 'timeUp':
      return moved(record, 'FAILED', reasonOf(record.state, event.calleeThere))
  }
}

/** For how long an invitation stays as it is if nothing befalls it, in milliseconds; of one that has ended, how long it is remembered. */
export function lasts({ state }: Pick<Invitation, 'state'>, times: InvitationTimes): number {
  if (state === 'SENT') return times.invitationReceiptMs
  return state === 'RECEIVED' ? times.invitationAnswerMs : REMEMBERED_MS
}

/** As both sides see it. */
export function shown({ session: _, ...invitation }: InvitationRecord): Invitation {
  return invitation
}

/** What the store keeps beside the revision and the time, opaque to it; without any control character. */
export function packed({ revision: _, timestamp: __, ...rest }: InvitationRecord): string {
  return JSON.stringify(rest)
}

/** The reverse of {@link packed}. */
export function unpacked(revision: number, timestamp: number, text: string): InvitationRecord {
  return { ...(JSON.parse(text) as Omit<InvitationRecord, 'revision' | 'timestamp'>), revision, timestamp }
}

/** What the store posts to both users of each state. */
export function postedInvitation([revision, timestamp, ...text]: readonly string[]): InvitationRecord {
  return unpacked(Number(revision), Number(timestamp), text.join('\0'))
}

function moved(record: InvitationRecord, state: InvitationState, reason: InvitationReason | null = null): InvitationRecord {
  return { ...record, state, reason, revision: record.revision + 1 }
}

function reasonOf(state: InvitationState, calleeThere: boolean): InvitationReason {
  if (state === 'RECEIVED') return 'EXPIRED'
  return calleeThere ? 'PEER_NO_RESPONSE' : 'PEER_OFFLINE'
}
