import { describe, expect, test } from '@jest/globals'

import type { RollcallClient } from '../../src/client/index.js'
import { connect, uniqueChannel } from '../support/client.js'
import { startNode, useCluster } from '../support/node.js'
import { befriend, NoticeLog } from '../support/notice-log.js'
import { connectPlain, type PlainClient } from '../support/plain.js'
import { useTestScope } from '../support/scope.js'
import { TcpProxy } from '../support/tcp-proxy.js'
import { eventually } from '../support/wait.js'

const cluster = useCluster({ limits: { callsPerSecond: 1_000 } })
const scope = useTestScope()
const unique = (name: string): string => uniqueChannel(name)

const ROUNDS = 40

/** Whether one has the other as a friend, has asked, was asked, or nothing of it. */
async function standing(client: RollcallClient, other: string): Promise<'friend' | 'asked' | 'was asked' | 'nothing'> {
  const { friends, asked, requests } = await client.roster.list()
  if (friends.includes(other)) return 'friend'
  if (asked.includes(other)) return 'asked'
  return requests.some(({ userId }) => userId === other) ? 'was asked' : 'nothing'
}

const CONSISTENT = ['friend/friend', 'asked/was asked', 'was asked/asked', 'nothing/nothing']

async function expectConsistent(ann: RollcallClient, bob: RollcallClient): Promise<string> {
  const both = `${await standing(ann, bob.userId)}/${await standing(bob, ann.userId)}`
  expect(CONSISTENT).toContain(both)
  return both
}

describe('at once, on two nodes', () => {
  test('both add the other: they are friends, at least one is answered so, and each is told so once', async () => {
    const marker = await connect(scope, unique('marker'), cluster.a)
    const [ann, bob] = [await connect(scope, unique('ann'), cluster.a), await connect(scope, unique('bob'), cluster.b)]
    const hears = [new NoticeLog(ann), new NoticeLog(bob)] as const
    let crossed = 0
    for (let round = 1; round <= ROUNDS; round += 1) {
      const added = await Promise.all([ann.roster.add(bob.userId), bob.roster.add(ann.userId)])
      expect(added.filter(({ isFriend }) => isFriend).length).toBeGreaterThan(0)
      if (added.every(({ isFriend }) => isFriend)) crossed += 1
      expect(await expectConsistent(ann, bob)).toBe('friend/friend')
      for (const each of hears) await each.settled(marker)
      for (const [log, other] of [[hears[0], bob], [hears[1], ann]] as const) expect(log.path(other.userId).filter((type) => type === 'FRIENDS')).toHaveLength(round)
      await (round % 2 === 0 ? ann : bob).roster.remove(round % 2 === 0 ? bob.userId : ann.userId)
      expect(await expectConsistent(ann, bob)).toBe('nothing/nothing')
    }
    // Else the race has not been run.
    expect(crossed).toBeGreaterThan(0)
  })

  test('one adds while the other removes: whatever comes of it, it is the same for both', async () => {
    const [ann, bob] = [await connect(scope, unique('ann'), cluster.a), await connect(scope, unique('bob'), cluster.b)]
    const seen = new Set<string>()
    for (let round = 0; round < ROUNDS; round += 1) {
      if (round % 2 === 0) await befriend(ann, bob)
      else await bob.roster.add(ann.userId)
      await Promise.all([ann.roster.add(bob.userId), bob.roster.remove(ann.userId)])
      seen.add(await expectConsistent(ann, bob))
      await ann.roster.remove(bob.userId)
      expect(await expectConsistent(ann, bob)).toBe('nothing/nothing')
    }
    expect(seen).not.toContain('friend/friend')
  })

  test('two sessions of one user add, remove and block at will: both users end with the last word of each', async () => {
    const [ann, bob] = [await connect(scope, unique('ann'), cluster.a), await connect(scope, unique('bob'), cluster.b)]
    const tab = await connect(scope, ann.userId, cluster.b)
    for (let round = 0; round < ROUNDS; round += 1) {
      await Promise.all([ann.roster.add(bob.userId), tab.roster.block(bob.userId), bob.roster.add(ann.userId).catch(() => undefined), tab.roster.remove(bob.userId), ann.roster.add(bob.userId)])
      const { blocked } = await ann.roster.list()
      if (blocked.length === 0) await expectConsistent(ann, bob)
      else await expect(bob.roster.add(ann.userId)).rejects.toMatchObject({ code: 'USER_BLOCKED' })
      await ann.roster.remove(bob.userId)
      await bob.roster.remove(ann.userId)
      expect(await expectConsistent(ann, bob)).toBe('nothing/nothing')
    }
  })
})

