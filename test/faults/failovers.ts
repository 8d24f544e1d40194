import type { RedisServer } from '../support/redis.js'
import { elapse } from '../support/wait.js'
import type { Fault } from './fault.js'
import { REDIS_PROCESS } from './redis-faults.js'
import { Clustered, type SetupName } from './setups.js'
import type { World } from './world.js'

/** Where there is somebody to take over. */
const REPLICATED: readonly SetupName[] = ['cluster', 'sentinel']
/** A master that was stopped goes on when all have taken its heir for the master. */
const SETTLED_MS = 1_000
/** How long a replica gets nothing of what its master writes. */
const BEHIND_MS = 1_500
const PARTITIONS_MOVED = 8

/** What can only happen where Redis is more than one server. */
export const FAILOVERS: readonly Fault[] = [
  {
    name: 'master-killed',
    what: 'kill -9 of a master; its replica takes over, and it is started again',
    lastsMs: 1_500,
    on: REPLICATED,
    // What it answered in its last moment its heir may lack: Redis replicates after it has answered.
    rollsBack: true,
    alone: REDIS_PROCESS,
    apply: async (world) => {
      const master = await oneOf(world)
      master.signal('SIGKILL')
      await world.redis.tookOver(master)
    },
    undo: ({ redis }) => redis.revive(),
  },
  {
    name: 'master-stopped',
    what: 'SIGSTOP of a master; its replica takes over, then SIGCONT',
    lastsMs: 1_500,
    on: REPLICATED,
    // What it answered in its last moment, or does when it goes on and has not learned of its heir yet, its heir lacks.
    rollsBack: true,
    alone: REDIS_PROCESS,
    apply: async (world) => {
      const master = await oneOf(world)
      master.signal('SIGSTOP')
      try {
        await world.redis.tookOver(master)
        await elapse(SETTLED_MS)
      } finally {
        master.signal('SIGCONT')
      }
    },
  },
  {
    name: 'writes-lost',
    what: 'a replica takes over that lacks what its master wrote last, and was acknowledged',
    lastsMs: BEHIND_MS,
    on: REPLICATED,
    loses: true,
    rollsBack: true,
    alone: REDIS_PROCESS,
    apply: async (world) => {
      const master = await oneOf(world)
      // It may not ask for what it misses any more; what the master knows of permissions is gone with it.
      await master.command('ACL', 'SETUSER', 'default', '-psync', '-sync')
      await master.command('CLIENT', 'KILL', 'TYPE', 'replica')
      const before = await written(master)
      await elapse(BEHIND_MS)
      if ((await written(master)) <= before) throw new Error('nothing was written that could be lost')
      master.signal('SIGKILL')
      await world.redis.tookOver(master)
    },
    undo: ({ redis }) => redis.revive(),
  },
  {
    name: 'slots-moved',
    what: 'the slots of eight partitions are moved to another master, one after the other',
    on: ['cluster'],
    alone: REDIS_PROCESS,
    apply: async ({ redis }) => {
      if (!(redis instanceof Clustered)) throw new Error('it has no slots')
      for (let partition = 0; partition < PARTITIONS_MOVED; partition += 1) await redis.cluster.moveSlot(`rollcall:{${partition}}:clock`)
    },
  },
]

async function oneOf({ redis, random }: World): Promise<RedisServer> {
  return random.pick(await redis.masters())
}

/** How much a master has written for its replicas. */
async function written(master: RedisServer): Promise<number> {
  return Number(/^master_repl_offset:(\d+)/m.exec(String(await master.command('INFO', 'replication')))?.[1] ?? 0)
}
