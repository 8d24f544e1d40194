import { expect, test } from '@jest/globals'

import type { RollcallClient } from '../../src/client/index.js'
import { connect, joinMarker, LinkLog, statesOf, uniqueChannel, watch } from '../support/client.js'
import { spawnPair } from '../support/pair.js'
import { connectPlain } from '../support/plain.js'
import { usersInRedis, vouchedFor } from '../support/redis-view.js'
import { useTestScope } from '../support/scope.js'
import { eventually, MACHINE_MS } from '../support/wait.js'
import { countOf, expectJoin, expectNoEvents, expectState, expectTimeout, expectWholeStays } from '../support/watcher.js'

const scope = useTestScope()

const HEARTBEAT_MS = 250
const LEASE_MS = 1_000
const TIMINGS = { ROLLCALL_HEARTBEAT_MS: String(HEARTBEAT_MS), ROLLCALL_HEARTBEAT_TTL_MS: String(LEASE_MS) }

test('kill -9 of a node whose clients come back elsewhere: no event, and the states are kept', async () => {
  const { redis, a, b } = await spawnPair(scope, TIMINGS)
  const channel = uniqueChannel()
  const marker = await joinMarker(scope, b, channel)
  const onB = await watch(await connect(scope, 'watcher-b', b), channel, { name: 'the watcher on the other node' })
  const users = Array.from({ length: 10 }, (_, index) => `user-${index}`)
  const clients = await Promise.all(users.map((user) => connect(scope, user, [a, b], { presenceTimeout: 3_000 })))
  const links = clients.map((client, index) => new LinkLog(users[index] ?? '', client))
  const [first] = clients as [RollcallClient, ...RollcallClient[]]
  const onA = await watch(first, channel, { name: 'the watcher who was on the killed node' })
  for (const [index, client] of clients.entries()) {
    if (index > 0) await client.subscribe(channel)
    await client.presence.setState(channel, 'MESSAGE', { n: String(index) })
  }
  for (const [index, user] of users.entries()) {
    for (const watcher of index === 0 ? [onB] : [onA, onB]) {
      await expectJoin(watcher, user)
      await expectState(watcher, user, { n: String(index) })
    }
  }
  // Somebody who does not come back: that timeout says that those of the others would have come by now.
  const ghost = await connectPlain(scope, 'ghost', a, { auth: { presenceTimeout: 3_000 }, reconnection: false })
  await ghost.must('subscribe', { channelName: channel, channelType: 'MESSAGE' })
  for (const watcher of [onA, onB]) await expectJoin(watcher, 'ghost')

  a.process.kill('SIGKILL')

  for (const link of links) {
    await link.until('DISCONNECTED')
    expect((await link.until('CONNECTED')).isResumed).toBe(true)
  }
  for (const watcher of [onA, onB]) await expectTimeout(watcher, 'ghost')
  await expectNoEvents([onA, onB], marker)
  for (const [index, user] of users.entries()) expect(await statesOf(first, user, channel)).toEqual({ n: String(index) })
  expect(await vouchedFor(redis, channel)).toEqual([...users, 'watcher-b', marker.userId].sort())
  expectWholeStays(onA, onB)
})

test('kill -9 of a node whose clients do not come back: one timeout each, not before their time and not long after it', async () => {
  const presenceTimeoutMs = 1_500
  const { redis, a, b } = await spawnPair(scope, { ...TIMINGS, ROLLCALL_PRESENCE_TIMEOUT_MS: String(presenceTimeoutMs) })
  const channel = uniqueChannel()
  const marker = await joinMarker(scope, b, channel)
  const watcher = await watch(await connect(scope, 'watcher', b), channel)
  const ghosts = Array.from({ length: 20 }, (_, index) => `ghost-${index}`)
  for (const user of ghosts) {
    const ghost = await connectPlain(scope, user, a, { reconnection: false, transports: ['websocket'] })
    await ghost.must('subscribe', { channelName: channel, channelType: 'MESSAGE' })
  }
  for (const user of ghosts) await expectJoin(watcher, user)
  await expectNoEvents(watcher, marker)

  const killedAt = Date.now()
  a.process.kill('SIGKILL')

  for (const user of ghosts) await expectTimeout(watcher, user)
  await expectNoEvents(watcher, marker)
  const times = watcher.log.entries.filter(({ event }) => event.eventType === 'REMOTE_TIMEOUT').map(({ at }) => at - killedAt)
  expect(times).toHaveLength(ghosts.length)
  expect(Math.min(...times)).toBeGreaterThanOrEqual(presenceTimeoutMs)
  expect(Math.max(...times)).toBeLessThanOrEqual(LEASE_MS + HEARTBEAT_MS + presenceTimeoutMs + 2 * HEARTBEAT_MS + MACHINE_MS)
  for (const user of ghosts) expect(countOf(watcher, 'REMOTE_TIMEOUT', user)).toBe(1)
  expectWholeStays(watcher)

  expect(await usersInRedis(redis, channel)).toEqual(['watcher', marker.userId].sort())
  await eventually('the dead node is forgotten', async () => {
    const leases = await Promise.all((await redis.keys('rollcall:{*}:leases')).map((key) => redis.command('ZCARD', key)))
    return leases.every((count) => count === 1)
  })
})
