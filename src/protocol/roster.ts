import { RollcallError } from './errors.js'
import { fieldsOf } from './fields.js'
import { DEFAULT_LIMITS, type Limits } from './limits.js'
import { checkUserId } from './names.js'
import { fitsUtf8, isWellFormed } from './text.js'

/** Friends, and who wants to be one (`001.13`). */

export interface AddFriendRequest {
  readonly userId: string
  /** For the user to read who is asked. */
  readonly message?: string
}

/** `removeFriend` and `blockUser`. */
export interface PeerRequest {
  readonly userId: string
}

export interface AddFriendReply {
  /** Both have added each other. */
  readonly isFriend: boolean
}

export interface FriendRequest {
  readonly userId: string
  readonly message: string
}

/** Each list in the order of the user ids. */
export interface RosterReply {
  /** Each has added the other. */
  readonly friends: readonly string[]
  /** Those whom this user has added and who have not done so yet. */
  readonly asked: readonly string[]
  /** Those who have added this user, and whom this one has neither added nor blocked. */
  readonly requests: readonly FriendRequest[]
  readonly blocked: readonly string[]
}

/** Event `roster`: what somebody has done that concerns this user. */
export interface RosterNotice {
  /**
   * REQUEST: the user has added this one, with a message. FRIENDS: now each has added the other; both are told. REMOVED: the user
   * has ended the friendship, or refused the request. BLOCKED: the user wants to hear no more of this one.
   */
  readonly type: 'REQUEST' | 'FRIENDS' | 'REMOVED' | 'BLOCKED'
  readonly userId: string
  /** Of a REQUEST; absent when it is empty. */
  readonly message?: string
  /** Redis's time, in milliseconds since the epoch. */
  readonly timestamp: number
}

type RosterLimits = Pick<Limits, 'nameBytes' | 'rosterMessageBytes'>

/** INVALID_USER_ID, ROSTER_INVALID_ARGUMENT. */
export function parseAddFriend(value: unknown, limits: RosterLimits = DEFAULT_LIMITS): Required<AddFriendRequest> {
  const read = fieldsOf(value, 'the request', 'ROSTER_INVALID_ARGUMENT')
  return { userId: checkUserId(read('userId'), limits), message: messageOf(read('message'), limits) }
}

/** `removeFriend` and `blockUser`. INVALID_USER_ID, ROSTER_INVALID_ARGUMENT. */
export function parsePeer(value: unknown, limits: RosterLimits = DEFAULT_LIMITS): PeerRequest {
  return { userId: checkUserId(fieldsOf(value, 'the request', 'ROSTER_INVALID_ARGUMENT')('userId'), limits) }
}

/** ROSTER_INVALID_ARGUMENT for what is no object; there is nothing to be said in it. */
export function parseGetRoster(value: unknown): void {
  fieldsOf(value, 'the request', 'ROSTER_INVALID_ARGUMENT')
}

function messageOf(value: unknown, { rosterMessageBytes }: RosterLimits): string {
  if (value === undefined) return ''
  if (typeof value !== 'string' || !isWellFormed(value) || !fitsUtf8(value, rosterMessageBytes)) {
    throw new RollcallError('ROSTER_INVALID_ARGUMENT', `message is a string of well-formed Unicode with at most ${rosterMessageBytes} bytes`)
  }
  return value
}
