import type { States } from '../protocol/channel.js'
import type { Occupant } from '../protocol/events.js'
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

type Part = 'join' | 'leave' | 'timeout'

/**
 * The items of a JSON array, encoded. There may be as many summaries as watchers, each as long as what happened: one that lacks an
 * item, or has one more, is cut out of the text of all.
 */
class EncodedList {
  readonly #spans = new Map<UserNet, readonly [from: number, to: number]>()

  constructor(
    public text = '',
    public size = 0,
  ) {}

  add(net: UserNet, item: string): void {
    const from = this.text.length
    this.text += from === 0 ? item : `,${item}`
    this.size++
    this.#spans.set(net, [from, this.text.length])
  }

  without(net: UserNet): EncodedList {
    const span = this.#spans.get(net)
    if (span === undefined) return this
    const [from, to] = span
    // The comma before it is its own; the first one takes that behind it.
    const rest = this.text.slice(from === 0 ? to + 1 : to)
    return new EncodedList(this.text.slice(0, from) + rest, this.size - 1)
  }

  with(item: string): EncodedList {
    return new EncodedList(this.size === 0 ? item : `${this.text},${item}`, this.size + 1)
  }
}

/** What is told, users in the order of their last change. */
type Lists = Readonly<Record<Part | 'states', EncodedList>>

/** What an interval did to one user. */
interface UserNet {
  readonly userId: string
  /** The states of the member that was there before; null: nobody was. */
  before: States | null
  /** The member that is there after; null: nobody is. */
  readonly after: Occupant | null
  /** How the stay ended that was there before, if it did. */
  departure: 'leave' | 'timeout'
  /** The sessions that set states; `''` is a repair. */
  setters: ReadonlySet<string>
  /** Whether the member has other states than a watcher knows; one that is new to it is known to have none. */
  isNews: boolean
  /** Its entry in `userStateList`, encoded when it is first needed. */
  entry: string | null
}

const NO_STATES: States = {}
const NO_SETTERS: ReadonlySet<string> = new Set()

/**
 * The net of a run of effects: what is different after it from before it, and nothing of the way there. A stay that began
 * and ended within it is nothing; a stay that ended, and another that began, are nothing but the states that differ.
 *
 * It is put together from the last effect to the first, so that one pass gives the nets of all runs that end there: those
 * of watchers who stand at different positions. A summary is made of what is known of each user already, for there may be
 * as many summaries as watchers.
 */
export class IntervalNet {
  /** The last to change comes first. */
  readonly #users = new Map<string, UserNet>()
  readonly #order: UserNet[] = []
  #lists: Lists | null = null

  /** Takes in the effect that came before all those that are in. */
  precede(effect: Effect): void {
    this.#lists = null
    const net = this.#netOf(effect)
    switch (effect.kind) {
      case 'join':
        net.before = null
        break
      case 'state':
        net.before = effect.before
        if (!net.setters.has(effect.session)) net.setters = new Set(net.setters).add(effect.session)
        break
      case 'leave':
      case 'timeout':
        net.before = effect.member.states
        net.departure = effect.kind
    }
    net.isNews = net.after !== null && !sameStates(net.before ?? NO_STATES, net.after.states)
  }

  /** The users of all effects, also of those that came to nothing. */
  get userIds(): Iterable<string> {
    return this.#users.keys()
  }

  /** Whether a reader's summary is not the one that everybody gets. Costs nothing but a look at the reader's user. */
  isApart(reader: Reader): boolean {
    const own = this.#users.get(reader.userId)
    return own !== undefined && (partOf(own) !== null || own.isNews !== hasForeignNews(own, reader))
  }

  /**
   * What is to be told, an `IntervalInfo` as JSON; `null` when that is nothing.
   *
   * @param totalOccupancy the members at the end, whoever is told of them.
   * @param reader for whom; without one: for everybody who {@link isApart} does not name.
   */
  summary(totalOccupancy: number, reader?: Reader): string | null {
    this.#lists ??= listsOf(this.#order)
    const own = reader === undefined ? undefined : this.#users.get(reader.userId)
    const { join, leave, timeout, states } = reader === undefined || own === undefined ? this.#lists : listsFor(reader, own, this.#lists)
    if (join.size + leave.size + timeout.size + states.size === 0) return null
    return `{"join":${counted(join)},"leave":${counted(leave)},"timeout":${counted(timeout)},"userStateList":[${states.text}],"totalOccupancy":${totalOccupancy}}`
  }

  /** A user's net, which ends as the last effect left it. */
  #netOf({ kind, member: { userId, states } }: Effect): UserNet {
    const known = this.#users.get(userId)
    if (known !== undefined) return known
    const after = kind === 'join' || kind === 'state' ? { userId, states, statesCount: Object.keys(states).length } : null
    const net: UserNet = { userId, before: null, after, departure: 'leave', setters: NO_SETTERS, isNews: false, entry: null }
    this.#users.set(userId, net)
    this.#order.push(net)
    return net
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

function listsOf(order: readonly UserNet[]): Lists {
  const lists = { join: new EncodedList(), leave: new EncodedList(), timeout: new EncodedList(), states: new EncodedList() }
  for (let at = order.length - 1; at >= 0; at--) {
    const net = order[at]
    if (net === undefined) continue
    const part = partOf(net)
    if (part !== null) lists[part].add(net, JSON.stringify(net.userId))
    if (net.isNews && net.after !== null) lists.states.add(net, entryOf(net, net.after))
  }
  return lists
}

/** What everybody is told, but for what the reader's user did. */
function listsFor(reader: Reader, own: UserNet, lists: Lists): Lists {
  const part = partOf(own)
  const { after } = own
  const others = part === null ? lists : { ...lists, [part]: lists[part].without(own) }
  const isNews = hasForeignNews(own, reader)
  if (after === null || own.isNews === isNews) return others
  return { ...others, states: isNews ? lists.states.with(entryOf(own, after)) : lists.states.without(own) }
}

function entryOf(net: UserNet, after: Occupant): string {
  return (net.entry ??= JSON.stringify(after))
}

function partOf({ before, after, departure }: UserNet): Part | null {
  if (before === null) return after === null ? null : 'join'
  return after === null ? departure : null
}

/** As for single changes: one's own states are told when another session had a hand in them, whatever came of it. */
function hasForeignNews({ after, setters }: UserNet, { sessionId }: Reader): boolean {
  if (after === null) return false
  for (const session of setters) if (session !== sessionId) return true
  return false
}

function counted({ text, size }: EncodedList): string {
  return `{"users":[${text}],"userCount":${size}}`
}
