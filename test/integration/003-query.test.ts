import { beforeAll, expect, test } from '@jest/globals'

import { ODD_NAMES } from '../support/bad-input.js'
import { useCluster } from '../support/node.js'
import { onOff, post, seenKey } from '../support/on-off.js'
import { connectPlain } from '../support/plain.js'
import { eventually } from '../support/wait.js'

const cluster = useCluster()

beforeAll(async () => {
  await connectPlain(cluster.scope, 'here', cluster.a)
  await connectPlain(cluster.scope, '__proto__', cluster.b)
  const gone = await connectPlain(cluster.scope, 'gone', cluster.a)
  gone.socket.disconnect()
  await eventually('who went is remembered', async () => seenKey(cluster.redis, 'gone'))
})

test('003.3 the answer has the length and the order of the question: "1", "0" or null, and strings', async () => {
  for (const node of [cluster.a, cluster.b]) {
    expect(await onOff(node, ['gone', 'here', 'never'])).toEqual(['0', '1', null])
    expect(await onOff(node, ['never', 'here', 'gone', 'here', 'here', 'never'])).toEqual([null, '1', '0', '1', '1', null])
  }
})

test('003.3 nobody asked for is nobody answered', async () => {
  expect(await onOff(cluster.a, [])).toEqual([])
  expect((await post(cluster.b, '/v1/status/query', { userIds: [] })).json).toEqual({ statuses: {} })
})

test('003.3 names that look like trouble are names, in both routes', async () => {
  expect(await onOff(cluster.a, ODD_NAMES)).toEqual(ODD_NAMES.map((name) => (name === '__proto__' ? '1' : null)))
  const { json } = await post(cluster.b, '/v1/status/query', { userIds: ['here', ...ODD_NAMES, 'gone', 'here'] })
  const statuses = new Map(Object.entries((json as { statuses: Record<string, unknown> }).statuses))
  expect([...statuses.keys()].sort()).toEqual([...ODD_NAMES, 'here', 'gone'].sort())
  const online = { status: 'ONLINE', lastSeen: null }
  expect([statuses.get('here'), statuses.get('__proto__'), statuses.get('constructor')]).toEqual([online, online, { status: 'OFFLINE', lastSeen: null }])
  expect(statuses.get('gone')).toEqual({ status: 'OFFLINE', lastSeen: expect.any(Number) })
})
