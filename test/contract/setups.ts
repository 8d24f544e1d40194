import { silentLogger } from '../../src/log.js'
import type { PresenceStore } from '../../src/presence/store.js'
import { createStore } from '../../src/store/index.js'
import { RedisServer } from '../support/redis.js'
import type { Scope } from '../support/scope.js'

/** One way to run Redis. The suite is the same on each. */
export interface Setup {
  readonly name: string
  /** Starts it, once a test. */
  start(scope: Scope): Promise<RunningSetup>
}

export interface RunningSetup {
  /** Another client of the same Redis, as another node would be. */
  open(node: string): Promise<PresenceStore>
  /** Loses everything, as a flush does. */
  flush(): Promise<void>
  /** Runs a plain command, to damage data or to look at it. */
  command(name: string, ...args: string[]): Promise<unknown>
}

export const PARTITIONS = 4

export const singleRedis: Setup = {
  name: 'a single Redis',
  async start(scope) {
    const redis = await RedisServer.start(scope)
    return {
      async open(node) {
        const { store } = createStore({ target: { place: { kind: 'single', url: redis.url }, name: node }, partitions: PARTITIONS, node, log: silentLogger })
        await store.open()
        scope.defer(`store of ${node}`, () => store.close())
        return store
      },
      flush: async () => {
        await redis.command('FLUSHALL')
      },
      command: (name, ...args) => redis.command(name, ...args),
    }
  },
}
