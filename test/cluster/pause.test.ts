import { expect, test } from '@jest/globals'

import { connect, joinMarker, LinkLog, statesOf, uniqueChannel, watch } from '../support/client.js'
import { http } from '../support/http.js'
import { Link } from '../support/link.js'
import { spawnPair } from '../support/pair.js'
import { connectPlain } from '../support/plain.js'
import { dueInRedis, usersInRedis, vouchedFor } from '../support/redis-view.js'
import { useTestScope } from '../support/scope.js'
import { elapse, eventually } from '../support/wait.js'
import { countOf, expectJoin, expectLeave, expectNoEvents, expectState, expectTimeout, expectWholeStays } from '../support/watcher.js'

const scope = useTestScope()

const LEASE_MS = 2_000
/** Clients do not notice by themselves that their node sleeps: who moves, moves because the test leads it away. */
const PATIENT = {
  ROLLCALL_HEARTBEAT_MS: '250',
  ROLLCALL_HEARTBEAT_TTL_MS: String(LEASE_MS),
  ROLLCALL_PING_INTERVAL_MS: '20000',
  ROLLCALL_PING_TIMEOUT_MS: '20000',
}

/** A pair, a watcher on the node that stays awake, and three clients of the one that will sleep. */
async function settle(presenceTimeout: number) {
  const pair = await spawnPair(scope, PATIENT)
  const channel = uniqueChannel()
  const marker = await joinMarker(scope, pair.b, channel)
  const watcher = await watch(await connect(scope, 'watcher', pair.b), channel)
  const links = { mover: await Link.open(scope, pair.a), leaver: await Link.open(scope, pair.a), stayer: await Link.open(scope, pair.a) }
  const options = { presenceTimeout }
  const mover = await connect(scope, 'mover', links.mover, options)
  const leaver = await connect(scope, 'leaver', links.leaver, options)
  const stayer = await connect(scope, 'stayer', links.stayer, options)
  for (const [user, client] of Object.entries({ mover, leaver, stayer })) {
    await client.subscribe(channel)
    await client.presence.setState(channel, 'MESSAGE', { who: user })
    await expectJoin(watcher, user)
    await expectState(watcher, user, { who: user })
  }
  const states = { mover: new LinkLog('mover', mover), leaver: new LinkLog('leaver', leaver), stayer: new LinkLog('stayer', stayer) }

  /** Puts node a to sleep; meanwhile one client moves to b, and another moves to b and logs out there. */
  const sleep = async () => {
    pair.a.process.kill('SIGSTOP')
    links.mover.redirect(pair.b)
    links.leaver.redirect(pair.b)
    await states.mover.until('CONNECTED')
    await states.leaver.until('CONNECTED')
    await leaver.logout()
    await expectLeave(watcher, 'leaver')
  }
  /** Lets it wake up. */
  const wake = async () => {
    pair.a.process.kill('SIGCONT')
    await eventually('node a is ready again', async () => (await http(pair.a.port, '/readyz')).status === 200)
  }
  return { ...pair, channel, marker, watcher, mover, stayer, states, sleep, wake }
}

test('a node sleeps past its lease and wakes in time: its clients never left, and what happened meanwhile stands', async () => {
  const { redis, channel, marker, watcher, mover, stayer, sleep, wake } = await settle(6_000)

  await sleep()
  await elapse(2 * LEASE_MS)
  // Its lease has ended: the one who is still with it is due by now.
  await eventually('the sleeper\'s lease has ended', async () => !(await vouchedFor(redis, channel)).includes('stayer'))
  await wake()
  await eventually('the node vouches for its client again', async () => (await vouchedFor(redis, channel)).includes('stayer'))

  await expectNoEvents(watcher, marker)
  expect(await usersInRedis(redis, channel)).toEqual([marker.userId, 'mover', 'stayer', 'watcher'].sort())
  expect(await statesOf(mover, 'stayer', channel)).toEqual({ who: 'stayer' })
  expect(await statesOf(stayer, 'mover', channel)).toEqual({ who: 'mover' })
  // Past the time at which somebody who was wrongly left due would have gone.
  await eventually('nothing is due any more', async () => (await dueInRedis(redis)) === 0)
  await stayer.presence.setState(channel, 'MESSAGE', { who: 'still here' })
  await expectState(watcher, 'stayer', { who: 'still here' })
  await mover.presence.setState(channel, 'MESSAGE', { who: 'over there' })
  await expectState(watcher, 'mover', { who: 'over there' })
  await expectNoEvents(watcher, marker)
  expectWholeStays(watcher)
})

