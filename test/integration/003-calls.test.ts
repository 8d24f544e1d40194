import { expect, test } from '@jest/globals'

import { useCluster } from '../support/node.js'
import { onOff, post } from '../support/on-off.js'
import { connectPlain } from '../support/plain.js'

const PARTITIONS = 16
const USERS = 1_000

// Between two heartbeats nothing else is sent.
const cluster = useCluster({ heartbeatMs: 20_000, heartbeatTtlMs: 60_000, partitions: PARTITIONS })

test('003.5 one query of 1,000 ids is one call a partition, on either route', async () => {
  const online = ['user-7', 'user-500', 'user-999']
  for (const user of online) await connectPlain(cluster.scope, user, cluster.a)
  const users = Array.from({ length: USERS }, (_, i) => `user-${i}`)
  // A Redis that has just started is shown the script once.
  await onOff(cluster.b, ['nobody'])
  const monitor = await cluster.redis.monitor(cluster.scope)
  const calls = async <T>(asking: () => Promise<T>): Promise<{ readonly answer: T; readonly calls: number }> => {
    const asked = asking()
    const seen = await monitor.during(1_000)
    return { answer: await asked, calls: seen.filter(({ name }) => /^(eval|fcall)|get|hash/.test(name)).length }
  }

  const byFunction = await calls(() => onOff(cluster.b, users))
  expect(byFunction).toEqual({ answer: users.map((user) => (online.includes(user) ? '1' : null)), calls: PARTITIONS })
  const byRoute = await calls(() => post(cluster.b, '/v1/status/query', { userIds: users }))
  expect([byRoute.calls, Object.keys((byRoute.answer.json as { statuses: object }).statuses).length]).toEqual([PARTITIONS, USERS])
  const one = await calls(() => onOff(cluster.b, Array.from({ length: USERS }, () => 'user-7')))
  expect(one.calls).toBe(1)
})
