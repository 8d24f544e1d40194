import { describe, expect, test } from '@jest/globals'

import { connect, joinMarker, LinkLog, listen, statesOf, uniqueChannel, watch } from '../support/client.js'
import { Link } from '../support/link.js'
import { useCluster } from '../support/node.js'
import { useTestScope } from '../support/scope.js'
import { checkStays } from '../support/stays.js'
import { eventually } from '../support/wait.js'
import { expectJoin, expectLeave, expectNoEvents, expectState, expectTimeout, expectWholeStays } from '../support/watcher.js'

const cluster = useCluster()
const scope = useTestScope()

/** Long enough to reconnect in, on a slow machine too. */
const GRACE_MS = 3_000
const STATES = { Mode: 'Happy', Mic: 'False' }

describe('000.10 state dies with the stay', () => {
  test.each([
    ['unsubscribe', 'MESSAGE'],
    ['the leave of a stream channel', 'STREAM'],
    ['unsubscribe from a stream channel', 'STREAM'],
  ] as const)('000.10 on %s, and a new stay does not restore it', async (how, channelType) => {
    const channel = uniqueChannel()
    const watching = await connect(scope, 'watcher', cluster.b)
    const watcher = await watch(watching, channel, { channelType })
    const tony = await connect(scope, 'tony', cluster.a)
    const stream = tony.createStreamChannel(channel)
    const enter = async () => {
      if (how.startsWith('the leave')) await stream.join()
      else await tony.subscribe(channel, { channelType })
    }
    await enter()
    await tony.presence.setState(channel, channelType, STATES)
    await expectJoin(watcher, 'tony')
    await expectState(watcher, 'tony', STATES)

    if (how.startsWith('the leave')) await stream.leave()
    else await tony.unsubscribe(channel, { channelType })
    await expectLeave(watcher, 'tony')
    await expect(watching.presence.getState('tony', channel, channelType)).rejects.toMatchObject({ errorCode: -13011 })

    await enter()
    await expectJoin(watcher, 'tony')
    expect(await statesOf(watching, 'tony', channel, channelType)).toEqual({})
    await tony.presence.setState(channel, channelType, { Score: '1' })
    await expectState(watcher, 'tony', { Score: '1' })
    expectWholeStays(watcher)
  })

  test('000.10 on logout, at once and in every channel, and a new login does not restore it', async () => {
    const [one, two] = [uniqueChannel(), uniqueChannel()]
    const watching = await connect(scope, 'watcher', cluster.b)
    const watchers = [await watch(watching, one, { name: 'watcher one' }), await watch(watching, two, { name: 'watcher two' })]
    const tony = await connect(scope, 'tony', cluster.a, { presenceTimeout: 60_000 })
    for (const channel of [one, two]) {
      await tony.subscribe(channel)
      await tony.presence.setState(channel, 'MESSAGE', STATES)
    }
    await tony.logout()
    for (const watcher of watchers) {
      await expectJoin(watcher, 'tony')
      await expectState(watcher, 'tony', STATES)
      await expectLeave(watcher, 'tony')
    }
    await tony.login()
    await tony.subscribe(one)
    expect(await statesOf(watching, 'tony', one)).toEqual({})
  })

  test('000.10 past the presence timeout; who returns then brings the state along as at a first join', async () => {
    const channel = uniqueChannel()
    const watching = await connect(scope, 'watcher', cluster.b)
    const watcher = await watch(watching, channel)
    const link = await Link.open(scope, cluster.a)
    const tony = await connect(scope, 'tony', link, { presenceTimeout: 1_000 })
    const links = new LinkLog('tony', tony)
    await tony.subscribe(channel)
    await tony.presence.setState(channel, 'MESSAGE', STATES)
    await expectJoin(watcher, 'tony')
    await expectState(watcher, 'tony', STATES)

    link.cut()
    await expectTimeout(watcher, 'tony')
    await expect(watching.presence.getState('tony', channel, 'MESSAGE')).rejects.toMatchObject({ errorCode: -13011 })

    link.restore()
    await links.until('CONNECTED')
    await expectJoin(watcher, 'tony')
    await expectState(watcher, 'tony', STATES)
    expect(await statesOf(watching, 'tony', channel)).toEqual(STATES)
    expectWholeStays(watcher)
  })
})

test('000.10 who returns when one channel has ended for it, and the session has not yet, brings the state along there', async () => {
  const channel = uniqueChannel()
  const watching = await connect(scope, 'watcher', cluster.b)
  const watcher = await watch(watching, channel)
  const link = await Link.open(scope, cluster.a)
  const user = `tony-${channel}`
  const tony = await connect(scope, user, link, { presenceTimeout: 1_000 })
  const links = new LinkLog(user, tony)
  await tony.subscribe(channel)
  await tony.presence.setState(channel, 'MESSAGE', STATES)
  await expectJoin(watcher, user)
  await expectState(watcher, user, STATES)

  link.cut()
  // Partitions are swept one by one. Here that of the session itself comes last, as it may at any time.
  await postpone(user, 60)
  await expectTimeout(watcher, user)
  link.restore()
  await links.until('CONNECTED')

  await expectJoin(watcher, user)
  await expectState(watcher, user, STATES)
  expect(await statesOf(watching, user, channel)).toEqual(STATES)
  await tony.logout()
  await expectLeave(watcher, user)
  expectWholeStays(watcher)
})

/** Moves the deadline of a user's session, and of nothing else, by so many seconds. */
async function postpone(user: string, seconds: number): Promise<void> {
  const { redis } = cluster
  await eventually(`the session of ${user} is due`, async () => {
    for (const key of await redis.keys('rollcall:{*}:due')) {
      for (const member of (await redis.command('ZRANGE', key, 0, -1)) as string[]) {
        if (member.startsWith(`dev:USER:${user}\0`)) return redis.command('ZINCRBY', key, seconds * 1_000_000, member)
      }
    }
    return undefined
  })
}

