import { elapse } from '../support/wait.js'
import { withPlace, withThis, type Fault } from './fault.js'
import { LEASE_MS, type Place, type World } from './world.js'

/** A short pause of a node: shorter than a lease. */
const BLINK_MS = 600
/** How long a killed node is missing. */
const DEAD_MS = 2_000

export const NODE_FAULTS: readonly Fault[] = [
  {
    name: 'node-killed',
    what: 'kill -9 of a node; it is started again',
    lastsMs: DEAD_MS,
    apply: (world) => killed(world),
  },
  {
    name: 'two-nodes-killed',
    what: 'kill -9 of two nodes of three at the same moment; they are started again',
    lastsMs: DEAD_MS,
    apply: async (world) => {
      await Promise.all([killed(world), killed(world)])
    },
  },
  {
    name: 'node-sleeps',
    what: 'SIGSTOP of a node for three leases, and SIGCONT',
    lastsMs: 3 * LEASE_MS,
    // Who sleeps is without Redis as well: together with a broken network that would last longer than a presenceTimeout.
    apply: (world) => withPlace(world, ['process', 'network'], (place) => sleep(place, 3 * LEASE_MS)),
  },
  {
    name: 'node-blinks',
    what: 'the event loop of a node stands still for less than a lease, three times',
    lastsMs: 3 * BLINK_MS,
    apply: async (world) => {
      for (let round = 0; round < 3; round += 1) await withPlace(world, 'process', (place) => sleep(place, BLINK_MS))
    },
  },
  {
    name: 'rolling-restart',
    what: 'SIGTERM of every node in turn, each started again before the next',
    lastsMs: 2_000,
    apply: async (world) => {
      for (const each of world.places) {
        await withThis(each, 'process', async (place) => {
          place.alive = false
          await place.node.process.stop()
          await world.respawn(place)
        })
      }
    },
  },
]

function killed(world: World): Promise<void> {
  return withPlace(world, 'process', async (place) => {
    place.alive = false
    place.node.process.kill('SIGKILL')
    await place.node.process.exited
    await elapse(DEAD_MS)
    await world.respawn(place)
  })
}

async function sleep({ node }: Place, ms: number): Promise<void> {
  node.process.kill('SIGSTOP')
  try {
    await elapse(ms)
  } finally {
    node.process.kill('SIGCONT')
  }
}
