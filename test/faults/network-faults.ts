import { elapse } from '../support/wait.js'
import { repeatedly, withPlace, type Fault } from './fault.js'

/** Longer than the time limit of a command (`src/store/redis/connections.ts`). */
const LATE_MS = 2_500
/**
 * How long one node is without Redis: past its lease, so that its memberships become due, but not past the shortest
 * presenceTimeout, for then its clients are gone to all others and rightly so.
 */
const APART_MS = 2_300
const HALF_OPEN_MS = 4_000

const SUBSCRIBER = (first: string) => first.includes(':subscriber')
const COMMANDS = (first: string) => first.includes(':commands')

/** Only there is a network of ours in between. */
const BETWEEN = ['single'] as const

/** What happens between nodes and Redis. */
export const NETWORK_FAULTS: readonly Fault[] = [
  {
    name: 'subscriber-half-open',
    what: "a node's subscriber gets nothing more and is not told",
    lastsMs: HALF_OPEN_MS,
    networks: 'one',
    on: BETWEEN,
    apply: (world) =>
      withPlace(world, 'network', async ({ store }) => {
        store.hold(['up', 'down'], SUBSCRIBER)
        await elapse(HALF_OPEN_MS)
        store.reset(SUBSCRIBER)
        store.heal()
      }),
  },
  {
    name: 'replies-lost',
    what: 'replies of Redis are lost after the calls were executed, and the connection with them, four times',
    lastsMs: 1_700,
    networks: 'one',
    on: BETWEEN,
    apply: (world) =>
      repeatedly(world, 4, [400, 400], () =>
        withPlace(world, 'network', async ({ store }) => {
          store.hold(['down'], COMMANDS)
          await elapse(world.random.between(30, 200))
          store.reset(COMMANDS)
          store.heal()
        }),
      ),
  },
  {
    name: 'batches-late',
    what: 'what a node sends to Redis arrives after its time limit, and is executed then',
    lastsMs: 1_000 + LATE_MS,
    networks: 'one',
    on: BETWEEN,
    apply: (world) =>
      withPlace(world, 'network', async ({ store }) => {
        store.delay(LATE_MS, ['up'], COMMANDS)
        await elapse(1_000)
        store.heal()
        await elapse(LATE_MS)
      }),
  },
  ...(['up', 'down'] as const).map(
    (direction): Fault => ({
      name: `network-one-way-${direction}`,
      what: direction === 'up' ? 'nothing of a node reaches Redis; what it sent arrives later' : 'nothing of Redis reaches a node; what was sent arrives later',
      lastsMs: APART_MS,
      networks: 'one',
      on: BETWEEN,
      apply: (world) =>
        withPlace(world, 'network', async ({ store }) => {
          store.hold([direction])
          await elapse(APART_MS)
          store.heal()
        }),
    }),
  ),
  {
    name: 'network-both-ways',
    what: 'a node and Redis do not reach each other, and its connections break',
    lastsMs: APART_MS,
    networks: 'one',
    on: BETWEEN,
    apply: (world) =>
      withPlace(world, 'network', async ({ store }) => {
        store.cut()
        await elapse(APART_MS)
        store.heal()
      }),
  },
  {
    name: 'network-slow',
    what: 'every call to Redis takes up to 300 ms longer',
    lastsMs: 3_000,
    networks: 'all',
    on: BETWEEN,
    apply: async (world) => {
      const free = world.places.filter(({ taken }) => !taken.has('network'))
      for (const { taken } of free) taken.add('network')
      for (let round = 0; round < 6; round += 1) {
        for (const { store } of free) store.delay(world.random.between(0, 150))
        await elapse(500)
      }
      for (const { store, taken } of free) {
        store.heal()
        taken.delete('network')
      }
    },
  },
]
