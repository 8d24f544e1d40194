import { expect, test } from '@jest/globals'

import { connect, joinMarker, uniqueChannel, watch } from '../support/client.js'
import { spawnPair } from '../support/pair.js'
import { connectPlain } from '../support/plain.js'
import { vouchedFor } from '../support/redis-view.js'
import { useTestScope } from '../support/scope.js'
import { spawnNode } from '../support/spawned.js'
import { elapse, eventually } from '../support/wait.js'
import { expectNoEvents, expectWholeStays } from '../support/watcher.js'

const scope = useTestScope()

const PRESENCE_TIMEOUT_MS = 2_000
const USERS = Array.from({ length: 20 }, (_, index) => `user-${index}`)

test('both nodes are replaced, one after the other: no event in anybody\'s view, and every state is kept', async () => {
  const { redis, a, b, env } = await spawnPair(scope, { ROLLCALL_PRESENCE_TIMEOUT_MS: String(PRESENCE_TIMEOUT_MS) })
  const channel = uniqueChannel()
  const everywhere = [a, b]
  const marker = await joinMarker(scope, everywhere, channel)
  const clients = await Promise.all(USERS.map((user, index) => connect(scope, user, index % 2 === 0 ? [a, b] : [b, a])))
  for (const [index, client] of clients.entries()) {
    await client.subscribe(channel, { withPresence: false })
    await client.presence.setState(channel, 'MESSAGE', { n: String(index) })
  }
  const [ada, bob] = [await connect(scope, 'ada', [a, b]), await connect(scope, 'bob', [b, a])]
  const watchers = [await watch(ada, channel, { name: 'ada' }), await watch(bob, channel, { name: 'bob' })]
  await expectNoEvents(watchers, marker, { allow: ['REMOTE_JOIN'] })

  for (const node of [a, b]) {
    node.process.kill('SIGTERM')
    expect(await node.process.exited).toEqual({ code: 0, signal: null })
    // The one that takes its place has its address, as behind a balancer.
    await spawnNode(scope, env, node.port)
    await expectNoEvents(watchers, marker)
  }
  // Whoever was only left due, and not taken over, would have gone by now.
  await elapse(PRESENCE_TIMEOUT_MS)
  await expectNoEvents(watchers, marker)

  expectWholeStays(...watchers)
  expect(await vouchedFor(redis, channel)).toEqual([...USERS, 'ada', 'bob', marker.userId].sort())
  const { occupants } = await ada.presence.whoNow(channel, 'MESSAGE', { includedState: true })
  for (const [index, user] of USERS.entries()) expect(occupants.find(({ userId }) => userId === user)).toMatchObject({ states: { n: String(index) } })
})

test('a plain client is told to move, reconnects by itself with its session, and nobody sees it leave', async () => {
  const { a, b, env } = await spawnPair(scope, { ROLLCALL_PRESENCE_TIMEOUT_MS: '10000' })
  const channel = { channelName: uniqueChannel(), channelType: 'MESSAGE' }
  const marker = await joinMarker(scope, b, channel.channelName)
  const watcher = await watch(await connect(scope, 'watcher', b), channel.channelName)
  const plain = await connectPlain(scope, 'plain', a)
  await plain.must('subscribe', { ...channel, states: { Mode: 'Happy' } })
  const { sessionId, nodeId } = plain.ready
  plain.socket.auth = { appId: 'dev', userId: 'plain', sessionId }
  await expectNoEvents(watcher, marker, { allow: ['REMOTE_JOIN', 'REMOTE_STATE_CHANGED'] })

  a.process.kill('SIGTERM')
  await a.process.exited
  expect(plain.moves).toEqual([{ afterMs: expect.any(Number) }])
  await spawnNode(scope, env, a.port)

  await eventually('the plain client is back', () => plain.ready.nodeId !== nodeId)
  expect(plain.ready).toMatchObject({ sessionId, resumed: true })
  await plain.must('subscribe', channel)
  await expectNoEvents(watcher, marker)
  expect(await plain.must('getState', { ...channel, userId: 'plain' })).toMatchObject({ states: { Mode: 'Happy' } })
})
