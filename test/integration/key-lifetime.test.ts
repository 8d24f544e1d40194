import { expect, jest, test } from '@jest/globals'

import { startNode, useCluster } from '../support/node.js'
import { connectPlain } from '../support/plain.js'
import { eventually } from '../support/wait.js'

const cluster = useCluster()

test('the keys of a channel are renewed though no node that serves it has run for long', async () => {
  const ada = await connectPlain(cluster.scope, 'ada', cluster.a)
  await ada.must('subscribe', { channelName: 'lobby' })
  const keys = (await cluster.redis.keys('rollcall:{*}:*:MESSAGE:lobby')).sort()
  expect(keys).toEqual([expect.stringContaining(':members:'), expect.stringContaining(':sessions:')])
  const lifetimes = (): Promise<unknown[]> => Promise.all(keys.map((key) => cluster.redis.command('TTL', key)))
  for (const key of keys) await cluster.redis.command('EXPIRE', key, 1_000)
  expect((await lifetimes()).every((seconds) => Number(seconds) <= 1_000)).toBe(true)

  // When a node renews keys for the first time is by chance: this one is about to.
  const chance = jest.spyOn(Math, 'random').mockReturnValue(1 - 1e-9)
  const node = await startNode(cluster.scope, { redisUrl: cluster.redis.url }).finally(() => chance.mockRestore())
  const bob = await connectPlain(cluster.scope, 'bob', node)
  await bob.must('subscribe', { channelName: 'lobby' })
  await eventually('the keys have their whole lifetime again', async () => (await lifetimes()).every((seconds) => Number(seconds) > 80_000))
})
