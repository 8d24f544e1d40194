import type { Invitation } from '../../src/protocol/invitations.js'
import type { PresenceModel } from './presence-model.js'

/** What users tell each other, as the programs of both sides know it: messages, statuses, invitations. Times are milliseconds of one process. */
type At = number

export interface HeardMessage {
  readonly at: At
  /** Which of the client's sessions had it, and over which of its connections. */
  readonly session: number
  readonly connection: number
  readonly id: string
  readonly from: string
  readonly text: string
}

export interface HeardStatus {
  readonly at: At
  readonly id: string
  readonly from: string
  /** The server says that this user is gone. */
  readonly offline: boolean
}

export interface HeardInvitation {
  readonly at: At
  readonly session: number
  readonly invitation: Invitation
  /** The session was being ended: the client says by itself what that makes of its invitations. */
  readonly isLocal: boolean
}

/** One client, and all that it was told. */
export interface Hearer {
  /** The client's own, and its user's. */
  readonly name: string
  readonly user: string
  /** It has no SDK, so nothing stands between it and the wire. */
  readonly isPlain: boolean
  readonly messages: readonly HeardMessage[]
  readonly statuses: readonly HeardStatus[]
  readonly invitations: readonly HeardInvitation[]
  readonly session: number
  /** Since when this is its session, and since when it has had a connection without a break; `Infinity` for one that has none. */
  readonly sessionSince: At
  readonly connectedSince: At
}

export interface SentMessage {
  /** The client, its user, and which of its sessions. */
  readonly by: string
  readonly from: string
  readonly session: number
  readonly to: string
  /** No two messages have the same. */
  readonly text: string
  readonly waits: boolean
  readonly asked: At
  /** What the sender was told; `undefined` when nobody knows whether it was sent. */
  received?: boolean
}

export interface SentInvitation {
  readonly by: string
  readonly caller: string
  readonly callee: string
  readonly id: string
  readonly content: string
  readonly asked: At
  /** The caller has asked to cancel it, or has logged out. */
  isCanceled?: true
}

export interface Answer {
  readonly callee: string
  readonly id: string
  readonly state: 'ACCEPTED' | 'REFUSED'
  readonly response: string
}

/** Everything that the checks of this look at. */
export interface TalkEvidence {
  readonly at: At
  /** Every client of every user who was told anything, those that are gone included. */
  readonly hearers: readonly Hearer[]
  /** In the order in which they were asked for. */
  readonly sent: readonly SentMessage[]
  readonly invited: readonly SentInvitation[]
  readonly answers: readonly Answer[]
  /** Both have the other: `friends.get(a)` has b, and the other way round. */
  readonly friends: ReadonlyMap<string, ReadonlySet<string>>
  /** Who was there when. */
  readonly model: Pick<PresenceModel, 'endsOf' | 'goneSince' | 'downsOf'>
}

export interface TalkRules {
  /** What Redis was told before may be lost; `-Infinity` where it lost nothing. */
  readonly lostUntil: At
  /** Friendships may be among that. */
  readonly friendsLost: boolean
  /** For how long an invitation may wait for its receipt, and then for its answer, in milliseconds. */
  readonly receiptMs: number
  readonly answerMs: number
}

/** Names an invitation: the id is one among those to its callee. */
export function invitationKey({ callee, id }: { readonly callee: string; readonly id: string }): string {
  return `${callee} ${id}`
}
