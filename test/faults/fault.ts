import type { Limits } from '../../src/protocol/limits.js'
import { elapse, eventually } from '../support/wait.js'
import type { SetupName } from './setups.js'
import type { Part, Place, World } from './world.js'

/** One thing that goes wrong, or two of them that overlap (`pairs.ts`). */
export interface Fault {
  readonly name: string
  readonly what: string
  /**
   * It lasts at least so long, in milliseconds: as the first of a pair, the second begins at a random moment of that.
   * @default 500
   */
  readonly lastsMs?: number
  /** Makes it happen; the crowd goes on meanwhile. */
  apply(world: World): Promise<void>
  /** Puts right what the fault left broken; after this all has to agree within the bound. */
  undo?(world: World): Promise<void>
  /** Redis set-ups that it can happen on; all of them when it is left out. */
  readonly on?: readonly SetupName[]
  /**
   * Redis lost data. Then two things are not promised (`docs/reliability.md`): that a session which was away just then is
   * continued as the same one, or counts when the user's other session leaves; and that the latest writes of two sessions
   * of one user are both put back.
   */
  readonly loses?: true
  /** What is left is older than what was acknowledged: who had gone is there again, and goes again. */
  readonly rollsBack?: true
  /** Why it is known to break something (`docs/reliability.md`): it is run only when it is named. */
  readonly open?: string
  /** What is lost is of presence alone: what users tell each other, and their friends, are where they were. */
  readonly spares?: 'users'
  /** On top of the nodes' settings. */
  readonly limits?: Partial<Limits>
  /** The nodes' wall clocks can be set (`wall-clock.ts`), and begin so, in seconds ahead. */
  readonly clocks?: readonly number[]
  /** What there is once only, and this fault turns to its own ends: no other fault that does is paired with it. */
  readonly alone?: string
  /** Whether it takes the way to Redis of one node for itself, or of every node that has it still. */
  readonly networks?: 'one' | 'all'
  /** News may be under way longer than with one fault, in milliseconds. */
  readonly lagMs?: number
  /** Why it cannot be run on this machine, and what would help. */
  missing?(): string | undefined
}

/** One who was borrowed already is soon given back. */
const PATIENCE_MS = 15_000

/** Lets `act` have some part of a living node that no other fault has; of a dead one, where none lives. */
export async function withPlace(world: World, part: Part | readonly Part[], act: (place: Place) => Promise<void>): Promise<void> {
  const parts = [part].flat()
  const place = await eventually(
    `a node's ${parts.join(' and ')} is left for this fault`,
    () => {
      const free = world.places.filter(({ taken }) => !parts.some((each) => taken.has(each)))
      const living = free.filter(({ alive }) => alive)
      const choice = living.length > 0 ? living : free
      return choice.length > 0 && world.random.pick(choice)
    },
    { withinMs: PATIENCE_MS },
  )
  await taking(place, parts, act)
}

/** Lets `act` have some part of this node, as soon as no other fault has it. */
export async function withThis(place: Place, part: Part, act: (place: Place) => Promise<void>): Promise<void> {
  await eventually(`the ${part} of node :${place.port} is left for this fault`, () => !place.taken.has(part), { withinMs: PATIENCE_MS })
  await taking(place, [part], act)
}

async function taking(place: Place, parts: readonly Part[], act: (place: Place) => Promise<void>): Promise<void> {
  for (const part of parts) place.taken.add(part)
  try {
    await act(place)
  } finally {
    for (const part of parts) place.taken.delete(part)
  }
}

/** Does something again and again, with a random pause after each time. */
export async function repeatedly(world: World, times: number, [least, most]: readonly [number, number], act: () => Promise<unknown>): Promise<void> {
  for (let round = 0; round < times; round += 1) {
    await act()
    await elapse(world.random.between(least, most))
  }
}
