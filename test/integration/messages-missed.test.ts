import { expect, test } from '@jest/globals'

import { connectCrowd } from '../support/crowd.js'
import { useCluster } from '../support/node.js'
import { connectPlain } from '../support/plain.js'
import { useTestScope } from '../support/scope.js'
import { eventually } from '../support/wait.js'

const PARTITIONS = 16
const CROWD = 300
const cluster = useCluster({ partitions: PARTITIONS, heartbeatMs: 2_000, heartbeatTtlMs: 10_000, pingIntervalMs: 60_000, pingTimeoutMs: 60_000, presenceTimeoutMs: 20_000, limits: { messageWaitMs: 300 } })
const scope = useTestScope()

test('post that was missed costs a node some calls a partition, and not one for each of its sessions', async () => {
  await connectCrowd(scope, [cluster.a], CROWD)
  const sender = await connectPlain(scope, 'sender', cluster.b)
  const deaf = await connectPlain(scope, 'deaf', cluster.a)
  const heard: string[] = []
  deaf.socket.on('message', ({ text }: { text: string }) => heard.push(text))
  await sender.must('sendMessage', { userId: 'deaf', text: 'before', offline: true })
  await eventually('it is heard', () => heard.length === 1)

  const monitor = await cluster.redis.monitor(scope)
  const window = monitor.during(3_000)
  await cluster.redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
  await sender.must('sendMessage', { userId: 'deaf', text: 'after', offline: true })
  await eventually('what was sent meanwhile is heard', () => heard.includes('after'))
  const calls = (await window).filter(({ name }) => name.startsWith('eval'))
  expect(heard).toEqual(['before', 'after'])
  // Two nodes: each looks, all of them in one call a partition; whoever is kept something for reads it. The rest are heartbeats and the audit.
  expect(calls.length).toBeLessThan(CROWD / 2)
})
