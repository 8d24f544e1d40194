import type { States } from '../../src/protocol/channel.js'

/** A time in milliseconds, by the clock of the process that drives the clients. */
type At = number

/**
 * One session's stay in one channel. It is certain from the acknowledged join to the moment at which an end was asked
 * for; before and after, the user may be there or not.
 */
interface Claim {
  readonly session: string
  readonly asked: At
  acked: At
  endAsked: At
  endAcked: At
}

interface SessionLife {
  readonly user: string
  readonly timeoutMs: number
  /** From when on it is there without doubt; never, while it is `Infinity`. */
  begun: At
  /** When its logout was asked for, or it may have ended with its token. */
  ended: At
  /** Times without a connection; the last one has no end while it goes on. */
  readonly down: { readonly from: At; until: At }[]
}

/** The last write of one key: what it may be now, and whether the cluster has acknowledged it. */
interface Write {
  readonly key: string
  /** null: removed. */
  readonly value: string | null
  readonly asked: At
  acked: At
}

interface Place {
  readonly claims: Claim[]
  readonly writes: Map<string, Write>
  /** Keys whose removal was ever asked for. */
  readonly removed: Set<string>
  /** Moments at which something failed with an unknown outcome. */
  readonly murky: At[]
}

interface Span {
  readonly from: At
  readonly until: At
}

/** A grace that ran out may be ended so much later: after another session of the user has left, it is the one that is told. */
const SWEPT_LATE_MS = 3_000

/** A span in which a user need not be in a channel. */
export interface Window {
  readonly from: At
  readonly until: At
  /** How many ends others may hear of that happened in it; without a limit where something had an unknown outcome. */
  readonly ends: number
  /** Sessions whose grace ran out in it; whoever else is gone has left. */
  readonly timeouts: number
  /** All sessions were known to have left, for a while: others have to hear of exactly one end. */
  readonly definite: boolean
}

/**
 * What presence has to be, from what clients did and when: who is in which channel through which sessions, connected or
 * in their grace, and with what states. It knows neither nodes nor Redis. Where an outcome is unknown (a request under
 * way, a request that failed) it says so instead of guessing.
 */
export class PresenceModel {
  readonly #sessions = new Map<string, SessionLife>()
  readonly #places = new Map<string, Map<string, Place>>()

  session(session: string, user: string, timeoutMs: number, at: At = Date.now()): void {
    this.#sessions.set(session, { user, timeoutMs, begun: at, ended: Infinity, down: [] })
  }

  /** It was to begin when nobody knew yet, and is there. */
  begins(session: string, at: At): void {
    this.#life(session).begun = at
  }

  /** Asks to log out, or may end from here on. */
  ending(session: string, at: At): void {
    this.#life(session).ended = at
  }

  /** Asks to join; the function that is returned says that it was acknowledged. */
  joining(session: string, channel: string, at: At): (at: At) => void {
    const claim: Claim = { session, asked: at, acked: Infinity, endAsked: Infinity, endAcked: Infinity }
    this.#place(session, channel).claims.push(claim)
    return (ackedAt) => {
      claim.acked = ackedAt
    }
  }

  /** Asks to leave; the function that is returned says that it was acknowledged. */
  leaving(session: string, channel: string, at: At): (at: At) => void {
    const open = this.#place(session, channel).claims.filter((claim) => claim.session === session && claim.endAcked === Infinity)
    for (const claim of open) claim.endAsked = Math.min(claim.endAsked, at)
    return (ackedAt) => {
      for (const claim of open) claim.endAcked = ackedAt
    }
  }

  /** A request about this membership failed: it may have been carried out all the same. */
  unknown(session: string, channel: string, at: At): void {
    this.#place(session, channel).murky.push(at)
  }

  /** The connection is gone, or may be gone from here on: the grace may run. */
  down(session: string, at: At): void {
    const life = this.#life(session)
    if (life.down.at(-1)?.until !== Infinity) life.down.push({ from: at, until: Infinity })
  }

