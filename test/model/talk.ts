import type { Invitation } from '../../src/protocol/invitations.js'
import type { RosterReply } from '../../src/protocol/roster.js'
import type { PresenceModel } from './presence-model.js'
import type { RosterModel } from './roster-model.js'

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
  /** What the user says; `''` for nothing. */
  readonly text: string
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

/** What came of asking for something that a block forbids. */
interface Asked {
  readonly asked: At
  /** When it was answered; `undefined` when nobody knows what came of it. */
  answered?: At
  /** It was refused because one of the two has blocked the other. */
  isBlocked?: true
}

export interface SentMessage extends Asked {
  /** The client, its user, and which of its sessions. */
  readonly by: string
  readonly from: string
  readonly session: number
  readonly to: string
  /** No two messages have the same. */
  readonly text: string
  readonly waits: boolean
  /** What the sender was told; `undefined` when nobody knows whether it was sent. */
  received?: boolean
}

export interface SentStatus {
  /** The client, and its user. */
  readonly by: string
  readonly from: string
  /** No two statuses have the same. */
  readonly text: string
  readonly asked: At
  /** When it was said that friends are being told; `undefined` when nobody knows. */
  answered?: At
}

export interface SentInvitation extends Asked {
  readonly by: string
  readonly caller: string
  readonly callee: string
  readonly id: string
  readonly content: string
  /** The caller has asked to cancel it, or its session was ended. */
  isCanceled?: true
  /** The caller was told that it is cancelled. */
  hasWon?: true
}

export interface Answer {
  readonly callee: string
  readonly id: string
  readonly state: 'ACCEPTED' | 'REFUSED'
  readonly response: string
  /** Who answers was told that it is so. */
  hasWon?: true
}

/** A roster as its user was told it, at a moment at which nobody was changing anything. */
export interface ToldRoster extends Pick<RosterReply, 'friends' | 'asked' | 'requests' | 'blocked'> {
  readonly user: string
  readonly at: At
}

/** Everything that the checks of this look at. */
export interface TalkEvidence {
  readonly at: At
  /** Every client of every user who was told anything, those that are gone included. */
  readonly hearers: readonly Hearer[]
  /** In the order in which they were asked for. */
  readonly sent: readonly SentMessage[]
  readonly statuses: readonly SentStatus[]
  readonly invited: readonly SentInvitation[]
  readonly answers: readonly Answer[]
  readonly rosters: RosterModel
  readonly toldRosters: readonly ToldRoster[]
  /** Who was there when. */
  readonly model: Pick<PresenceModel, 'endsOf' | 'goneSince' | 'downsOf'>
}

export interface TalkRules {
  /** What Redis was told before may be lost; `-Infinity` where it lost nothing. */
  readonly lostUntil: At
  /** Friendships may be among that. */
  readonly friendsLost: boolean
  /** Nothing but clients and their connections failed: what is kept for nobody comes as well. */
  readonly complete: boolean
  /** For how long an invitation may wait for its receipt, and then for its answer, in milliseconds. */
  readonly receiptMs: number
  readonly answerMs: number
}

/** Names an invitation: the id is one among those to its callee. */
export function invitationKey({ callee, id }: { readonly callee: string; readonly id: string }): string {
  return `${callee} ${id}`
}
