import { expect, test } from '@jest/globals'

import { http } from '../support/http.js'
import { PlainClient } from '../support/plain.js'
import { RedisServer } from '../support/redis.js'
import { useTestScope } from '../support/scope.js'
import { spawnNode } from '../support/spawned.js'
import { TcpProxy } from '../support/tcp-proxy.js'
import { eventually } from '../support/wait.js'

const scope = useTestScope()

/** How often this node has asked Redis to take over a session that returns. */
async function resumed(port: number): Promise<number> {
  const { text } = await http(port, '/metrics')
  return Number(/^rollcall_ops_total[{][^\n]*kind="resume"[^\n]* (\d+)$/m.exec(text)?.[1] ?? 0)
}

test('a login that its client gave up, and that is carried out late, does not end the connection that came after it', async () => {
  const redis = await RedisServer.start(scope)
  const wire = await TcpProxy.open(scope, redis)
  // A login waits behind a heartbeat that is held: there is none meanwhile.
  const patient = { ROLLCALL_HEARTBEAT_MS: '10000', ROLLCALL_HEARTBEAT_TTL_MS: '30000' }
  const a = await spawnNode(scope, { ...patient, REDIS_URL: `redis://127.0.0.1:${wire.port}` })
  const b = await spawnNode(scope, { ...patient, REDIS_URL: redis.url })
  const options = (attach: number) => ({ transports: ['websocket'] as const, reconnection: false, auth: { sessionId: 'session-of-ann', attach } })

  wire.hold(['up'], (first) => first.includes(':commands'))
  const first = PlainClient.open(scope, 'ann', a, options(1))
  await eventually('node A has asked Redis to let her in', async () => (await resumed(a.port)) > 0)
  first.socket.disconnect()
  const second = PlainClient.open(scope, 'ann', b, options(2))
  await second.untilReady()

  wire.heal()
  // Behind that login in the same line: when she is in, it has been carried out.
  const third = PlainClient.open(scope, 'ann', a, { transports: ['websocket'], reconnection: false })
  await third.untilReady()
  await second.must('subscribe', { channelName: 'lobby', channelType: 'MESSAGE' })
  expect(second.kicks).toEqual([])
  expect(second.socket.connected).toBe(true)
})
