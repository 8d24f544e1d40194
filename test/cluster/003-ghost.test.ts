import { expect, test } from '@jest/globals'

import { onOff, statusOf } from '../support/on-off.js'
import { spawnPair } from '../support/pair.js'
import { connectPlain } from '../support/plain.js'
import { useTestScope } from '../support/scope.js'
import { eventually } from '../support/wait.js'

const scope = useTestScope()

test('003.1 a node that dies leaves no ghost: its users read "1" until they could be back, then "0"', async () => {
  const { a, b } = await spawnPair(scope)
  await connectPlain(scope, 'ada', a, { reconnection: false })
  await connectPlain(scope, 'bob', b)
  const killed = Date.now()
  a.process.kill('SIGKILL')
  await eventually('the other node has noticed', async () => (await statusOf(b, 'ada')).status !== 'ONLINE')
  expect(await onOff(b, ['ada', 'bob'])).toEqual(['1', '1'])
  await eventually('the time to come back is over', async () => JSON.stringify(await onOff(b, ['ada', 'bob'])) === '["0","1"]')
  // Since the end of its lease, at the earliest: presenceTimeout.
  expect(Date.now() - killed).toBeGreaterThanOrEqual(1_500)
})
