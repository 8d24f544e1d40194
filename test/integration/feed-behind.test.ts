import { expect, test } from '@jest/globals'

import { connect, uniqueChannel, watch } from '../support/client.js'
import { startNode } from '../support/node.js'
import { RedisServer } from '../support/redis.js'
import { useTestScope } from '../support/scope.js'
import { TcpProxy } from '../support/tcp-proxy.js'
import { eventually } from '../support/wait.js'
import { countOf, expectJoin, expectLeave, expectState } from '../support/watcher.js'

const scope = useTestScope()
/** Nobody ends because a node was away. */
const PATIENT = { heartbeatMs: 500, heartbeatTtlMs: 20_000, presenceTimeoutMs: 20_000 }

test('a node that was away while others put a lost channel back does not put back who has left', async () => {
  const redis = await RedisServer.start(scope)
  const wire = await TcpProxy.open(scope, redis)
  const a = await startNode(scope, { ...PATIENT, redisUrl: redis.url })
  const b = await startNode(scope, { ...PATIENT, redisUrl: `redis://127.0.0.1:${wire.port}` })
  const channel = uniqueChannel()
  const [ann, carl, dave] = [await connect(scope, 'ann', a), await connect(scope, 'carl', a), await connect(scope, 'dave', b)]
  const seen = await watch(ann, channel)
  await watch(carl, channel, { name: 'carl' })
  await watch(dave, channel, { name: 'dave' })
  await expectJoin(seen, 'carl')
  await expectJoin(seen, 'dave')

  wire.cut()
  await carl.unsubscribe(channel)
  await expectLeave(seen, 'carl')
  const [members = '-'] = await redis.keys(`rollcall:{*}:members:*${channel}`)
  expect(await redis.command('DEL', members)).toBe(1)
  await ann.presence.setState(channel, 'MESSAGE', { n: '1' })
  const there = (): Promise<string[]> => ann.presence.whoNow(channel, 'MESSAGE').then(({ occupants }) => occupants.map(({ userId }) => userId).sort())
  await eventually('node A has put the channel back', async () => (await redis.command('HLEN', members)) === 3)

  wire.heal()
  await eventually('dave is served again', () => dave.presence.setState(channel, 'MESSAGE', { n: '2' }).then(() => true))
  await expectState(seen, 'dave', { n: '2' })
  await eventually('dave sees the channel again', () => dave.channel(channel).status === 'live' && dave.channel(channel).members.get('ann')?.states.n === '1')
  expect(await there()).toEqual(['ann', 'dave'])
  expect([...dave.channel(channel).members.keys()].sort()).toEqual(['ann', 'dave'])
  expect(countOf(seen, 'REMOTE_JOIN', 'carl')).toBe(1)
})
