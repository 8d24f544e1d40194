import { Random } from '../model/random.js'
import { elapse } from '../support/wait.js'
import type { Fault } from './fault.js'
import { FAULTS, NOTHING } from './faults.js'
import { LAG_MS } from './run.js'
import { SETUPS, type SetupName } from './setups.js'

/** The second begins within this part of the time that the first lasts at least: so it begins while the first is on. */
const OVERLAP = 0.9
/** A fault that does not say how long it lasts takes this long at least, in milliseconds. */
const LASTS_MS = 500

/** Why two faults make no pair, in this order. */
export function clash(first: Fault, second: Fault): string | undefined {
  if (first === NOTHING || second === NOTHING) return 'one of them is none'
  if (first === second) return 'they are the same'
  if (first.alone !== undefined && first.alone === second.alone) return `both need ${first.alone} for themselves`
  if (first.networks === 'all' && second.networks !== undefined) return 'the first leaves no network to the second'
  return undefined
}

/** Two faults that overlap: the second begins at a random moment while the first is on. */
export function pairOf(first: Fault, second: Fault): Fault {
  const clocks = first.clocks ?? second.clocks
  const open = first.open ?? second.open
  const { lastsMs = LASTS_MS } = first
  return {
    name: `${first.name}+${second.name}`,
    what: `${first.what}; meanwhile: ${second.what}`,
    lastsMs,
    on: SETUPS.filter((setup) => [first, second].every(({ on = SETUPS }) => on.includes(setup))),
    limits: { ...first.limits, ...second.limits },
    // What one holds up the other may hold up once more.
    lagMs: 2 * LAG_MS,
    ...((first.loses ?? second.loses) === true && { loses: true }),
    ...([first, second].every(({ loses, spares }) => loses !== true || spares !== undefined) && { spares: 'users' }),
    ...((first.rollsBack ?? second.rollsBack) === true && { rollsBack: true }),
    ...(open !== undefined && { open }),
    ...(clocks !== undefined && { clocks }),
    missing: () => first.missing?.() ?? second.missing?.(),
    apply: async (world) => {
      const begun = first.apply(world)
      const met = elapse(world.random.between(0, OVERLAP * lastsMs)).then(() => second.apply(world))
      const ends = await Promise.allSettled([begun, met])
      const failed = ends.find((end) => end.status === 'rejected')
      if (failed !== undefined) throw failed.reason
    },
    undo: async (world) => {
      await first.undo?.(world)
      await second.undo?.(world)
    },
  }
}

/** Every ordered pair that makes sense on a set-up, but those with a fault that is known to break something. */
export function allPairs(setup: SetupName): readonly Fault[] {
  const closed = FAULTS.filter(({ open, on = SETUPS }) => open === undefined && on.includes(setup))
  return closed.flatMap((first) => closed.flatMap((second) => (clash(first, second) === undefined ? [pairOf(first, second)] : [])))
}

/** So many pairs at random, none twice before all were there. */
export function drawPairs(count: number, seed: number, setup: SetupName): readonly Fault[] {
  const random = new Random(seed)
  const drawn: Fault[] = []
  let left: Fault[] = []
  while (drawn.length < count) {
    if (left.length === 0) left = [...allPairs(setup)]
    drawn.push(...left.splice(random.between(0, left.length - 1), 1))
  }
  return drawn
}

/** The fault, or the pair `a+b`, of that name. */
export function named(name: string): Fault {
  const [first, second] = name.split('+').map((each) => {
    const fault = FAULTS.find((candidate) => candidate.name === each)
    if (fault === undefined) throw new Error(`there is no fault ${each}; there are ${FAULTS.map((candidate) => candidate.name).join(', ')}`)
    return fault
  })
  if (first === undefined) throw new Error('a fault needs a name')
  if (second === undefined) return first
  const reason = clash(first, second)
  if (reason !== undefined) throw new Error(`${name} is no pair: ${reason}`)
  return pairOf(first, second)
}
