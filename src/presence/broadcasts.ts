import { ERRORS } from '../protocol/errors.js'
import type { StatusFailure, StatusFields } from '../protocol/statuses-told.js'
import type { RosterStore } from './roster.js'
import { settled } from './settled.js'
import { askByPartition } from './statuses.js'
import type { PresenceStore } from './store.js'
import type { Timer } from './types.js'

/** A status on its way. Fields as JSON: only who hands it to clients looks at them. */
export interface Telling {
  readonly from: string
  readonly id: string
  /** The server says it: the user's last session has ended. */
  readonly offline: boolean
  readonly fields: string
}

/**
 * Whom a status is for. `friends`: of those who are named, who has the sender as a friend. `anybody`: who is known and has not blocked the
 * sender. `self`: the sender's own sessions.
 */
export type ToldTo = 'friends' | 'anybody' | 'self'

export interface Unreached {
  readonly userId: string
  readonly why: 'unknown' | 'blocked'
}

/**
 * What the domain needs of the store to tell users something. Who is told is decided, and the telling posted, in one step a call: whatever was
 * changed before it in their rosters counts. Who has no session is not told, and nothing is kept.
 */
export interface StatusReach {
  /** Users of one partition; posted at most once. Answers those who could not be told, which says nothing of who is not there. */
  reach(partition: number, app: string, userIds: readonly string[], to: ToldTo, telling: Telling): Promise<readonly Unreached[]>
}

/** For so long (us) a node that tells of somebody who is gone keeps the others from doing the same; after that another one does it. */
const CLAIM_US = 5_000_000

const REASONS = { unknown: 'nobody of this name is known', blocked: 'one of the two has blocked the other' } as const
const CODES = { unknown: 'USER_UNKNOWN', blocked: 'USER_BLOCKED' } as const

/**
 * Statuses that users tell each other (`001`). Methods reject with a `RollcallError`: PRESENCE_OPERATION_FAILED and
 * PRESENCE_OPERATION_TIMEOUT; some may have been told then.
 */
export class Broadcasts {
  constructor(
    private readonly timers: Pick<PresenceStore, 'moveTimer'>,
    private readonly rosters: Pick<RosterStore, 'partitionOf' | 'edges' | 'edgesTo'>,
    private readonly users: StatusReach,
    private readonly app: string,
    private readonly newId: () => string,
  ) {}

  /** To all friends who are there: one read of the roster, and at most one call and one publish a partition for up to `STATUS_CHUNK` of them. */
  async broadcast(from: string, fields: StatusFields): Promise<void> {
    await settled(this.#toFriends(this.app, { from, id: this.newId(), offline: false, fields: JSON.stringify(fields) }))
  }

  /** To some users, friends or not. Answers who could not be told: USER_UNKNOWN, USER_BLOCKED. */
  async send(from: string, userIds: readonly string[], fields: StatusFields): Promise<readonly StatusFailure[]> {
    const telling = { from, id: this.newId(), offline: false, fields: JSON.stringify(fields) }
    const own = await settled(this.rosters.edgesTo(this.app, from, userIds))
    const blocked = userIds.filter((_, i) => own[i]?.kind === 'blocked')
    const shut = new Set(blocked)
    const unreached = await settled(this.#reach(this.app, userIds.filter((userId) => !shut.has(userId)), 'anybody', telling))
    const why = new Map([...blocked.map((userId) => [userId, 'blocked'] as const), ...unreached.map((one) => [one.userId, one.why] as const)])
    return userIds.flatMap((userId) => {
      const reason = why.get(userId)
      return reason === undefined ? [] : [{ userId, code: CODES[reason], errorCode: ERRORS[CODES[reason]].errorCode, reason: REASONS[reason] }]
    })
  }

  /**
   * A user's last session has ended: tells all friends, and the user, who may be back by now. The user is told last, when all friends have
   * been told: whatever the user says of themselves on hearing it, friends hear after it. At least once; told again, it has the same id.
   *
   * @param clock the partition's, in microseconds
   */
  async farewell(partition: number, timer: Timer, clock: number): Promise<void> {
    const claimed: Timer = { ...timer, at: Math.floor(clock) + CLAIM_US }
    if (!(await this.timers.moveTimer(partition, timer, claimed.at))) return
    // Nodes of several apps may share a Redis, and sweep for each other.
    const { app, name: from } = timer.channel
    const telling = { from, id: timer.id, offline: true, fields: '{}' }
    await this.#toFriends(app, telling)
    await this.#reach(app, [from], 'self', telling)
    await this.timers.moveTimer(partition, claimed, null)
  }

  async #toFriends(app: string, telling: Telling): Promise<void> {
    const edges = await this.rosters.edges(app, telling.from)
    const friends = [...edges].flatMap(([peer, { kind }]) => (kind === 'friend' ? [peer] : []))
    await this.#reach(app, friends, 'friends', telling)
  }

  async #reach(app: string, userIds: readonly string[], to: ToldTo, telling: Telling): Promise<readonly Unreached[]> {
    return (await askByPartition(this.rosters, app, userIds, (partition, some) => this.users.reach(partition, app, some, to, telling))).flat()
  }
}
