import { elapse } from '../support/wait.js'
import { LEASE_MS, type Place, type World } from './world.js'

/** One thing that goes wrong. `apply` lasts as long as the fault does; the crowd goes on meanwhile. */
export interface Fault {
  readonly name: string
  readonly what: string
  apply(world: World): Promise<void>
  /** Puts right what the fault left broken; after this all has to agree within the bound. */
  undo?(world: World): Promise<void>
  /**
   * Redis lost data. Then two things are not promised (`docs/reliability.md`): that a session which was away just then is
   * continued as the same one, or counts when the user's other session leaves; and that the latest writes of two sessions
   * of one user are both put back.
   */
  readonly loses?: true
  /** Why it is known to break something (`docs/reliability.md`): it is run only when it is named. */
  readonly open?: string
  /** On top of the nodes' settings. */
  readonly env?: Readonly<Record<string, string>>
}

/** A short pause of a node: shorter than a lease. */
const BLINK_MS = 600
/** Longer than the time limit of a command (`src/store/redis/connections.ts`). */
const LATE_MS = 2_500
/**
 * How long one node is without Redis: past its lease, so that its memberships become due, but not past the shortest
 * presenceTimeout, for then its clients are gone to all others and rightly so.
 */
const APART_MS = 2_300

const SUBSCRIBER = (first: string) => first.includes(':subscriber')
const COMMANDS = (first: string) => first.includes(':commands')