  /** The session goes on and its channels are resumed. Answers for how long it was away, in milliseconds. */
  back(session: string, at: At): number {
    const last = this.#life(session).down.at(-1)
    if (last?.until !== Infinity) return 0
    last.until = at
    return at - last.from
  }

  timeoutOf(session: string): number {
    return this.#life(session).timeoutMs
  }

  /** Asks for a change of one state; the function that is returned says that it was acknowledged. Until then nothing is said of the key. */
  writing(session: string, channel: string, key: string, value: string | null, at: At): (at: At) => void {
    const write: Write = { key, value, asked: at, acked: Infinity }
    const place = this.#place(session, channel)
    place.writes.set(key, write)
    if (value === null) place.removed.add(key)
    return (ackedAt) => {
      write.acked = ackedAt
    }
  }

  /** Whether anybody asked for the end of a state, at any time. */
  everRemoved(channel: string, user: string, key: string): boolean {
    return this.#places.get(channel)?.get(user)?.removed.has(key) === true
  }

  users(channel: string): readonly string[] {
    return [...(this.#places.get(channel)?.keys() ?? [])]
  }

  get channels(): readonly string[] {
    return [...this.#places.keys()]
  }

  /** Users who have to be in a channel now. */
  present(channel: string, now: At): readonly string[] {
    return this.users(channel)
      .filter((user) => this.#certain(channel, user).some(({ from, until }) => from <= now && now < until))
      .sort()
  }

  /** Sessions through which a user has to be in a channel now. */
  sessionsIn(channel: string, user: string, now: At): readonly string[] {
    const claims = this.#places.get(channel)?.get(user)?.claims ?? []
    const open = claims.filter((claim) => claim.acked <= now && claim.endAsked > now)
    return [...new Set(open.map(({ session }) => session))]
  }

  connected(session: string): boolean {
    return this.#life(session).down.at(-1)?.until !== Infinity
  }

  /** Whether a user's session of some name was without a connection at a moment. */
  wasDown(user: string, at: At): boolean {
    return [...this.#sessions.values()].some((life) => life.user === user && life.down.some(({ from, until }) => from <= at && at < until))
  }

  /** When a user's last session may have ended, each time for another session: by a logout, or because it was away for too long. */
  endsOf(user: string): readonly At[] {
    const spans = this.#spansOf(user)
    const ends = this.#livesOf(user).flatMap((life) => [...(life.ended < Infinity ? [life.ended] : []), ...expiriesOf(life).filter((at) => at < life.ended)])
    // While another session is there without doubt, and goes on to be, no end is the last one.
    return ends.filter((at) => !spans.some(({ from, until }) => from <= at && until === Infinity))
  }

  /** Since when a user has had no session any more; `undefined` for one who may have one, or never had any. */
  goneSince(user: string, now: At): At | undefined {
    const last = this.#spansOf(user).at(-1)
    return last !== undefined && last.until <= now ? last.until : undefined
  }

  /** How often sessions of a user were without a connection. */
  downsOf(user: string): number {
    return this.#livesOf(user).reduce((sum, { down }) => sum + down.length, 0)
  }

  /**
   * States that a member has to have, as far as that is certain: keys whose last write was asked for in the present stay,
   * and acknowledged. `null`: the key may not be there. Other keys are not judged.
   */
  states(channel: string, user: string, now: At): ReadonlyMap<string, string | null> {
    const since = this.windows(channel, user).filter(({ from }) => from <= now).at(-1)?.until ?? -Infinity
    const sure = [...(this.#places.get(channel)?.get(user)?.writes.values() ?? [])].filter(({ asked, acked }) => asked > since && acked <= now)
    return new Map(sure.map(({ key, value }) => [key, value]))
  }

  /** Spans in which the user need not be there, in order; the first begins before all time. */
  windows(channel: string, user: string): readonly Window[] {
    const place = this.#places.get(channel)?.get(user)
    if (place === undefined) return [{ from: -Infinity, until: Infinity, ends: 0, timeouts: 0, definite: false }]
    const windows: Window[] = []
    let from = -Infinity
    for (const span of [...this.#certain(channel, user), { from: Infinity, until: Infinity }]) {
      const until = span.from
      if (until > from) {
        const murky = place.murky.some((at) => at >= from && at <= until)
        // A leave that was asked for earlier may have been carried out only now: its client had no connection.
        const asked = place.claims.filter(({ endAsked, endAcked }) => endAsked <= until && endAcked >= from).length
        // A time-out is an end that nobody asked for.
        const expiries = place.claims.flatMap(({ session }) => expiriesOf(this.#life(session))).filter((at) => at <= until)
        const ends = murky ? Infinity : asked + expiries.filter((at) => at >= from).length
        const timeouts = murky ? Infinity : expiries.filter((at) => at >= from - SWEPT_LATE_MS).length
        windows.push({ from, until, ends, timeouts, definite: from > -Infinity && !murky && emptied(place.claims, from, until) })
      }
      from = span.until
    }
    return windows
  }

  /** Spans in which at least one session was there without doubt: connected, or away for less than its grace. */
  #certain(channel: string, user: string): readonly Span[] {
    const spans: Span[] = []
    for (const claim of this.#places.get(channel)?.get(user)?.claims ?? []) {
      if (claim.acked === Infinity) continue
      spans.push(...spansOf(this.#life(claim.session), claim.acked, claim.endAsked))
    }
    return merged(spans)
  }

  /** Spans in which at least one session of a user was there without doubt, in channels or not. */
  #spansOf(user: string): readonly Span[] {
    return merged(this.#livesOf(user).flatMap((life) => spansOf(life, life.begun, life.ended)))
  }

  #livesOf(user: string): readonly SessionLife[] {
    return [...this.#sessions.values()].filter((life) => life.user === user)
  }

  #life(session: string): SessionLife {
    const life = this.#sessions.get(session)
    if (life === undefined) throw new Error(`no session ${session}`)
    return life
  }

  #place(session: string, channel: string): Place {
    const { user } = this.#life(session)
    const users = this.#places.get(channel) ?? new Map<string, Place>()
    this.#places.set(channel, users)
    const place = users.get(user) ?? { claims: [], writes: new Map<string, Write>(), removed: new Set<string>(), murky: [] }
    users.set(user, place)
    return place
  }
}

/** Whether all who were there had acknowledged their leave before anybody else of this user asked to join. */
function emptied(claims: readonly Claim[], from: At, until: At): boolean {
  const before = claims.filter((claim) => claim.acked <= from && claim.endAsked <= until)
  const after = claims.filter((claim) => !before.includes(claim))
  if (before.length === 0) return false
  const gone = Math.max(...before.map(({ endAcked }) => endAcked))
  return gone < Math.min(...after.map(({ asked }) => asked), Infinity)
}

/** Of a stay that began and ended then: when its session was connected, or away for less than its grace. */
function spansOf({ down, timeoutMs }: SessionLife, begun: At, ended: At): readonly Span[] {
  const spans: Span[] = []
  let from = begun
  for (const gap of down) {
    const expires = gap.from + timeoutMs
    if (expires >= gap.until || gap.until <= from) continue
    if (expires > from) spans.push({ from, until: Math.min(expires, ended) })
    from = gap.until
  }
  if (from < ended) spans.push({ from, until: ended })
  return spans.filter((span) => span.until > span.from)
}

/** When a session was away for as long as its grace lasts. */
function expiriesOf({ down, timeoutMs }: SessionLife): readonly At[] {
  return down.flatMap((gap) => (gap.from + timeoutMs < gap.until ? [gap.from + timeoutMs] : []))
}

function merged(spans: readonly Span[]): readonly Span[] {
  const result: { from: At; until: At }[] = []
  for (const span of [...spans].sort((a, b) => a.from - b.from)) {
    const last = result.at(-1)
    if (last !== undefined && span.from <= last.until) last.until = Math.max(last.until, span.until)
    else result.push({ ...span })
  }
  return result
}

export function statesAgree(sure: ReadonlyMap<string, string | null>, states: States): boolean {
  return [...sure].every(([key, value]) => (value === null ? !Object.hasOwn(states, key) : states[key] === value))
}