test('I6: what a node was asked over a connection that the session has left, and carries out late, changes nothing', async () => {
  const between = await TcpProxy.open(scope, { port: cluster.redis.port })
  const stalled = await startNode(scope, { redisUrl: `redis://127.0.0.1:${between.port}`, heartbeatTtlMs: 60_000, pingTimeoutMs: 20_000 })
  const bob = await connect(scope, unique('bob'), cluster.b)
  const name = unique('ann')
  const first = await connectPlain(scope, name, stalled, { transports: ['websocket'], reconnection: false })
  const { sessionId, attach } = first.ready
  const hears = new NoticeLog(bob)
  await first.must('addFriend', { userId: bob.userId })
  await bob.roster.add(name)
  for (const type of ['REQUEST', 'FRIENDS'] as const) await hears.notice(type, name)

  // The request is on its way to Redis, and stays there.
  between.hold(['up'])
  first.send('blockUser', { userId: bob.userId }).catch(() => undefined)
  const then = await connectPlain(scope, name, cluster.a, { auth: { sessionId, attach: attach + 1 } })
  await then.must('removeFriend', { userId: bob.userId })
  await hears.notice('REMOVED', name)
  between.heal()
  await eventually('the node has heard that the session is elsewhere', () => first.socket.disconnected || first.kicks.length > 0)
  await stalled.close()
  expect(await then.must('getRoster', {})).toMatchObject({ friends: [], asked: [], requests: [], blocked: [] })
  expect(await bob.roster.list()).toMatchObject({ friends: [], asked: [], requests: [], blocked: [] })
  expect(hears.path(name)).toEqual(['REQUEST', 'FRIENDS', 'REMOVED'])
})

describe('what a node left half done', () => {
  const users = async (): Promise<readonly [PlainClient, RollcallClient]> => [await connectPlain(scope, unique('ann'), cluster.a), await connect(scope, unique('bob'), cluster.b)]
  const keyOf = async (kind: string, user: string): Promise<string> => (await cluster.redis.keys(`rollcall:{*}:${kind}:dev:${user}`))[0] ?? ''

  test('an edge of which the other was not told is told when its owner next looks', async () => {
    const [ann, bob] = await users()
    await ann.must('addFriend', { userId: bob.userId, message: 'hello' })
    await cluster.redis.command('DEL', await keyOf('asked', bob.userId))
    const hears = new NoticeLog(bob)
    expect((await bob.roster.list()).requests).toEqual([])
    expect(await ann.must('getRoster', {})).toMatchObject({ asked: [bob.userId] })
    await hears.notice('REQUEST', ann.user)
    expect((await bob.roster.list()).requests).toEqual([{ userId: ann.user, message: '' }])
  })

  test('a friendship of which nobody was told is told to both, once', async () => {
    const [ann, bob] = await users()
    const hears = [new NoticeLog(ann), new NoticeLog(bob)] as const
    await ann.must('addFriend', { userId: bob.userId })
    await bob.roster.add(ann.user)
    for (const [log, other] of [[hears[0], bob.userId], [hears[1], ann.user]] as const) await eventually('they are friends', () => log.path(other).includes('FRIENDS'))
    for (const user of [ann.user, bob.userId]) await cluster.redis.command('DEL', await keyOf('asked', user))
    for (let again = 0; again < 2; again += 1) expect((await bob.roster.list()).friends).toEqual([ann.user])
    expect(await ann.must('getRoster', {})).toMatchObject({ friends: [bob.userId] })
    await hears[1].settled(await connect(scope, unique('marker'), cluster.a))
    expect([hears[0].path(bob.userId), hears[1].path(ann.user)]).toEqual([['FRIENDS', 'FRIENDS'], ['REQUEST', 'FRIENDS', 'FRIENDS']])
  })

  test('a request of an edge that is not there is none, and is forgotten', async () => {
    const [ann, bob] = await users()
    await ann.must('addFriend', { userId: bob.userId })
    await cluster.redis.command('DEL', await keyOf('roster', ann.user))
    expect((await bob.roster.list()).requests).toEqual([])
    expect(await keyOf('asked', bob.userId)).toBe('')
  })
})
