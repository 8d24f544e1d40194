import { describe, expect, test } from '@jest/globals'

import type { RollcallClient } from '../../src/client/index.js'
import { connect, uniqueChannel } from '../support/client.js'
import { startNode, useCluster, type NodeAddress } from '../support/node.js'
import { befriend, NoticeLog } from '../support/notice-log.js'
import { connectPlain } from '../support/plain.js'
import { useTestScope } from '../support/scope.js'

const cluster = useCluster({ limits: { callsPerSecond: 1_000 } })
const scope = useTestScope()
const unique = (name: string): string => uniqueChannel(name)

const EMPTY = { friends: [], asked: [], requests: [], blocked: [] }

async function user(name: string, where: NodeAddress): Promise<readonly [RollcallClient, NoticeLog]> {
  const client = await connect(scope, unique(name), where)
  return [client, new NoticeLog(client)]
}

async function rosterOf(client: RollcallClient) {
  const { friends, asked, requests, blocked } = await client.roster.list()
  return { friends, asked, requests, blocked }
}

describe('a friendship', () => {
  test('is asked for with a message, agreed to by asking back, and the same for both and for all their sessions', async () => {
    const [[ann, annHears], [bob, bobHears]] = [await user('ann', cluster.a), await user('bob', cluster.b)]
    const [annsTab, bobsPhone] = [new NoticeLog(await connect(scope, ann.userId, cluster.b)), new NoticeLog(await connectPlain(scope, bob.userId, cluster.a))]
    expect(await rosterOf(ann)).toEqual(EMPTY)

    expect(await ann.roster.add(bob.userId, 'hi, it is Ann')).toEqual({ isFriend: false, timestamp: expect.any(Number) })
    for (const hears of [bobHears, bobsPhone]) {
      expect(await hears.notice('REQUEST', ann.userId)).toEqual({ type: 'REQUEST', userId: ann.userId, message: 'hi, it is Ann', timestamp: expect.any(Number) })
    }
    expect(await rosterOf(ann)).toEqual({ ...EMPTY, asked: [bob.userId] })
    expect(await rosterOf(bob)).toEqual({ ...EMPTY, requests: [{ userId: ann.userId, message: 'hi, it is Ann' }] })

    expect(await bob.roster.add(ann.userId)).toMatchObject({ isFriend: true })
    for (const hears of [bobHears, bobsPhone]) expect(await hears.notice('FRIENDS', ann.userId)).toEqual({ type: 'FRIENDS', userId: ann.userId, timestamp: expect.any(Number) })
    for (const hears of [annHears, annsTab]) await hears.notice('FRIENDS', bob.userId)
    expect(await rosterOf(ann)).toEqual({ ...EMPTY, friends: [bob.userId] })
    expect(await rosterOf(bob)).toEqual({ ...EMPTY, friends: [ann.userId] })
  })

  test('asked for again is no error, and nobody is told again', async () => {
    const [[ann, annHears], [bob, bobHears], [marker]] = [await user('ann', cluster.a), await user('bob', cluster.b), await user('marker', cluster.a)]
    for (let again = 0; again < 3; again += 1) expect(await ann.roster.add(bob.userId, `${again}`)).toMatchObject({ isFriend: false })
    expect(await rosterOf(bob)).toMatchObject({ requests: [{ userId: ann.userId, message: '0' }] })
    await bob.roster.add(ann.userId)
    for (const [one, other] of [[ann, bob], [bob, ann]] as const) expect(await one.roster.add(other.userId)).toMatchObject({ isFriend: true })
    for (const hears of [annHears, bobHears]) await hears.settled(marker)
    expect([annHears.path(bob.userId), bobHears.path(ann.userId)]).toEqual([['FRIENDS'], ['REQUEST', 'FRIENDS']])
  })

  test('is ended by either for both, and whoever wants it back asks anew', async () => {
    const [[ann, annHears], [bob, bobHears], [marker]] = [await user('ann', cluster.a), await user('bob', cluster.b), await user('marker', cluster.a)]
    await befriend(ann, bob)
    await ann.roster.remove(bob.userId)
    expect([await rosterOf(ann), await rosterOf(bob)]).toEqual([EMPTY, EMPTY])
    await ann.roster.remove(bob.userId)
    expect(await bob.roster.add(ann.userId, 'again?')).toMatchObject({ isFriend: false })
    expect(await ann.roster.add(bob.userId)).toMatchObject({ isFriend: true })
    for (const hears of [annHears, bobHears]) await hears.settled(marker)
    expect(annHears.path(bob.userId)).toEqual(['FRIENDS', 'REQUEST', 'FRIENDS'])
    expect(bobHears.path(ann.userId)).toEqual(['REQUEST', 'FRIENDS', 'REMOVED', 'FRIENDS'])
  })

  test('can be refused: who asked is told, and nobody waits any more', async () => {
    const [[ann, annHears], [bob]] = [await user('ann', cluster.a), await user('bob', cluster.b)]
    await ann.roster.add(bob.userId, 'please')
    await bob.roster.remove(ann.userId)
    await annHears.notice('REMOVED', bob.userId)
    expect([await rosterOf(ann), await rosterOf(bob)]).toEqual([EMPTY, EMPTY])
  })

  test('lasts when everybody is gone, and a user who has never been here can be asked', async () => {
    const [[ann], later] = [await user('ann', cluster.a), unique('later')]
    await ann.roster.add(later, 'when you come')
    await ann.logout()
    const bob = await connect(scope, later, cluster.b)
    expect(await rosterOf(bob)).toEqual({ ...EMPTY, requests: [{ userId: ann.userId, message: 'when you come' }] })
    expect(await bob.roster.add(ann.userId)).toMatchObject({ isFriend: true })
    expect(await rosterOf(await connect(scope, ann.userId, cluster.b))).toEqual({ ...EMPTY, friends: [later] })
  })
})

