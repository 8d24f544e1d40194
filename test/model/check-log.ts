import type { States } from '../../src/protocol/channel.js'
import { describe, type SeenEvent } from '../support/event-log.js'
import type { Breach, Invariant, Watched } from './evidence.js'
import type { PresenceModel, Window } from './presence-model.js'

export interface LogRules {
  /** How long news may be under way, in milliseconds: an end is laid to what happened up to so long before. */
  readonly lagMs: number
  /** Redis lost nothing: who watched all the time has heard of every end. */
  readonly complete: boolean
  /** Users whose states, and whose ends while a session of theirs is away, are not held against what they did. */
  readonly unjudged?: ReadonlySet<string>
  /** Redis fell back to what it held a while before: whose end it forgot is there again, and ends once more. */
  readonly rolledBack?: boolean
}

/** The window that the last end was laid to, and how many ends were by then. */
interface Excuse {
  readonly index: number
  readonly count: number
}

interface Known {
  states: States
  /** When the watcher heard that the user is there. */
  readonly since: number
}

/** What a watcher knows at the end, and what it was told wrongly on the way. */
export interface LogVerdict {
  readonly breaches: readonly Breach[]
  readonly view: ReadonlyMap<string, States>
  readonly events: number
}

/** A client that returns, or a node that is back in service, may get what it had once more; but not over and over. */
const SAME_SNAPSHOTS = 20
/** Rows of a log that a message shows. */
const ROWS = 60

/** Holds one watcher's log against the model: I2 to I6, over all that it was told. */
export function checkLog(watched: Watched, model: PresenceModel, rules: LogRules): LogVerdict {
  return new LogCheck(watched, model, rules).run()
}

class LogCheck {
  readonly #breaches: Breach[] = []
  readonly #known = new Map<string, Known>()
  /** For each user, windows of the model that ends were laid to already. */
  readonly #used = new Map<string, Excuse>()
  readonly #ends = new Map<string, number>()
  #snapshots = 0
  /** How many of the last ones told nothing new. */
  #again = 0
  #startedAt = Infinity
  #life = ''
  #version = 0
  #justJoined = ''

  constructor(
    private readonly watched: Watched,
    private readonly model: PresenceModel,
    private readonly rules: LogRules,
  ) {}

