import { describe, expect, test } from '@jest/globals'

import type { RollcallClient, StatusFields } from '../../src/client/index.js'
import { userChannel } from '../../src/presence/types.js'
import { partitionOf } from '../../src/store/redis/keys.js'
import { connect, uniqueChannel } from '../support/client.js'
import { useCluster, type NodeAddress } from '../support/node.js'
import { befriend, NoticeLog } from '../support/notice-log.js'
import { connectPlain } from '../support/plain.js'
import { useTestScope } from '../support/scope.js'
import { timersIn } from '../support/timers.js'
import { eventually } from '../support/wait.js'

const PARTITIONS = 16
const cluster = useCluster({ limits: { callsPerSecond: 1_000 }, partitions: PARTITIONS })
const scope = useTestScope()
const unique = (name: string): string => uniqueChannel(name)

async function user(name: string, where: NodeAddress): Promise<readonly [RollcallClient, NoticeLog]> {
  const client = await connect(scope, unique(name), where)
  return [client, new NoticeLog(client)]
}

const FULL: StatusFields = {
  subStatus: -128,
  show: 32_767,
  status: 'l\0ater\n😀',
  extend: JSON.parse('{"__proto__":"p","toString":"","":"empty"}') as Record<string, string>,
  extra: { bytes: Buffer.from([0, 255, 1]).toString('base64'), none: '' },
}

describe('a broadcast', () => {
  test('reaches every session of every friend, on any node, as it was said; and nobody else', async () => {
    const [ann, annHears] = await user('ann', cluster.a)
    const annsTab = new NoticeLog(await connect(scope, ann.userId, cluster.b))
    const [near, nearHears] = await user('near', cluster.a)
    const [far, farHears] = await user('far', cluster.b)
    const phone = new NoticeLog(await connectPlain(scope, far.userId, cluster.a))
    const [[asked, askedHears], [asks, asksHears], [, strangerHears]] = [await user('asked', cluster.b), await user('asks', cluster.a), await user('stranger', cluster.b)]
    for (const friend of [near, far]) await befriend(ann, friend)
    await ann.roster.add(asked.userId)
    await asks.roster.add(ann.userId)

    expect(await ann.status.broadcast(FULL)).toEqual({ timestamp: expect.any(Number) })
    const heard = await Promise.all([nearHears, farHears, phone].map((log) => log.next(ann.userId)))
    for (const notice of heard) expect(notice).toEqual({ from: ann.userId, id: expect.stringMatching(/./), ...FULL, timestamp: expect.any(Number) })
    expect(Object.keys(heard[0]?.extend ?? {})).toEqual(Object.keys(FULL.extend ?? {}))
    expect(new Set(heard.map(({ id }) => id)).size).toBe(1)
    for (const log of [annHears, annsTab, askedHears, asksHears, strangerHears]) {
      await log.settled(near)
      expect(log.from(ann.userId)).toEqual([])
    }
  })

  test('what is empty is not said, and of nothing at all there is the sender', async () => {
    const [[ann], [bob, bobHears]] = [await user('ann', cluster.a), await user('bob', cluster.b)]
    await befriend(ann, bob)
    await ann.status.broadcast({ subStatus: 0, show: 0, status: '', extend: {}, extra: {} })
    expect(await bobHears.next(ann.userId)).toEqual({ from: ann.userId, id: expect.any(String), subStatus: 0, show: 0, timestamp: expect.any(Number) })
    await ann.status.broadcast({})
    expect(await bobHears.next(ann.userId)).toEqual({ from: ann.userId, id: expect.any(String), timestamp: expect.any(Number) })
  })

  test('goes by what friends are at that moment: a block, and the end of one, between two of them', async () => {
    const [[ann], [bob, bobHears], [marker]] = [await user('ann', cluster.a), await user('bob', cluster.b), await user('marker', cluster.a)]
    await befriend(ann, bob)
    const say = (status: string) => ann.status.broadcast({ status })
    await say('1')
    await bob.roster.block(ann.userId)
    await say('2')
    await bob.roster.add(ann.userId)
    await say('3')
    await ann.roster.block(bob.userId)
    await say('4')
    await ann.roster.add(bob.userId)
    await say('5')
    await ann.roster.remove(bob.userId)
    await say('6')
    await bobHears.settled(marker)
    expect(bobHears.from(ann.userId).map(({ status }) => status)).toEqual(['1', '3', '5'])
  })

  test('comes after those before it, also to the same user by another way', async () => {
    const [[ann], [bob, bobHears]] = [await user('ann', cluster.a), await user('bob', cluster.b)]
    await befriend(ann, bob)
    const said = Array.from({ length: 200 }, (_, i) => String(i))
    await Promise.all(said.map((status, i) => (i % 3 === 0 ? ann.status.send(bob.userId, { status }) : ann.status.broadcast({ status }))))
    for (const status of said) expect(await bobHears.next(ann.userId)).toMatchObject({ status })
  })

  test('is kept for nobody: who comes later, or is gone for a moment, is not told', async () => {
    const [[ann, annHears], [bob, bobHears]] = [await user('ann', cluster.a), await user('bob', cluster.b)]
    await befriend(ann, bob)
    await bob.logout()
    await annHears.next(bob.userId)
    await eventually('nothing is to be told any more', async () => (await timersIn(cluster.redis)).length === 0)
    const before = Object.keys(await cluster.redis.contents()).sort()
    await ann.status.broadcast({ status: 'missed' })
    expect(await ann.status.send(bob.userId, { status: 'missed' })).toEqual({ failed: [], timestamp: expect.any(Number) })
    expect(Object.keys(await cluster.redis.contents()).sort()).toEqual(before)
    await bob.login()
    await ann.status.broadcast({ status: 'heard' })
    expect(await bobHears.next(ann.userId)).toMatchObject({ status: 'heard' })
  })
})

