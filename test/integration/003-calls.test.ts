import { expect, test } from '@jest/globals'

import { useCluster } from '../support/node.js'
import { onOff, post } from '../support/on-off.js'
import { connectPlain } from '../support/plain.js'
import type { Call } from '../support/redis-monitor.js'

const PARTITIONS = 16
const USERS = 1_000
/** What nodes send by themselves in the time of a query: some looks of the audit. */
const ASIDE = 8

const cluster = useCluster({ heartbeatMs: 20_000, heartbeatTtlMs: 60_000, partitions: PARTITIONS })

test('003.5 one query of 1,000 ids is one call a partition, on either route', async () => {
  const online = ['user-7', 'user-500', 'user-999']
  for (const user of online) await connectPlain(cluster.scope, user, cluster.a)
  const users = Array.from({ length: USERS }, (_, i) => `user-${i}`)
  // A Redis that has just started is shown the script once.
  await onOff(cluster.b, ['nobody'])
  const monitor = await cluster.redis.monitor(cluster.scope)
  const during = async <T>(asking: () => Promise<T>): Promise<{ readonly answer: T; readonly calls: readonly Call[] }> => {
    const asked = asking()
    const calls = await monitor.during(1_000)
    return { answer: await asked, calls }
  }

  const byFunction = await during(() => onOff(cluster.b, users))
  expect(byFunction.answer).toEqual(users.map((user) => (online.includes(user) ? '1' : null)))
  const [script = '', times] = mostCalled(byFunction.calls)
  expect(times).toBe(PARTITIONS)
  expect(byFunction.calls.length).toBeLessThanOrEqual(PARTITIONS + ASIDE)

  const byRoute = await during(() => post(cluster.b, '/v1/status/query', { userIds: users }))
  expect(Object.keys((byRoute.answer.json as { statuses: object }).statuses)).toHaveLength(USERS)
  expect(byRoute.calls.filter(({ argument }) => argument === script)).toHaveLength(PARTITIONS)
  expect(byRoute.calls.length).toBeLessThanOrEqual(PARTITIONS + ASIDE)

  const ofOne = await during(() => onOff(cluster.b, Array.from({ length: USERS }, () => 'user-7')))
  expect(ofOne.calls.filter(({ argument }) => argument === script)).toHaveLength(1)
})

function mostCalled(calls: readonly Call[]): readonly [script: string | undefined, times: number] {
  const times = new Map<string, number>()
  for (const { name, argument = '' } of calls) if (name === 'evalsha') times.set(argument, (times.get(argument) ?? 0) + 1)
  const [script, most] = [...times].sort(([, a], [, b]) => b - a)[0] ?? []
  return [script, most ?? 0]
}
