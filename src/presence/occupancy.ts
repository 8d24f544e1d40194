import { RollcallError } from '../protocol/errors.js'
import type { Occupant } from '../protocol/events.js'
import type { Limits } from '../protocol/limits.js'
import type { WhoNowReply } from '../protocol/requests.js'
import type { Replica } from '../replica/replica.js'

/** What a list of occupants is made from: a channel's feed has both. */
export interface Roster {
  readonly replica: Replica
  /** Member user ids in code unit order. */
  sortedUserIds(): readonly string[]
}

export interface WhoNowOptions {
  /** False: only count. @default true */
  readonly includedUserId?: boolean | undefined
  /** @default false */
  readonly includedState?: boolean | undefined
  /** `nextPage` of the page before; `''` or none for the first. */
  readonly page?: string | undefined
}

/**
 * Who is in a channel: pages of `limits.pageSize` in code unit order of user ids (`000.15`). A page names the last user
 * id before it, so members who come or go between two pages neither repeat nor hide anybody who stays.
 *
 * @throws RollcallError PRESENCE_INVALID_ARGUMENT for a page that this function did not name.
 */
export function whoNow(roster: Roster, options: WhoNowOptions, limits: Pick<Limits, 'pageSize'>): WhoNowReply {
  const { members, version } = roster.replica
  const { includedUserId = true, includedState = false, page = '' } = options
  const after = page === '' ? null : readPage(page)
  if (!includedUserId) return { totalOccupancy: members.size, occupants: [], nextPage: '', version }

  const userIds = roster.sortedUserIds()
  const start = after === null ? 0 : firstAfter(userIds, after)
  const end = Math.min(start + limits.pageSize, userIds.length)
  const occupants: Occupant[] = []
  for (const userId of userIds.slice(start, end)) {
    const states = members.get(userId)?.states ?? {}
    occupants.push({ userId, states: includedState ? states : {}, statesCount: Object.keys(states).length })
  }
  const last = end < userIds.length ? userIds[end - 1] : undefined
  return { totalOccupancy: members.size, occupants, nextPage: last === undefined ? '' : nameOfPage(last), version }
}

function nameOfPage(lastUserId: string): string {
  return Buffer.from(lastUserId, 'utf8').toString('base64url')
}

function readPage(page: string): string {
  const userId = Buffer.from(page, 'base64url').toString('utf8')
  // Buffer skips what it cannot decode; only what comes out the same again was made here.
  if (userId === '' || nameOfPage(userId) !== page) {
    throw new RollcallError('PRESENCE_INVALID_ARGUMENT', 'page is not the nextPage of an earlier reply')
  }
  return userId
}

/** Index of the first id above `after`, in code unit order. */
function firstAfter(sorted: readonly string[], after: string): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((sorted[middle] ?? '') <= after) low = middle + 1
    else high = middle
  }
  return low
}
