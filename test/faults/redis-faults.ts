import { elapse } from '../support/wait.js'
import { repeatedly, type Fault } from './fault.js'
import { LEASE_MS } from './world.js'

const REDIS_PROCESS = "Redis's process"
const MEMORY = "Redis's memory limit"

/** What happens to Redis and its data. */
export const REDIS_FAULTS: readonly Fault[] = [
  {
    name: 'redis-restarted-empty',
    what: 'Redis is stopped and started without its data',
    lastsMs: 1_000,
    loses: true,
    alone: REDIS_PROCESS,
    apply: async ({ redis }) => {
      await redis.restart()
      await elapse(1_000)
    },
  },
  {
    name: 'flushall',
    what: 'FLUSHALL, twice',
    lastsMs: 800,
    loses: true,
    apply: async ({ redis, random }) => {
      await redis.everywhere('FLUSHALL')
      await elapse(random.between(300, 1_500))
      await redis.everywhere('FLUSHALL')
      await elapse(500)
    },
  },
  {
    name: 'script-flush',
    what: 'SCRIPT FLUSH, ten times',
    lastsMs: 500,
    apply: (world) => repeatedly(world, 10, [50, 300], () => world.redis.everywhere('SCRIPT', 'FLUSH')),
  },
  {
    name: 'redis-stands-still',
    what: 'SIGSTOP of Redis past all leases, and SIGCONT',
    lastsMs: 3 * LEASE_MS,
    alone: REDIS_PROCESS,
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
      lastsMs: 600,
      loses: true,
      apply: (world) =>
        repeatedly(world, 3, [200, 900], async () => {
          const { redis, random } = world
          const keys = await redis.keys(kind === 'members' || kind === 'sessions' ? `rollcall:{*}:${kind}:dev:MESSAGE:*` : `rollcall:{*}:${kind}${kind === 'due' || kind === 'clock' || kind === 'leases' ? '' : ':*'}`)
          if (keys.length > 0) await redis.command('DEL', random.pick(keys))
        }),
    }),
  ),
  {
    name: 'maxmemory',
    what: 'maxmemory is reached (nothing that grows is taken), and lifted',
    lastsMs: 3_000,
    alone: MEMORY,
    apply: async ({ redis }) => {
      await redis.everywhere('CONFIG', 'SET', 'maxmemory', '1')
      await elapse(3_000)
      await redis.everywhere('CONFIG', 'SET', 'maxmemory', '0')
    },
  },
  {
    name: 'subscribers-cut',
    what: 'CLIENT KILL TYPE pubsub, five times',
    lastsMs: 500,
    apply: (world) => repeatedly(world, 5, [100, 600], () => world.redis.everywhere('CLIENT', 'KILL', 'TYPE', 'pubsub')),
  },
]