describe('a status for some', () => {
  test('needs no friendship; answers who is unknown and between whom there is a block, and tells the others', async () => {
    const [[ann, annHears], [bob, bobHears], [left], [blocker, blockerHears], [blocked, blockedHears]] = [
      await user('ann', cluster.a), await user('bob', cluster.b), await user('left', cluster.a), await user('blocker', cluster.b), await user('blocked', cluster.b),
    ]
    const listed = unique('listed')
    await bob.roster.add(listed)
    await left.logout()
    await blocker.roster.block(ann.userId)
    await ann.roster.block(blocked.userId)
    const nobody = unique('nobody')

    const { failed } = await ann.status.send([nobody, ann.userId, blocker.userId, bob.userId, left.userId, listed, blocked.userId, bob.userId], { show: 1 })
    expect(failed).toEqual([
      { userId: nobody, code: 'USER_UNKNOWN', errorCode: -14001, reason: expect.any(String) },
      { userId: blocker.userId, code: 'USER_BLOCKED', errorCode: -14002, reason: expect.any(String) },
      { userId: blocked.userId, code: 'USER_BLOCKED', errorCode: -14002, reason: expect.any(String) },
    ])
    expect(await bobHears.next(ann.userId)).toEqual({ from: ann.userId, id: expect.any(String), show: 1, timestamp: expect.any(Number) })
    expect(await annHears.next(ann.userId)).toMatchObject({ show: 1 })
    for (const log of [bobHears, blockerHears, blockedHears]) await log.settled(await connect(scope, unique('marker'), cluster.a))
    expect([bobHears, blockerHears, blockedHears].map((log) => log.from(ann.userId).length)).toEqual([1, 0, 0])
  })

  test('may be for more than one request takes', async () => {
    const [ann] = await user('ann', cluster.a)
    const [bob, bobHears] = await user('bob', cluster.b)
    const many = Array.from({ length: 600 }, (_, i) => `${unique('nobody')}-${i}`)
    const { failed } = await ann.status.send([...many, bob.userId], { status: 'x' })
    expect(failed.map(({ userId }) => userId)).toEqual(many)
    await bobHears.next(ann.userId)
    await expect(ann.status.send([], {})).rejects.toMatchObject({ code: 'PRESENCE_INVALID_ARGUMENT', operation: 'sendStatus' })
  })

  test('says nothing in the server\'s name: whoever claims to be somebody, or gone, is heard as who it is', async () => {
    const [ann, [bob, bobHears]] = [await connectPlain(scope, unique('ann'), cluster.a), await user('bob', cluster.b)]
    await ann.must('addFriend', { userId: bob.userId })
    await bob.roster.add(ann.user)
    const lies = { from: 'the server', fromTid: { node: 'x' }, id: 'mine', offline: true, timestamp: 1, status: 'here' }
    expect(await ann.must('broadcastStatus', lies)).toEqual({ ok: true, timestamp: expect.any(Number) })
    expect(await ann.must('sendStatus', { userIds: [bob.userId], ...lies })).toEqual({ ok: true, timestamp: expect.any(Number), failed: [] })
    for (let i = 0; i < 2; i += 1) expect(await bobHears.next(ann.user)).toEqual({ from: ann.user, id: expect.not.stringMatching(/^mine$/), status: 'here', timestamp: expect.any(Number) })
  })
})

