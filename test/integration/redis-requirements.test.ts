import { describe, expect, test } from '@jest/globals'

import type { Logger } from '../../src/log.js'
import { silentLogger } from '../../src/log.js'
import { createStore } from '../../src/store/index.js'
import { alteredRedis, asOldRedis } from '../support/altered-redis.js'
import { startNode } from '../support/node.js'
import { RedisServer } from '../support/redis.js'
import { useTestScope, type Scope } from '../support/scope.js'

const scope = useTestScope()

/** Opens a store as a node does; resolves with the warnings of it. */
async function warningsOf(url: string): Promise<readonly object[]> {
  const warnings: object[] = []
  const log: Logger = { ...silentLogger, warn: (fields, message) => warnings.push({ ...fields, message }) }
  const { store } = createStore({ target: { place: { kind: 'single', url }, name: 'n' }, partitions: 4, node: 'n', log })
  scope.defer('a store', () => store.close())
  await store.open()
  return warnings
}

async function redisWith(policy: string, within: Scope = scope): Promise<RedisServer> {
  return RedisServer.start(within, { args: ['--maxmemory-policy', policy] })
}

describe('what a node asks of its Redis (003.10)', () => {
  test.each(['allkeys-lru', 'allkeys-random', 'allkeys-lfu'])('%s is refused, by name and with what to do', async (policy) => {
    const redis = await redisWith(policy)
    const starting = startNode(scope, { redisUrl: redis.url })
    await expect(starting).rejects.toThrow(new RegExp(`maxmemory-policy of Redis at 127.0.0.1:${redis.port} is ${policy}.*Set it to noeviction`))
    // A refused node has not left its mark.
    expect(await redis.keys()).toEqual([])
  })

  test('volatile-lru is warned of', async () => {
    const redis = await redisWith('volatile-lru')
    expect(await warningsOf(redis.url)).toEqual([
      { server: `127.0.0.1:${redis.port}`, policy: 'volatile-lru', message: expect.stringContaining('set it to noeviction') },
    ])
  })

  test('noeviction is as it should be', async () => {
    expect(await warningsOf((await redisWith('noeviction')).url)).toEqual([])
  })

  test('a user who may not call INFO is refused: the scripts would be too', async () => {
    const redis = await redisWith('noeviction')
    await redis.command('ACL', 'SETUSER', 'default', '-info')
    await expect(warningsOf(redis.url)).rejects.toThrow(/INFO is forbidden at .*scripts need it/)
  })

  test('a Redis before 7.0 is refused', async () => {
    const url = await alteredRedis(scope, await redisWith('noeviction'), asOldRedis)
    await expect(warningsOf(url)).rejects.toThrow(/is 6\.2\.14?; Rollcall needs Redis 7\.0 or newer/)
  })
})
