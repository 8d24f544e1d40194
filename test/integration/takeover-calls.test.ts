import { expect, test } from '@jest/globals'
import { singleRedis } from '../contract/setups.js'
import { room, TestNode } from '../contract/test-node.js'
import { useTestScope } from '../support/scope.js'

const scope = useTestScope()

test('the list of a node that was named once is declared from then on: a takeover is one call, and the first one two', async () => {
  const redis = await singleRedis.start(scope)
  const lobby = room('lobby')
  const [lost, stays] = await Promise.all(
    ['lost', 'stays'].map(async (id) => {
      const store = await redis.open(scope, id)
      return new TestNode(id, store, store.partitionOf(lobby))
    }),
  )
  if (lost === undefined || stays === undefined) throw new Error('two nodes were to start')
  for (const node of [lost, stays]) await node.beat()
  for (const userId of ['ann', 'tom', 'bob']) await lost.join(lobby, userId, { attach: 1 })

  const scripts = async (): Promise<number> => {
    const stats = String(await redis.command('INFO', 'commandstats'))
    return [...stats.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)].reduce((sum, [, calls]) => sum + Number(calls), 0)
  }
  const calls = async (userId: string): Promise<number> => {
    const before = await scripts()
    const taken = await stays.join(lobby, userId, { attach: 2 })
    expect(taken).toMatchObject({ status: 'same', superseded: 'lost' })
    return (await scripts()) - before
  }
  expect([await calls('ann'), await calls('tom'), await calls('bob')]).toEqual([2, 1, 1])
  expect((await stays.store.ownership.owned(stays.partition, 'lost')).memberships).toEqual([])
})
