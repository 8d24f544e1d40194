import fc from 'fast-check'

/** Clients of a history: two of them with a second tab. */
export const CLIENTS = [
  { user: 'ann', tab: 0 },
  { user: 'ann', tab: 1 },
  { user: 'bob', tab: 0 },
  { user: 'bob', tab: 1 },
  { user: 'carl', tab: 0 },
  { user: 'dora', tab: 0 },
] as const
export const CHANNELS = ['x', 'y', 'z'] as const
export const NODES = 3

/**
 * One step of a history. `pair` is a change of states by two tabs at the same time; `cut` ends a client's connections and
 * lets it come back after `ms` (to another node, as a rule), too late where that is more than its grace. `renew` hands
 * over a token that runs out soon and is renewed in time, `expire` one that is not, `expel` one that no other one
 * follows. `wait`: the next step comes after this one has been answered, and not while it is under way.
 */
export interface Step {
  readonly do: 'join' | 'watchless' | 'leave' | 'set' | 'remove' | 'pair' | 'cut' | 'logout' | 'login' | 'renew' | 'expire' | 'expel'
  readonly who: number
  readonly channel: number
  readonly node: number
  readonly ms: number
  readonly wait: boolean
}

/** A history is its steps alone: whatever can be said of it can be kept as JSON and run again. */
export type Plan = readonly Step[]

const away = fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 0, max: 500 }) }, { weight: 1, arbitrary: fc.integer({ min: 1_000, max: 1_600 }) })

const step: fc.Arbitrary<Step> = fc.record({
  do: fc.oneof(
    { weight: 6, arbitrary: fc.constant('join' as const) },
    { weight: 1, arbitrary: fc.constant('watchless' as const) },
    { weight: 4, arbitrary: fc.constant('leave' as const) },
    { weight: 5, arbitrary: fc.constant('set' as const) },
    { weight: 1, arbitrary: fc.constant('remove' as const) },
    { weight: 3, arbitrary: fc.constant('pair' as const) },
    { weight: 4, arbitrary: fc.constant('cut' as const) },
    { weight: 1, arbitrary: fc.constant('logout' as const) },
    { weight: 2, arbitrary: fc.constant('login' as const) },
    { weight: 1, arbitrary: fc.constantFrom('renew' as const, 'expire' as const, 'expel' as const) },
  ),
  who: fc.nat(CLIENTS.length - 1),
  // One channel is busier than the others: that is where things meet.
  channel: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(CHANNELS.length - 1) }),
  node: fc.nat(NODES - 1),
  ms: away,
  wait: fc.boolean(),
})

export const plans: fc.Arbitrary<Plan> = fc.array(step, { minLength: 8, maxLength: 40 })
