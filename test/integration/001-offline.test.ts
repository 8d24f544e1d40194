import { describe, expect, test } from '@jest/globals'

import { uniqueChannel } from '../support/client.js'
import { Link } from '../support/link.js'
import { startNode, useCluster, type TestCluster } from '../support/node.js'
import { statusOf } from '../support/on-off.js'
import { useTestScope } from '../support/scope.js'
import { befriend, TimUser } from '../support/tim.js'
import { timersIn } from '../support/timers.js'
import { SECRET, tokenFor } from '../support/tokens.js'
import { eventually } from '../support/wait.js'

const cluster = useCluster()
const blocking = useCluster({ offlineBlock: true })
const scope = useTestScope()
const account = (name: string): string => uniqueChannel(name)

describe('when an account\'s last session is gone', () => {
  test('001.7 by a logout, each online friend is told once', async () => {
    const a = await TimUser.login(scope, account('a'), cluster.a)
    const friends = [await TimUser.login(scope, account('near'), cluster.a), await TimUser.login(scope, account('far'), cluster.b)]
    const stranger = await TimUser.login(scope, account('stranger'), cluster.b)
    for (const friend of friends) await befriend(a, friend)
    await a.tc.logout()
    for (const friend of friends) expect(await friend.expectFrom(a.account, 1)).toEqual([{ id: expect.any(String), offline: true, fromTid: { node: a.account } }])
    for (const each of [...friends, stranger]) await each.settled(each === friends[0] ? stranger : friends[0]!)
    expect(friends.map((friend) => friend.from(a.account).length)).toEqual([1, 1])
    expect(stranger.from(a.account)).toEqual([])
  })

  test('001.7 by the end of its token, friends are told once, and the account that it needs another one', async () => {
    const node = await startNode(scope, { redisUrl: cluster.redis.url, appId: 'locked', secret: SECRET })
    const login = (name: string, ttlS: number): Promise<TimUser> => TimUser.login(scope, name, node, { appId: 'locked', token: tokenFor(name, { app: 'locked', ttlS }) })
    const b = await login(account('b'), 600)
    const a = await login(account('a'), 3)
    await befriend(a, b)
    expect(await a.expectAcks(1)).toMatchObject([{ ok: false, timType: 20, error: { code: 4115 } }])
    await b.expectFrom(a.account, 1)
    expect(await a.tc.BroadPresence(1, 1, 'still here')).toMatchObject({ ok: false, error: { code: 4105 } })
    await b.tc.PresenceToUser(b.account, 1, 'mark')
    await b.expectFrom(b.account, 1)
    expect(b.from(a.account)).toHaveLength(1)
  })

  test('001.7 by a timeout, friends are told once, and so is the account itself if it is back by then', async () => {
    const wire = await Link.open(scope, cluster.a)
    const a = await TimUser.login(scope, account('a'), wire)
    const b = await TimUser.login(scope, account('b'), cluster.b)
    await befriend(a, b)
    wire.cut()
    expect(await b.expectFrom(a.account, 1)).toEqual([{ id: expect.any(String), offline: true, fromTid: { node: a.account } }])
    wire.restore(cluster.b)
    await a.tc.PresenceToUser(b.account, 1, 'back')
    await b.expectFrom(a.account, 2)
  })

  test('001.8 closing one of two sessions tells friends nothing, closing the last tells them once', async () => {
    const name = account('a')
    const desk = await TimUser.login(scope, name, cluster.a)
    const phone = await TimUser.login(scope, name, cluster.b)
    const b = await TimUser.login(scope, account('b'), cluster.b)
    await befriend(desk, b)
    await desk.tc.logout()
    await phone.tc.BroadPresence(0, 1, 'still here')
    expect(await b.expectFrom(name, 1)).toMatchObject([{ status: 'still here' }])
    await phone.tc.logout()
    const [, told] = await b.expectFrom(name, 2)
    expect(told).toMatchObject({ offline: true })
    const marker = await TimUser.login(scope, account('marker'), cluster.a)
    await b.settled(marker)
    expect(b.from(name)).toHaveLength(2)
  })

  test('001.9 with presence.offline.block nobody is told, and what is said explicitly still flows', async () => {
    const options = { redisUrl: cluster.redis.url, appId: 'quiet', 'presence.offline.block': true }
    const [one, two] = [await startNode(scope, options), await startNode(scope, options)]
    const a = await TimUser.login(scope, account('a'), one, { appId: 'quiet' })
    const b = await TimUser.login(scope, account('b'), two, { appId: 'quiet' })
    await befriend(a, b)
    await a.tc.BroadPresence(1, 1, 'hello')
    await b.expectFrom(a.account, 1)
    await a.tc.logout()
    const again = await TimUser.login(scope, a.account, one, { appId: 'quiet' })
    await again.tc.BroadPresence(1, 1, 'again')
    const told = await b.expectFrom(a.account, 2)
    expect(told.some(({ offline }) => offline === true)).toBe(false)
  })

  /** Who times out in an app, and a friend of theirs. They are in many partitions, and in each that node ends them which comes first: of this app, or of another one. */
  async function timedOut(there: TestCluster, appId: string, offlineBlock: boolean): Promise<{ readonly friend: TimUser; readonly gone: readonly string[] }> {
    const node = await startNode(scope, { redisUrl: there.redis.url, appId, offlineBlock })
    const wire = await Link.open(scope, node)
    const friend = await TimUser.login(scope, account('friend'), node, { appId })
    const accounts = await Promise.all(Array.from({ length: 20 }, () => TimUser.login(scope, account('a'), wire, { appId })))
    for (const each of accounts) await befriend(each, friend)
    wire.cut()
    await Promise.all(accounts.map((each) => eventually(`${each.account} is gone`, async () => (await statusOf(node, each.account)).status === 'OFFLINE')))
    await eventually('and nothing is to be told of it', async () => (await timersIn(there.redis)).length === 0)
    await friend.settled(await TimUser.login(scope, account('marker'), node, { appId }))
    return { friend, gone: accounts.map((each) => each.account) }
  }

  test('001.9 presence.offline.block holds for who times out, also where another app\'s node on the same Redis finds out', async () => {
    const { friend, gone } = await timedOut(cluster, 'blocked', true)
    expect(gone.filter((one) => friend.from(one).length > 0)).toEqual([])
  })

  test('001.9 presence.offline.block of one app keeps nothing from another app on the same Redis', async () => {
    const { friend, gone } = await timedOut(blocking, 'open', false)
    expect(gone.map((one) => friend.from(one).length)).toEqual(gone.map(() => 1))
  })
})

test('001.14 over the device limit a login is refused, and says so', async () => {
  const options = { redisUrl: cluster.redis.url, appId: 'limited', login: 'reject' as const, maxSessions: 2 }
  const [one, two] = [await startNode(scope, options), await startNode(scope, options)]
  const name = account('a')
  await TimUser.login(scope, name, one, { appId: 'limited' })
  await TimUser.login(scope, name, two, { appId: 'limited' })
  const third = TimUser.create(scope, name, two, { appId: 'limited' })
  const refusal = { timType: 16, error: { code: 4111, info: 'over entry' } }
  await expect(third.tc.login()).rejects.toMatchObject(refusal)
  expect(await third.expectAcks(1)).toMatchObject([{ ok: false, ...refusal }])
})