describe('a block', () => {
  test('ends everything between the two, and is the blocker\'s to lift: by a removal, or by asking', async () => {
    const [[ann, annHears], [bob, bobHears]] = [await user('ann', cluster.a), await user('bob', cluster.b)]
    await befriend(ann, bob)
    await ann.roster.block(bob.userId)
    await bobHears.notice('REQUEST', ann.userId)
    await bobHears.notice('FRIENDS', ann.userId)
    await bobHears.notice('BLOCKED', ann.userId)
    expect(await rosterOf(ann)).toEqual({ ...EMPTY, blocked: [bob.userId] })
    expect((await rosterOf(bob)).friends).toEqual([])
    await expect(bob.roster.add(ann.userId, 'why?')).rejects.toMatchObject({ code: 'USER_BLOCKED', errorCode: -14002, operation: 'addFriend', retryable: false })
    expect((await rosterOf(ann)).requests).toEqual([])

    // bob has never removed ann, so that they are friends again when ann wants it.
    expect(await ann.roster.add(bob.userId)).toMatchObject({ isFriend: true })
    await bobHears.notice('FRIENDS', ann.userId)
    await ann.roster.block(bob.userId)
    await ann.roster.remove(bob.userId)
    expect([await rosterOf(ann), await rosterOf(bob)]).toEqual([EMPTY, EMPTY])
    expect(await bob.roster.add(ann.userId)).toMatchObject({ isFriend: false })
    for (const type of ['FRIENDS', 'FRIENDS', 'REQUEST'] as const) await annHears.notice(type, bob.userId)
  })

  test('of a stranger, and one that both have put, keep either from asking', async () => {
    const [[ann], [bob]] = [await user('ann', cluster.a), await user('bob', cluster.b)]
    for (const [one, other] of [[ann, bob], [bob, ann]] as const) {
      await one.roster.block(other.userId)
      await one.roster.block(other.userId)
    }
    for (const [one, other] of [[ann, bob], [bob, ann]] as const) await expect(one.roster.add(other.userId)).rejects.toMatchObject({ code: 'USER_BLOCKED' })
    expect([await rosterOf(ann), await rosterOf(bob)]).toEqual([{ ...EMPTY, blocked: [bob.userId] }, { ...EMPTY, blocked: [ann.userId] }])
  })
})

test('what cannot be: oneself, and more than there may be', async () => {
  const node = await startNode(scope, { redisUrl: cluster.redis.url, appId: 'small', limits: { rosterEntries: 2 } })
  const ann = await connectPlain(scope, 'ann', node, { auth: { appId: 'small' } })
  expect(ann.ready.limits).toMatchObject({ rosterEntries: 2, rosterMessageBytes: 1_024, statusBytes: 16_384, statusRecipients: 512 })
  for (const name of ['addFriend', 'removeFriend', 'blockUser']) {
    expect(await ann.send(name, { userId: 'ann' })).toMatchObject({ ok: false, error: { code: 'INVALID_PEER', errorCode: -14003, operation: name } })
  }
  await ann.must('addFriend', { userId: 'bob' })
  await ann.must('blockUser', { userId: 'carl' })
  for (const name of ['addFriend', 'blockUser']) expect(await ann.send(name, { userId: 'dan' })).toMatchObject({ ok: false, error: { code: 'ROSTER_FULL', errorCode: -14004 } })
  expect(await ann.must('getRoster', {})).toEqual({ ok: true, timestamp: expect.any(Number), ...EMPTY, asked: ['bob'], blocked: ['carl'] })
  await ann.must('removeFriend', { userId: 'bob' })
  expect(await ann.must('addFriend', { userId: 'dan' })).toEqual({ ok: true, timestamp: expect.any(Number), isFriend: false })
})

test('rosters of another app are other ones', async () => {
  const node = await startNode(scope, { redisUrl: cluster.redis.url, appId: 'other' })
  const [ann, bob] = [await user('ann', cluster.a), await user('bob', cluster.b)]
  await befriend(ann[0], bob[0])
  const other = await connectPlain(scope, ann[0].userId, node, { auth: { appId: 'other' } })
  const hears = new NoticeLog(other)
  expect(await other.must('getRoster', {})).toMatchObject(EMPTY)
  await bob[0].status.broadcast({ status: 'to ann of this app' })
  await ann[1].next(bob[0].userId)
  await other.must('sendStatus', { userIds: [ann[0].userId], status: 'to oneself' })
  await hears.next(ann[0].userId)
  expect(hears.statuses).toHaveLength(1)
})
