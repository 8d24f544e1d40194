import { expect, test } from '@jest/globals'

import { SMALL_TIMINGS, useCluster } from '../support/node.js'
import { onOff, seenKey, statusOf } from '../support/on-off.js'
import { connectPlain } from '../support/plain.js'
import { useTestScope } from '../support/scope.js'

const cluster = useCluster()
const scope = useTestScope()

test('003.1 a user with a session on either node reads "1" on both', async () => {
  await connectPlain(scope, 'ada', cluster.a)
  await connectPlain(scope, 'bob', cluster.b)
  for (const node of [cluster.a, cluster.b]) {
    expect(await onOff(node, ['ada', 'bob'])).toEqual(['1', '1'])
    for (const userId of ['ada', 'bob']) expect(await statusOf(node, userId)).toEqual({ userId, status: 'ONLINE', lastSeen: null })
  }
})

test('003.1 a session needs no channel and no sign of life of its own: it reads "1" for longer than any timeout', async () => {
  await connectPlain(scope, 'eve', cluster.a)
  const until = Date.now() + 3 * (SMALL_TIMINGS.heartbeatTtlMs + SMALL_TIMINGS.presenceTimeoutMs)
  const seen = new Set<string>()
  while (Date.now() < until) seen.add(JSON.stringify([await onOff(cluster.a, ['eve']), await onOff(cluster.b, ['eve'])]))
  expect([...seen]).toEqual(['[["1"],["1"]]'])
  // What runs out is written when the last session has ended, and not before.
  expect(await seenKey(cluster.redis, 'eve')).toBeUndefined()
})