describe('000.11 a dropped connection', () => {
  /** Drops Tony's connection and somebody else's, who does not come back: that one's timeout is the clock of the test. */
  async function dropAndReturn(cut: (link: Link) => void) {
    const channel = uniqueChannel()
    const marker = await joinMarker(scope, cluster.a, channel)
    const watching = await connect(scope, 'watcher', cluster.b)
    const watcher = await watch(watching, channel)
    const nearby = await watch(await connect(scope, 'nearby', cluster.a), channel, { name: 'a watcher on the same node' })
    await expectJoin(watcher, 'nearby')
    const link = await Link.open(scope, cluster.a)
    const lost = await Link.open(scope, cluster.a)
    const tony = await connect(scope, 'tony', link, { presenceTimeout: GRACE_MS })
    const ghost = await connect(scope, 'ghost', lost, { presenceTimeout: GRACE_MS })
    const own = listen(tony, channel, 'tony')
    await tony.subscribe(channel)
    await ghost.subscribe(channel)
    await tony.presence.setState(channel, 'MESSAGE', STATES)
    for (const one of [watcher, nearby]) {
      await expectJoin(one, 'tony')
      await expectState(one, 'tony', STATES)
      await expectJoin(one, 'ghost')
    }
    const links = new LinkLog('tony', tony)

    cut(link)
    lost.cut()
    const back = await links.until('CONNECTED')

    expect(back.isResumed).toBe(true)
    expect(await statesOf(watching, 'tony', channel)).toEqual(STATES)
    await expectTimeout(watcher, 'ghost')
    await expectTimeout(nearby, 'ghost')
    await expectNoEvents([watcher, nearby], marker)
    expect(await statesOf(watching, 'tony', channel)).toEqual(STATES)
    expect([...tony.channel(channel).members.keys()].sort()).toEqual([marker.userId, 'nearby', 'tony', 'watcher'].sort())
    expectWholeStays(watcher, nearby, own)
    return { channel, tony, watcher }
  }

  test('000.11 that is back on the same node in time: no event, and the state is kept', async () => {
    const { channel, tony, watcher } = await dropAndReturn((link) => link.redirect())
    await tony.presence.setState(channel, 'MESSAGE', { Mode: 'Sad' })
    await expectState(watcher, 'tony', { ...STATES, Mode: 'Sad' })
    await tony.unsubscribe(channel)
    await expectLeave(watcher, 'tony')
  })

  test('000.11 that is back on another node in time: no event, and the state is kept', async () => {
    const { channel, tony, watcher } = await dropAndReturn((link) => link.redirect(cluster.b))
    await tony.presence.setState(channel, 'MESSAGE', { Mode: 'Sad' })
    await expectState(watcher, 'tony', { ...STATES, Mode: 'Sad' })
    await tony.logout()
    await expectLeave(watcher, 'tony')
  })

  test('000.11 past the timeout: one REMOTE_TIMEOUT and no REMOTE_LEAVE, and not before the timeout', async () => {
    const channel = uniqueChannel()
    const marker = await joinMarker(scope, cluster.a, channel)
    const watcher = await watch(await connect(scope, 'watcher', cluster.b), channel)
    const link = await Link.open(scope, cluster.a)
    const tony = await connect(scope, 'tony', link, { presenceTimeout: 1_500, transports: ['websocket'] })
    await tony.subscribe(channel)
    await expectJoin(watcher, 'tony')

    const cutAt = Date.now()
    link.cut()
    await expectTimeout(watcher, 'tony')

    expect(Date.now() - cutAt).toBeGreaterThanOrEqual(1_500)
    await expectNoEvents(watcher, marker)
    expectWholeStays(watcher)
  })

  test('000.11 a client that falls silent without closing times out as well', async () => {
    const channel = uniqueChannel()
    const watcher = await watch(await connect(scope, 'watcher', cluster.b), channel)
    const link = await Link.open(scope, cluster.a)
    const tony = await connect(scope, 'tony', link, { presenceTimeout: 1_000 })
    await tony.subscribe(channel)
    await expectJoin(watcher, 'tony')
    link.freeze()
    await expectTimeout(watcher, 'tony')
    expectWholeStays(watcher)
  })

  test('000.11 a watcher that was away sees afterwards what is true, once', async () => {
    const channel = uniqueChannel()
    const marker = await joinMarker(scope, cluster.a, channel)
    const link = await Link.open(scope, cluster.b)
    const away = await connect(scope, 'away', link, { presenceTimeout: GRACE_MS })
    const watcher = await watch(away, channel, { name: 'who was away' })
    const links = new LinkLog('away', away)
    const ada = await connect(scope, 'ada', cluster.a)
    const bob = await connect(scope, 'bob', cluster.a)
    await ada.subscribe(channel)
    await expectJoin(watcher, 'ada')

    link.cut()
    await links.until('DISCONNECTED')
    await ada.unsubscribe(channel)
    await bob.subscribe(channel)
    await bob.presence.setState(channel, 'MESSAGE', STATES)
    link.restore(cluster.a)
    await links.until('CONNECTED')

    const view = away.channel(channel)
    await eventually('the view is live and has bob in it', () => view.status === 'live' && view.members.has('bob'))
    expect([...view.members.keys()].sort()).toEqual(['away', 'bob', marker.userId].sort())
    expect({ ...view.members.get('bob')?.states }).toEqual(STATES)
    watcher.log.takeAll()
    await expectNoEvents(watcher, marker)
    expect([...checkStays(watcher.log)].sort()).toEqual([...view.members.keys()].sort())
  })
})
