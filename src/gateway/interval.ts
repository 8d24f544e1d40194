import type { States } from '../protocol/channel.js'
import type { IntervalInfo, Occupant } from '../protocol/events.js'
import { sameStates, type Effect } from '../replica/replica.js'

/** A channel that fell to this part of `announceMax` is announced change by change again. */
const LEAVE_AT = 0.8

/**
 * Whether a channel's changes are summed up by interval (`000.16`): from above `announceMax` members on, until 80 % of it
 * (rounded down) are left. A channel that hovers about the threshold does not change its ways with each member.
 */
export function sumsUp(before: boolean, members: number, announceMax: number): boolean {
  return members > (before ? Math.floor(announceMax * LEAVE_AT) : announceMax)
}

/** Whom a summary is for: a session is not told what its user did, but for states that another session set. */
export interface Reader {
  readonly userId: string
  readonly sessionId: string
}

/** What an interval did to one user. */
interface UserNet {
  /** The states of the member that was there before; null: nobody was. */
  before: States | null
  /** The states of the member that is there after; null: nobody is. */
  readonly after: States | null
  /** How the stay ended that was there before, if it did. */
  departure: 'leave' | 'timeout'
  /** The sessions that set states; `''` is a repair. */
  setters: ReadonlySet<string>
}

type Part = 'join' | 'leave' | 'timeout'

const NO_STATES: States = {}
const NO_SETTERS: ReadonlySet<string> = new Set()

/**
 * The net of a run of effects: what is different after it from before it, and nothing of the way there. A stay that began
 * and ended within it is nothing; a stay that ended, and another that began, are nothing but the states that differ.
 *
 * It is put together from the last effect to the first, so that one pass gives the nets of all runs that end there: those
 * of watchers who stand at different positions.
 */
export class IntervalNet {
  readonly #users = new Map<string, UserNet>()

  /** Takes in the effect that came before all those that are in. */
  precede(effect: Effect): void {
    const { kind, member } = effect
    const { userId, states } = member
    const known = this.#users.get(userId)
    const isThere = kind === 'join' || kind === 'state'
    const net = known ?? { before: null, after: isThere ? states : null, departure: 'leave', setters: NO_SETTERS }
    if (known === undefined) this.#users.set(userId, net)
    switch (kind) {
      case 'join':
        net.before = null
        return
      case 'state':
        net.before = effect.before
        if (!net.setters.has(effect.session)) net.setters = new Set(net.setters).add(effect.session)
        return
      case 'leave':
      case 'timeout':
        net.before = states
        net.departure = kind
        return
    }
  }

  /** The users of all effects, also of those that came to nothing. */
  get userIds(): Iterable<string> {
    return this.#users.keys()
  }

  /** Whether a reader's summary is not the one that everybody gets. Costs nothing but a look at the reader's user. */
  isApart(reader: Reader): boolean {
    const net = this.#users.get(reader.userId)
    if (net === undefined) return false
    return partOf(net) !== null || hasNews(net) !== hasForeignNews(net, reader)
  }

  /**
   * What is to be told, users in the order of their last change; `null` when that is nothing.
   *
   * @param totalOccupancy the members at the end, whoever is told of them.
   * @param reader for whom; without one: for everybody who {@link isApart} does not name.
   */
  summary(totalOccupancy: number, reader?: Reader): IntervalInfo | null {
    const users: Record<Part, string[]> = { join: [], leave: [], timeout: [] }
    const userStateList: Occupant[] = []
    for (const [userId, net] of [...this.#users].reverse()) {
      const isOwn = userId === reader?.userId
      const part = isOwn ? null : partOf(net)
      if (part !== null) users[part].push(userId)
      const isNews = isOwn ? hasForeignNews(net, reader) : hasNews(net)
      if (isNews && net.after !== null) userStateList.push({ userId, states: net.after, statesCount: Object.keys(net.after).length })
    }
    const { join, leave, timeout } = users
    if (join.length + leave.length + timeout.length + userStateList.length === 0) return null
    return { join: counted(join), leave: counted(leave), timeout: counted(timeout), userStateList, totalOccupancy }
  }
}

/** The net of effects in their order. */
export function netOf(effects: readonly Effect[]): IntervalNet {
  const net = new IntervalNet()
  for (let at = effects.length - 1; at >= 0; at--) {
    const effect = effects[at]
    if (effect !== undefined) net.precede(effect)
  }
  return net
}

function partOf({ before, after, departure }: UserNet): Part | null {
  if (before === null) return after === null ? null : 'join'
  return after === null ? departure : null
}

/** Whether the member is there with other states than a watcher knows; a member that is new to it is known to have none. */
function hasNews({ before, after }: UserNet): boolean {
  return after !== null && !sameStates(before ?? NO_STATES, after)
}

/** As for single changes: one's own states are told when another session had a hand in them, whatever came of it. */
function hasForeignNews({ after, setters }: UserNet, { sessionId }: Reader): boolean {
  if (after === null) return false
  for (const session of setters) if (session !== sessionId) return true
  return false
}

function counted(users: readonly string[]): IntervalInfo['join'] {
  return { users, userCount: users.length }
}
