import { parseAddFriend, parsePeer, type FriendRequest, type RosterNotice } from '../protocol/roster.js'
import { during } from './failures.js'
import type { Link } from './link.js'
import type { Done } from './presence-api.js'
import { Recent } from './recent.js'

export interface AddFriendResult extends Done {
  /** Each has added the other. */
  readonly isFriend: boolean
}

export interface RosterResult extends Done {
  /** Each has added the other. */
  readonly friends: readonly string[]
  /** Those whom this user has added and who have not done so yet. */
  readonly asked: readonly string[]
  /** Those who have added this user, and wait. */
  readonly requests: readonly FriendRequest[]
  readonly blocked: readonly string[]
}

/**
 * `client.roster`: this user's friends (`001.13`). What others do that concerns this user is the client's event `roster`. It lasts, and is the same for
 * all sessions of a user; two users are friends when each has added the other.
 *
 * Everything here rejects with a `RollcallError`: INVALID_USER_ID, INVALID_PEER (oneself), NOT_LOGIN, NOT_CONNECTED, RATE_EXCEEDED,
 * PRESENCE_OPERATION_FAILED, PRESENCE_OPERATION_TIMEOUT (outcome unknown), and what each names. Calls that were under way when the connection was
 * lost are sent again: repeated, they change nothing.
 */
export class RosterApi {
  readonly #link: Link
  readonly #tell: (notice: RosterNotice) => void
  readonly #recent = new Recent()

  constructor(link: Link, tell: (notice: RosterNotice) => void) {
    this.#link = link
    this.#tell = tell
  }

  /** As Redis has it: what was done before, by whomever, is seen. Each list in the order of the user ids. */
  async list(): Promise<RosterResult> {
    const { friends, asked, requests, blocked, timestamp } = await this.#link.request('getRoster', {}, 'getRoster')
    return { friends, asked, requests, blocked, timestamp }
  }

  /**
   * Asks somebody to be a friend, or agrees to it; lifts a block of one's own. USER_BLOCKED (by the other one), ROSTER_FULL,
   * ROSTER_INVALID_ARGUMENT.
   *
   * @param message for the other one to read; up to `rosterMessageBytes`
   */
  async add(userId: string, message?: string): Promise<AddFriendResult> {
    const operation = 'addFriend'
    const request = during(operation, () => parseAddFriend({ userId, message }, this.#link.limits))
    const { isFriend, timestamp } = await this.#link.request('addFriend', request, operation)
    return { isFriend, timestamp }
  }

  /** Ends a friendship, for both; or refuses a request, or lifts a block. Whoever is not there is gone already. */
  async remove(userId: string): Promise<Done> {
    return this.#about('removeFriend', userId)
  }

  /** From here on nothing passes between the two, in either direction, until this user adds or removes the other one. ROSTER_FULL. */
  async block(userId: string): Promise<Done> {
    return this.#about('blockUser', userId)
  }

  /** The event, as it came over a connection. */
  receive(notice: RosterNotice): void {
    if (this.#recent.isNew(`${notice.type}\0${notice.timestamp}\0${notice.userId}`)) this.#tell(notice)
  }

  async #about(name: 'removeFriend' | 'blockUser', userId: string): Promise<Done> {
    const request = during(name, () => parsePeer({ userId }, this.#link.limits))
    const { timestamp } = await this.#link.request(name, request, name)
    return { timestamp }
  }
}
