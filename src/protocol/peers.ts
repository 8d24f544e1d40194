import { RollcallError } from './errors.js'
import type { PeerState } from './events.js'
import { DEFAULT_LIMITS, type Limits } from './limits.js'
import { checkUserId } from './names.js'

type ListLimits = Pick<Limits, 'nameBytes'>

/** A list of user ids, each named once. PRESENCE_INVALID_ARGUMENT for no list or more than `most`, INVALID_USER_ID. */
export function parseUserIds(value: unknown, most: number, limits: ListLimits = DEFAULT_LIMITS): readonly string[] {
  if (!Array.isArray(value)) throw new RollcallError('PRESENCE_INVALID_ARGUMENT', 'userIds is a list')
  if (value.length > most) throw new RollcallError('PRESENCE_INVALID_ARGUMENT', `userIds has at most ${most} users`)
  // Array.from makes the holes of a sparse list visible.
  return [...new Set(Array.from(value as readonly unknown[], (userId) => checkUserId(userId, limits)))]
}

/** When somebody was last seen is reckoned in two ways, which differ by less than this, in milliseconds. */
const SAME_MS = 1_000

/** Whether what is known now of a peer is news to who knew `before`: another status, or it came and went meanwhile. */
export function isNews(before: PeerState, now: PeerState): boolean {
  return now.status !== before.status || (now.lastSeen !== null && now.lastSeen > (before.lastSeen ?? 0) + SAME_MS)
}
