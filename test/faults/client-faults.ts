import { elapse } from '../support/wait.js'
import type { Fault } from './fault.js'
import { SLOW_READER } from './slow-reader.js'

/** What happens between clients and nodes. */
export const CLIENT_FAULTS: readonly Fault[] = [
  {
    name: 'flapping-clients',
    what: 'three clients lose their connection 50 times, each time for less than presenceTimeout',
    lastsMs: 1_000,
    apply: async (world) => {
      await Promise.all(
        world.crowd.slice(0, 3).map(async (crowdling) => {
          for (let flap = 0; flap < 50; flap += 1) {
            await world.flap(crowdling, world.random.between(0, 60))
            await elapse(world.random.between(0, 60))
          }
        }),
      )
    },
  },
  {
    name: 'all-return-at-once',
    what: 'every client loses its connection at once, and all return at once',
    lastsMs: 1_200,
    apply: async (world) => {
      await Promise.all(world.crowd.filter(({ dead }) => !dead).map((crowdling) => world.flap(crowdling, 700)))
      await elapse(500)
    },
  },
  {
    name: 'clients-half-open',
    what: 'the network of four clients swallows everything and tells nobody, for longer than the ping takes',
    lastsMs: 2_500,
    apply: async (world) => {
      const some = world.crowd.filter(({ dead }) => !dead).slice(0, 4)
      for (const { actor, wires } of some) {
        actor.cut(Date.now())
        for (const wire of wires) wire.hold()
      }
      await elapse(2_500)
      for (const { wires } of some) {
        for (const wire of wires) {
          wire.reset()
          wire.heal()
        }
      }
    },
  },
  SLOW_READER,
]