  run(): LogVerdict {
    const { packets } = this.watched.log
    let events = 0
    for (const packet of packets) {
      const fetched = packet.events.some(({ eventType }) => eventType === 'SNAPSHOT')
      const { span } = packet
      if (span !== undefined && !fetched && this.#snapshots > 0) {
        if (span.life !== this.#life) this.#say('I5', `a packet of another life (${span.life}) without a SNAPSHOT`)
        else if (span.previous > this.#version) this.#say('I5', `a gap: a packet follows on ${span.previous}, the watcher stands at ${this.#version}`)
      }
      for (const event of packet.events) {
        events += 1
        this.#event(event, packet.at)
      }
      if (span !== undefined) this.#version = Math.max(this.#version, span.version)
    }
    if (this.watched.current && this.#snapshots === 0) this.#say('I5', 'no SNAPSHOT')
    if (this.rules.complete && this.watched.whole && this.#snapshots === 1) this.#checkCounts()
    return { breaches: this.#breaches, view: new Map([...this.#known].map(([user, { states }]) => [user, states])), events }
  }

  #event(event: SeenEvent, at: number): void {
    if (event.eventType === 'ERROR_OUT_OF_SERVICE') return
    if (event.eventType === 'SNAPSHOT') return this.#snapshot(event, at)
    // A member that is put back with its states is told of by two events of one version.
    const twin = event.version === this.#version && event.eventType === 'REMOTE_STATE_CHANGED' && this.#justJoined === event.publisher
    if (event.version <= this.#version && !twin) this.#say('I5', `a version that does not rise (${this.#version} before): ${describe(event)}`)
    this.#version = event.version
    this.#justJoined = event.eventType === 'REMOTE_JOIN' ? event.publisher : ''
    switch (event.eventType) {
      case 'REMOTE_JOIN':
        return this.#enter(event.publisher, event, at)
      case 'REMOTE_LEAVE':
      case 'REMOTE_TIMEOUT':
        return this.#exit(event.publisher, event, at)
      case 'REMOTE_STATE_CHANGED':
        return this.#state(event.publisher, event.stateChanged, event, at)
      case 'INTERVAL':
        for (const user of event.interval?.join.users ?? []) this.#enter(user, event, at)
        for (const { userId, states } of event.interval?.userStateList ?? []) this.#state(userId, states, event, at)
        for (const user of [...(event.interval?.leave.users ?? []), ...(event.interval?.timeout.users ?? [])]) this.#exit(user, event, at)
    }
  }

  #snapshot(event: SeenEvent, at: number): void {
    if (event.life !== undefined && event.life === this.#life && event.version < this.#version) {
      this.#say('I5', `a SNAPSHOT of ${event.version}, older than what was told before (${this.#version})`)
    }
    this.#snapshots += 1
    this.#again = event.life === this.#life && event.version === this.#version ? this.#again + 1 : 0
    if (this.#again === SAME_SNAPSHOTS) this.#say('I5', `more than ${SAME_SNAPSHOTS} SNAPSHOTs of one version, ${event.version}`)
    this.#startedAt = Math.min(this.#startedAt, at)
    this.#life = event.life ?? ''
    this.#version = event.version
    this.#justJoined = ''
    const there = new Map((event.snapshot ?? []).map(({ userId, states }) => [userId, states]))
    for (const [user, { since }] of [...this.#known]) {
      if (there.has(user)) continue
      if (!this.#own(user) && this.#excuse(user, since, at) === null) this.#gone(user, at, describe(event))
      this.#known.delete(user)
    }
    for (const [user, states] of there) {
      if (!this.#beganAnew(user, this.#known.get(user)?.since ?? at, at)) this.#regress(user, states, event)
      this.#known.set(user, { states, since: this.#known.get(user)?.since ?? at })
    }
  }

  #enter(user: string, event: SeenEvent, at: number): void {
    if (this.#known.has(user)) this.#say('I4', `a second join of ${user}: ${describe(event)}`)
    this.#known.set(user, { states: {}, since: at })
  }

  #exit(user: string, event: SeenEvent, at: number): void {
    const known = this.#known.get(user)
    if (known === undefined) {
      this.#say('I4', `${user} goes without being there: ${describe(event)}`)
      return
    }
    this.#known.delete(user)
    this.#ends.set(user, (this.#ends.get(user) ?? 0) + 1)
    if (this.#own(user)) return
    // A time-out is one of a window in which a grace ran out, where there is one; an earlier one may be near enough, too.
    const ranOut = event.eventType === 'REMOTE_TIMEOUT' ? this.#excuse(user, known.since, at, ({ timeouts }) => timeouts > 0) : null
    const excuse = ranOut ?? this.#excuse(user, known.since, at)
    if (excuse === null) return this.#gone(user, at, describe(event))
    this.#used.set(user, excuse)
    const { timeouts } = this.model.windows(this.watched.channel, user)[excuse.index] ?? { timeouts: 0 }
    if (this.rules.complete && event.eventType === 'REMOTE_TIMEOUT' && timeouts === 0) this.#say('I2', `${user} left, and is said to have timed out: ${describe(event)}`)
  }

  #state(user: string, states: States, event: SeenEvent, at: number): void {
    const known = this.#known.get(user)
    if (known === undefined) {
      this.#say('I4', `a state of ${user}, who is not there: ${describe(event)}`)
      return
    }
    this.#regress(user, states, event)
    if (this.rules.unjudged === undefined || !this.#beganAnew(user, known.since, at)) this.#vanish(user, known.states, states, event)
    if (this.rules.complete && this.watched.alone === true && this.#own(user)) this.#say('I4', `it is told of what it did itself: ${describe(event)}`)
    known.states = { ...states }
  }

  /** Each session counts up in a key of its own: within one stay no number may fall. */
  #regress(user: string, states: States, event: SeenEvent): void {
    if (this.rules.unjudged?.has(user) === true) return
    for (const [key, before] of Object.entries(this.#known.get(user)?.states ?? {})) {
      const after = states[key]
      if (after !== undefined && Number(after) < Number(before)) this.#say('I6', `${key} of ${user} fell from ${before} to ${after}: ${describe(event)}`)
    }
  }

  /** What somebody said stands until somebody removes it, or the stay ends. */
  #vanish(user: string, before: States, after: States, event: SeenEvent): void {
    if (this.rules.unjudged?.has(user) === true) return
    const gone = Object.keys(before).filter((key) => !Object.hasOwn(after, key) && !this.model.everRemoved(this.watched.channel, user, key))
    for (const key of gone) this.#say('I6', `${key} of ${user} is gone, and nobody removed it: ${describe(event)}`)
  }

  /**
   * Unheard, while the watcher was away or Redis lacked the data, a stay may have ended and another begun: with states of its own. Where Redis
   * fell back, one that has ended may be there once more, with states that it had before.
   */
  #beganAnew(user: string, since: number, at: number): boolean {
    return this.model.windows(this.watched.channel, user).some(({ from, until }) => from > since && (until <= at || (this.rules.rolledBack === true && from <= at)))
  }

  /** A window of the model in which this end can have happened, and to which not as many were laid as happened in it. */
  #excuse(user: string, since: number, at: number, fits: (window: Window) => boolean = () => true): Excuse | null {
    const used = this.#used.get(user)
    const windows = this.model.windows(this.watched.channel, user)
    for (const [index, window] of windows.entries()) {
      if (window.from > at) break
      if (window.until <= since - this.rules.lagMs || index < (used?.index ?? 0) || !fits(window)) continue
      const count = used?.index === index ? used.count + 1 : 1
      if (count <= window.ends + (this.rules.rolledBack === true ? 1 : 0)) return { index, count }
    }
    return null
  }

  #gone(user: string, at: number, event: string): void {
    const away = this.model.wasDown(user, at)
    if (away && this.rules.unjudged?.has(user) === true) return
    this.#say(away ? 'I2' : 'I3', `${user} goes ${away ? 'before its presenceTimeout is over' : 'although it is connected and never left'}: ${event}`)
  }

  #checkCounts(): void {
    for (const user of this.model.users(this.watched.channel)) {
      if (this.#own(user)) continue
      const ends = this.model.windows(this.watched.channel, user).filter(({ definite, from }) => definite && from > this.#startedAt).length
      const heard = this.#ends.get(user) ?? 0
      if (heard < ends) this.#say('I4', `${user} left ${ends} times, and ${heard} ends were told`)
    }
  }

  #own(user: string): boolean {
    return user === this.watched.user
  }

  #say(invariant: Invariant, what: string): void {
    const { name, channel, log } = this.watched
    this.#breaches.push({ invariant, where: `${channel}, as ${name} sees it`, what, log: log.print().split('\n').slice(-ROWS).join('\n') })
  }
}