test('a node sleeps past its clients\' grace: who was still with it has timed out once, and begins again when it wakes', async () => {
  const { redis, channel, marker, watcher, mover, states, sleep, wake } = await settle(1_500)

  await sleep()
  await expectTimeout(watcher, 'stayer')
  await expectNoEvents(watcher, marker)
  await wake()
  // The node finds that the session has ended elsewhere and drops it; the client starts again, as after any timeout.
  await states.stayer.until('CONNECTED')
  await expectJoin(watcher, 'stayer')
  await expectState(watcher, 'stayer', { who: 'stayer' })

  await expectNoEvents(watcher, marker)
  expect(await statesOf(mover, 'stayer', channel)).toEqual({ who: 'stayer' })
  expect(await vouchedFor(redis, channel)).toEqual([marker.userId, 'mover', 'stayer', 'watcher'].sort())
  for (const user of ['mover', 'leaver']) expect(countOf(watcher, 'REMOTE_TIMEOUT', user)).toBe(0)
  expect(countOf(watcher, 'REMOTE_JOIN', 'leaver')).toBe(1)
  expectWholeStays(watcher)
})

test('Redis stands still for two leases: nobody leaves, the nodes say that they are out of service, and all goes on', async () => {
  const { redis, a, b } = await spawnPair(scope, { ...PATIENT, ROLLCALL_PRESENCE_TIMEOUT_MS: '1000' })
  const channel = uniqueChannel()
  const marker = await joinMarker(scope, b, channel)
  const [ada, bob] = [await connect(scope, 'ada', a), await connect(scope, 'bob', b)]
  const watchers = [await watch(ada, channel, { name: 'ada' }), await watch(bob, channel, { name: 'bob' })]
  const users = Array.from({ length: 10 }, (_, index) => `user-${index}`)
  for (const [index, user] of users.entries()) {
    const client = await connectPlain(scope, user, index % 2 === 0 ? a : b)
    await client.must('subscribe', { channelName: channel, channelType: 'MESSAGE', states: { n: String(index) } })
  }
  for (const watcher of watchers) await expectNoEvents(watcher, marker, { allow: ['REMOTE_JOIN', 'REMOTE_STATE_CHANGED'] })

  redis.signal('SIGSTOP')
  await elapse(2 * LEASE_MS)
  for (const node of [a, b]) {
    await eventually('the node is unready', async () => (await http(node.port, '/readyz')).status === 503)
    expect((await http(node.port, '/livez')).status).toBe(200)
  }
  redis.signal('SIGCONT')
  for (const node of [a, b]) await eventually('the node is ready again', async () => (await http(node.port, '/readyz')).status === 200)

  // Somebody comes and is lost now: that timeout comes after any that the pause could have caused.
  const late = await connectPlain(scope, 'late', a, { reconnection: false, transports: ['websocket'] })
  await late.must('subscribe', { channelName: channel, channelType: 'MESSAGE' })
  for (const watcher of watchers) await expectJoin(watcher, 'late')
  late.socket.io.engine.close()
  for (const watcher of watchers) await expectTimeout(watcher, 'late')
  await expectNoEvents(watchers, marker, { allow: ['SNAPSHOT', 'ERROR_OUT_OF_SERVICE'] })
  for (const watcher of watchers) {
    expect(countOf(watcher, 'REMOTE_LEAVE')).toBe(0)
    expect(countOf(watcher, 'REMOTE_TIMEOUT')).toBe(1)
    expect(countOf(watcher, 'ERROR_OUT_OF_SERVICE')).toBe(1)
  }
  expectWholeStays(...watchers)
  expect(await vouchedFor(redis, channel)).toEqual([...users, 'ada', 'bob', marker.userId].sort())
  for (const [index, user] of users.entries()) expect(await statesOf(ada, user, channel)).toEqual({ n: String(index) })
})
