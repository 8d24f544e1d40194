import type { RedisServer } from '../support/redis.js'
import { elapse, eventually } from '../support/wait.js'
import { repeatedly, type Fault } from './fault.js'
import { joinLoud, speak, WORDS } from './loud.js'
import { LEASE_MS, type World } from './world.js'

export const REDIS_PROCESS = "Redis's process"
const MEMORY = "Redis's memory limit"
const LIMIT = 'client-output-buffer-limit'
const DEFAULT_LIMIT = 'pubsub 33554432 8388608 60'
const OVER_LIMIT_MS = 2_500
const FEW_KEYS_BYTES = 2_048

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
  ...(['members', 'sessions', 'owned', 'clock', 'leases', 'due', 'timers', 'where'] as const).map(
    (kind): Fault => ({
      name: `key-lost-${kind}`,
      what: `a \`${kind}\` key of something alive is deleted, three times`,
      lastsMs: 600,
      loses: true,
      spares: 'users',
      apply: (world) =>
        repeatedly(world, 3, [200, 900], async () => {
          const { redis, random } = world
          const keys = await redis.keys(kind === 'members' || kind === 'sessions' ? `rollcall:{*}:${kind}:dev:MESSAGE:*` : `rollcall:{*}:${kind}${kind === 'due' || kind === 'timers' || kind === 'clock' || kind === 'leases' ? '' : ':*'}`)
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
  {
    name: 'subscribers-over-limit',
    what: 'Redis cuts every subscriber that has anything waiting (`client-output-buffer-limit`), until the limit is as before',
    lastsMs: OVER_LIMIT_MS,
    apply: async (world) => {
      const clients = [...(await joinLoud(world, world.alive(), 'watcher')), ...(await joinLoud(world, world.alive(), 'speaker'))]
      const before = await subscribers(world)
      await world.redis.everywhere('CONFIG', 'SET', LIMIT, 'pubsub 1 1 1')
      try {
        // Small messages never wait: it takes some that are larger than the buffer of a connection.
        await Promise.all([speak(clients.slice(-world.places.length), () => wasCut(world, before), WORDS), elapse(OVER_LIMIT_MS)])
      } finally {
        await world.redis.everywhere('CONFIG', 'SET', LIMIT, DEFAULT_LIMIT)
      }
      for (const { socket } of clients) socket.disconnect()
    },
  },
  {
    name: 'key-evicted',
    what: 'Redis is over its memory limit for a moment and evicts keys at random (`allkeys-random`), three times',
    lastsMs: 600,
    loses: true,
    alone: MEMORY,
    apply: (world) => repeatedly(world, 3, [200, 900], () => evictSome(world)),
  },
]

/** The ids of connections that hear messages. */
async function subscribers({ redis }: World): Promise<readonly string[]> {
  const lists = await Promise.all((await redis.masters()).map((server) => server.command('CLIENT', 'LIST', 'TYPE', 'pubsub')))
  return lists.flatMap((list, index) => [...String(list).matchAll(/^id=(\d+)/gm)].map(([id]) => `${index} ${id}`))
}

/** Whether one of these was cut. */
async function wasCut(world: World, before: readonly string[]): Promise<boolean> {
  const left = await subscribers(world)
  return before.some((id) => !left.includes(id))
}

/** Lets each server run over by as much as a few keys take. */
async function evictSome({ redis, notes }: World): Promise<void> {
  const masters = await redis.masters()
  await Promise.all(
    masters.map(async (server) => {
      const before = await figure(server, 'stats', 'evicted_keys')
      await server.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-random')
      try {
        await eventually('Redis evicts a key', async () => {
          await server.command('CONFIG', 'SET', 'maxmemory', (await figure(server, 'memory', 'used_memory')) - FEW_KEYS_BYTES)
          return (await figure(server, 'stats', 'evicted_keys')) > before
        })
      } finally {
        await server.command('CONFIG', 'SET', 'maxmemory', '0')
        await server.command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction')
      }
      notes.push(`${(await figure(server, 'stats', 'evicted_keys')) - before} keys evicted`)
    }),
  )
}

async function figure(server: RedisServer, section: string, name: string): Promise<number> {
  const rows = String(await server.command('INFO', section)).split('\r\n')
  return Number(rows.find((row) => row.startsWith(`${name}:`))?.slice(name.length + 1))
}
