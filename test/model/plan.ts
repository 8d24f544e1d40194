import fc from 'fast-check'

import type { Fate } from './talker.js'

/** Clients of a history: two of them with a second tab. */
export const CLIENTS = [
  { user: 'ann', tab: 0 },
  { user: 'ann', tab: 1 },
  { user: 'bob', tab: 0 },
  { user: 'bob', tab: 1 },
  { user: 'carl', tab: 0 },
  { user: 'dora', tab: 0 },
] as const
export const USERS = ['ann', 'bob', 'carl', 'dora'] as const
/** How it stands between them when a history begins: ann and bob are friends, and bob and carl; carl has asked dora, and dora has blocked ann. */
export const KIN = [
  ['ann', 'befriend', 'bob'],
  ['bob', 'befriend', 'ann'],
  ['bob', 'befriend', 'carl'],
  ['carl', 'befriend', 'bob'],
  ['carl', 'befriend', 'dora'],
  ['dora', 'block', 'ann'],
] as const
/** Who leaves when all is over, for the others to hear of it. */
export const LEAVERS = ['bob', 'dora'] as const
export const CHANNELS = ['x', 'y', 'z'] as const
export const NODES = 3

interface AnyStep {
  readonly who: number
  readonly ms: number
  /** The next step comes after this one has been answered, and not while it is under way. */
  readonly wait: boolean
}

/**
 * `pair` is a change of states by two tabs at the same time; `cut` ends a client's connections and lets it come back after
 * `ms` (to another node, as a rule), too late where that is more than its grace. `renew` hands over a token that runs out
 * soon and is renewed in time, `expire` one that is not, `expel` one that no other one follows.
 */
export interface PresenceStep extends AnyStep {
  readonly do: 'join' | 'watchless' | 'leave' | 'set' | 'remove' | 'pair' | 'cut' | 'logout' | 'login' | 'renew' | 'expire' | 'expel'
  readonly channel: number
  readonly node: number
}

/**
 * What a client tells another user. `send` is so many messages, `keep` as many that wait for who is not there; `tell` says something to all friends.
 * What comes of an invitation is its `fate`, after `ms`; who invites, adds or blocks oneself does nothing.
 */
export interface TalkStep extends AnyStep {
  readonly do: 'send' | 'keep' | 'tell' | 'befriend' | 'unfriend' | 'block' | 'invite'
  /** Of the users. */
  readonly to: number
  readonly count: number
  readonly fate: Fate
}

export type Step = PresenceStep | TalkStep

/** A history is its steps alone: whatever can be said of it can be kept as JSON and run again. */
export type Plan = readonly Step[]

const any = {
  who: fc.nat(CLIENTS.length - 1),
  ms: fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 0, max: 500 }) }, { weight: 1, arbitrary: fc.integer({ min: 1_000, max: 1_600 }) }),
  wait: fc.boolean(),
}

const presence: fc.Arbitrary<PresenceStep> = fc.record({
  do: fc.oneof(
    { weight: 6, arbitrary: fc.constant('join' as const) },
    { weight: 1, arbitrary: fc.constant('watchless' as const) },
    { weight: 4, arbitrary: fc.constant('leave' as const) },
    { weight: 5, arbitrary: fc.constant('set' as const) },
    { weight: 1, arbitrary: fc.constant('remove' as const) },
    { weight: 3, arbitrary: fc.constant('pair' as const) },
    { weight: 4, arbitrary: fc.constant('cut' as const) },
    { weight: 2, arbitrary: fc.constant('logout' as const) },
    { weight: 2, arbitrary: fc.constant('login' as const) },
    { weight: 1, arbitrary: fc.constantFrom('renew' as const, 'expire' as const, 'expel' as const) },
  ),
  ...any,
  // One channel is busier than the others: that is where things meet.
  channel: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(CHANNELS.length - 1) }),
  node: fc.nat(NODES - 1),
})

const talk: fc.Arbitrary<TalkStep> = fc.record({
  do: fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom('send' as const, 'keep' as const) },
    { weight: 2, arbitrary: fc.constant('tell' as const) },
    { weight: 3, arbitrary: fc.constant('invite' as const) },
    { weight: 2, arbitrary: fc.constant('befriend' as const) },
    { weight: 2, arbitrary: fc.constantFrom('unfriend' as const, 'block' as const) },
  ),
  ...any,
  to: fc.nat(USERS.length - 1),
  count: fc.integer({ min: 1, max: 3 }),
  fate: fc.constantFrom<Fate>('accept', 'refuse', 'cancel', 'ring', 'race'),
})

const step: fc.Arbitrary<Step> = fc.oneof({ weight: 1, arbitrary: presence }, { weight: 1, arbitrary: talk })

export const plans: fc.Arbitrary<Plan> = fc.array(step, { minLength: 12, maxLength: 50, size: 'max' })