describe('who is gone', () => {
  test('is told to friends once, when the last session anywhere has ended', async () => {
    const [[ann], [bob, bobHears], [marker]] = [await user('ann', cluster.a), await user('bob', cluster.a), await user('marker', cluster.b)]
    const tab = await connect(scope, ann.userId, cluster.b)
    await befriend(ann, bob)
    await ann.logout()
    await tab.status.broadcast({ status: 'still here' })
    expect(await bobHears.next(ann.userId)).toMatchObject({ status: 'still here' })
    await tab.logout()
    expect(await bobHears.next(ann.userId)).toEqual({ from: ann.userId, id: expect.stringMatching(/^\d+$/), offline: true, timestamp: expect.any(Number) })
    await bobHears.settled(marker)
    expect(bobHears.from(ann.userId)).toHaveLength(2)
    await eventually('nothing is to be told any more', async () => (await timersIn(cluster.redis)).length === 0)
  })

  test('is told again with the same id, which the SDK takes for what it is; another going is news', async () => {
    const [[ann], [bob, bobHears]] = [await user('ann', cluster.a), await user('bob', cluster.b)]
    const plain = new NoticeLog(await connectPlain(scope, bob.userId, cluster.a))
    const post = `rollcall:{${partitionOf(userChannel('dev', bob.userId), PARTITIONS)}}:post`
    const tell = (id: string) => cluster.redis.command('SPUBLISH', post, ['1', 'status', 'dev', '1', bob.userId, 'gone', id, '1', '1', '{}'].join('\0'))
    for (const id of ['7', '7', '8', '8']) await tell(id)
    for (let i = 0; i < 4; i += 1) await plain.next('gone')
    await bobHears.settled(ann)
    expect(plain.from('gone').map(({ id }) => id)).toEqual(['7', '7', '8', '8'])
    expect(bobHears.from('gone').map(({ id }) => id)).toEqual(['7', '8'])
  })

  test('is not told where two are not friends any more', async () => {
    const [[ann], [bob, bobHears], [friend, friendHears]] = [await user('ann', cluster.a), await user('bob', cluster.b), await user('friend', cluster.a)]
    for (const other of [bob, friend]) await befriend(ann, other)
    await bob.roster.block(ann.userId)
    await ann.logout()
    await friendHears.next(ann.userId)
    await bobHears.settled(friend)
    expect(bobHears.from(ann.userId)).toEqual([])
  })
})