export const FAULTS: readonly Fault[] = [
  {
    name: 'nothing',
    what: 'no fault: the crowd alone',
    apply: () => elapse(2_000),
  },
  {
    name: 'node-killed',
    what: 'kill -9 of a node; it is started again',
    apply: async (world) => {
      await kill(somewhere(world))
      await elapse(2_000)
    },
    undo: respawn,
  },
  {
    name: 'two-nodes-killed',
    what: 'kill -9 of two nodes of three at the same moment; they are started again',
    apply: async (world) => {
      await Promise.all(shuffled(world).slice(0, 2).map(kill))
      await elapse(2_000)
    },
    undo: respawn,
  },
  {
    name: 'node-sleeps',
    what: 'SIGSTOP of a node for three leases, and SIGCONT',
    apply: (world) => sleep(somewhere(world), 3 * LEASE_MS),
  },
  {
    name: 'node-blinks',
    what: 'the event loop of a node stands still for less than a lease, three times',
    apply: async (world) => {
      for (let round = 0; round < 3; round += 1) await sleep(somewhere(world), BLINK_MS)
    },
  },
  {
    name: 'rolling-restart',
    what: 'SIGTERM of every node in turn, each started again before the next',
    apply: async (world) => {
      for (const place of world.places) {
        place.alive = false
        await place.node.process.stop()
        await world.respawn(place)
      }
    },
  },
  {
    name: 'redis-restarted-empty',
    what: 'Redis is stopped and started without its data',
    loses: true,
    apply: async ({ redis }) => {
      await redis.restart()
      await elapse(1_000)
    },
  },
  {
    name: 'flushall',
    what: 'FLUSHALL, twice',
    loses: true,
    apply: async ({ redis, random }) => {
      await redis.command('FLUSHALL')
      await elapse(random.between(300, 1_500))
      await redis.command('FLUSHALL')
      await elapse(500)
    },
  },
  {
    name: 'script-flush',
    what: 'SCRIPT FLUSH, ten times',
    apply: async ({ redis, random }) => {
      for (let round = 0; round < 10; round += 1) {
        await redis.command('SCRIPT', 'FLUSH')
        await elapse(random.between(50, 300))
      }
    },
  },
  {
    name: 'redis-stands-still',
    what: 'SIGSTOP of Redis past all leases, and SIGCONT',
    apply: async ({ redis }) => {
      redis.signal('SIGSTOP')
      try {
        await elapse(3 * LEASE_MS)
      } finally {
        redis.signal('SIGCONT')
      }
    },
  },
  ...(['members', 'sessions', 'owned', 'clock', 'leases', 'due', 'where'] as const).map(
    (kind): Fault => ({
      name: `key-lost-${kind}`,
      what: `a \`${kind}\` key of something alive is deleted, three times`,
      loses: true,
      ...(kind === 'due' && { open: 'nobody finds a session that is away and has no deadline any more' }),
      ...(kind === 'where' && { open: 'nobody puts back what `where` listed, until the user joins again' }),
      apply: async ({ redis, random }) => {
        for (let round = 0; round < 3; round += 1) {
          const keys = await redis.keys(kind === 'members' || kind === 'sessions' ? `rollcall:{*}:${kind}:dev:MESSAGE:*` : `rollcall:{*}:${kind}${kind === 'due' || kind === 'clock' || kind === 'leases' ? '' : ':*'}`)
          if (keys.length > 0) await redis.command('DEL', random.pick(keys))
          await elapse(random.between(200, 900))
        }
      },
    }),
  ),
  {
    name: 'maxmemory',
    what: 'maxmemory is reached (nothing that grows is taken), and lifted',
    apply: async ({ redis }) => {
      await redis.command('CONFIG', 'SET', 'maxmemory', '1')
      await elapse(3_000)
    },
    undo: async ({ redis }) => {
      await redis.command('CONFIG', 'SET', 'maxmemory', '0')
    },
  },
  {
    name: 'subscribers-cut',
    what: 'CLIENT KILL TYPE pubsub, five times',
    apply: async ({ redis, random }) => {
      for (let round = 0; round < 5; round += 1) {
        await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
        await elapse(random.between(100, 600))
      }
    },
  },
  {
    name: 'subscriber-half-open',
    what: "a node's subscriber gets nothing more and is not told",
    apply: async (world) => {
      somewhere(world).store.hold(['up', 'down'], SUBSCRIBER)
      await elapse(4_000)
    },
    undo: async (world) => {
      for (const { store } of world.places) {
        store.reset(SUBSCRIBER)
        store.heal()
      }
    },
  },
  {
    name: 'replies-lost',
    what: 'replies of Redis are lost after the calls were executed, and the connection with them, four times',
    apply: async (world) => {
      for (let round = 0; round < 4; round += 1) {
        const { store } = somewhere(world)
        store.hold(['down'], COMMANDS)
        await elapse(world.random.between(30, 200))
        store.reset(COMMANDS)
        store.heal()
        await elapse(400)
      }
    },
  },
  {
    name: 'batches-late',
    what: 'what a node sends to Redis arrives after its time limit, and is executed then',
    apply: async (world) => {
      const { store } = somewhere(world)
      store.delay(LATE_MS, ['up'], COMMANDS)
      await elapse(1_000)
      store.heal()
      await elapse(LATE_MS)
    },
  },
  ...(['up', 'down'] as const).map(
    (direction): Fault => ({
      name: `network-one-way-${direction}`,
      what: direction === 'up' ? 'nothing of a node reaches Redis; what it sent arrives later' : 'nothing of Redis reaches a node; what was sent arrives later',
      apply: async (world) => {
        const { store } = somewhere(world)
        store.hold([direction])
        await elapse(APART_MS)
        store.heal()
      },
    }),
  ),
  {
    name: 'network-both-ways',
    what: 'a node and Redis do not reach each other, and its connections break',
    apply: async (world) => {
      const { store } = somewhere(world)
      store.cut()
      await elapse(APART_MS)
      store.heal()
    },
  },
  {
    name: 'network-slow',
    what: 'every call to Redis takes up to 300 ms longer',
    apply: async (world) => {
      for (let round = 0; round < 6; round += 1) {
        for (const { store } of world.places) store.delay(world.random.between(0, 150))
        await elapse(500)
      }
      for (const { store } of world.places) store.heal()
    },
  },
  {
    name: 'flapping-clients',
    what: 'three clients lose their connection 50 times, each time for less than presenceTimeout',
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
    apply: async (world) => {
      await Promise.all(world.crowd.filter(({ dead }) => !dead).map((crowdling) => world.flap(crowdling, 700)))
      await elapse(500)
    },
  },
  {
    name: 'clients-half-open',
    what: 'the network of four clients swallows everything and tells nobody, for longer than the ping takes',
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
]

function somewhere(world: World): Place {
  return world.random.pick(world.alive())
}

function shuffled({ random, places }: World): readonly Place[] {
  const first = random.between(0, places.length - 1)
  return [...places.slice(first), ...places.slice(0, first)]
}

async function kill(place: Place): Promise<void> {
  place.alive = false
  place.node.process.kill('SIGKILL')
  await place.node.process.exited
}

async function respawn(world: World): Promise<void> {
  await Promise.all(world.places.filter(({ alive }) => !alive).map((place) => world.respawn(place)))
}

async function sleep({ node }: Place, ms: number): Promise<void> {
  node.process.kill('SIGSTOP')
  try {
    await elapse(ms)
  } finally {
    node.process.kill('SIGCONT')
  }
}
