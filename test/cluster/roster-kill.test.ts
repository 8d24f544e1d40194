import { describe, expect, test } from '@jest/globals'
import { Redis } from 'ioredis'

import type { RollcallClient } from '../../src/client/index.js'
import { connect, uniqueChannel } from '../support/client.js'
import { connectCrowd } from '../support/crowd.js'
import { befriend, NoticeLog } from '../support/notice-log.js'
import { spawnPair } from '../support/pair.js'
import { connectPlain } from '../support/plain.js'
import type { RedisServer } from '../support/redis.js'
import { useTestScope } from '../support/scope.js'
import { spawnNode } from '../support/spawned.js'
import { TcpProxy } from '../support/tcp-proxy.js'
import { timersIn } from '../support/timers.js'
import { eventually, within } from '../support/wait.js'

const scope = useTestScope()

const HEARTBEAT_MS = 250
const LEASE_MS = 1_000
const GRACE_MS = 1_500
/** A node that has begun to tell of somebody is given this long. */
const CLAIM_MS = 5_000
const ENV = {
  ROLLCALL_HEARTBEAT_MS: String(HEARTBEAT_MS),
  ROLLCALL_HEARTBEAT_TTL_MS: String(LEASE_MS),
  ROLLCALL_PRESENCE_TIMEOUT_MS: String(GRACE_MS),
  ROLLCALL_LIMITS: JSON.stringify({ callsPerSecond: 1_000 }),
}

/** What a user sees of another one. */
async function standing(client: RollcallClient, other: string): Promise<string> {
  const { friends, asked, requests } = await client.roster.list()
  if (friends.includes(other)) return 'friend'
  if (asked.includes(other)) return 'asked'
  return requests.some(({ userId }) => userId === other) ? 'was asked' : 'nothing'
}

describe('a node is killed', () => {
  test('while its users add friends: each call is carried out in the end, and both see the same', async () => {
    const { a, b } = await spawnPair(scope, ENV)
    const ann = await connect(scope, uniqueChannel('ann'), [a, b])
    const friends = await Promise.all(Array.from({ length: 40 }, () => connect(scope, uniqueChannel('friend'), b)))
    const hears = friends.map((friend) => new NoticeLog(friend))
    await Promise.all(friends.filter((_, i) => i % 2 === 0).map((friend) => friend.roster.add(ann.userId)))

    const adding = friends.map(({ userId }) => ann.roster.add(userId, 'hello'))
    // In the middle of it: somebody has heard of it already.
    await Promise.race(hears.map((log, i) => log.notice(i % 2 === 0 ? 'FRIENDS' : 'REQUEST', ann.userId)))
    a.process.kill('SIGKILL')
    const added = await Promise.all(adding)
    expect(added.map(({ isFriend }) => isFriend)).toEqual(friends.map((_, i) => i % 2 === 0))
    for (const [i, friend] of friends.entries()) {
      expect([await standing(ann, friend.userId), await standing(friend, ann.userId)]).toEqual(i % 2 === 0 ? ['friend', 'friend'] : ['asked', 'was asked'])
      const [log] = hears.slice(i)
      await eventually('it was told', () => log?.path(ann.userId).length === 1)
    }
  })

  test('while plain clients add and remove friends, and do not ask again: both see the same, or do when each has looked', async () => {
    const { a, b } = await spawnPair(scope, ENV)
    const friends = await Promise.all(Array.from({ length: 20 }, () => connect(scope, uniqueChannel('friend'), b)))
    const ann = await connectPlain(scope, uniqueChannel('ann'), a, { reconnection: false })
    for (const [i, { userId }] of friends.entries()) if (i % 2 === 0) await ann.must('addFriend', { userId })
    await Promise.all(friends.filter((_, i) => i % 2 === 0).map((friend) => friend.roster.add(ann.user)))
    let answered = 0
    const asked = friends.map(({ userId }, i) => ann.send(i % 2 === 0 ? 'removeFriend' : 'addFriend', { userId }).then(() => (answered += 1), () => undefined))
    await eventually('some have been answered', () => answered > 0, { everyMs: 1 })
    a.process.kill('SIGKILL')
    ann.socket.disconnect()
    await Promise.all(asked)

    const again = await connect(scope, ann.user, b)
    const seen = new Set<string>()
    for (const friend of friends) {
      await again.roster.list()
      await friend.roster.list()
      const both = `${await standing(again, friend.userId)}/${await standing(friend, ann.user)}`
      expect(['friend/friend', 'asked/was asked', 'was asked/asked', 'nothing/nothing']).toContain(both)
      seen.add(both)
    }
    expect(seen.size).toBeGreaterThan(1)
  })

  test('while somebody on it tells friends something: it is told in the end, to each', async () => {
    const { a, b } = await spawnPair(scope, ENV)
    const ann = await connect(scope, uniqueChannel('ann'), [a, b])
    const friends = await Promise.all(Array.from({ length: 10 }, () => connect(scope, uniqueChannel('friend'), b)))
    await Promise.all(friends.map((friend) => befriend(ann, friend)))
    const hears = friends.map((friend) => new NoticeLog(friend))
    const said = Array.from({ length: 50 }, (_, i) => String(i))
    const saying = said.map((status) => ann.status.broadcast({ status }))
    await hears[0]?.next(ann.userId)
    a.process.kill('SIGKILL')
    await Promise.all(saying)
    for (const log of hears) await eventually('all of it was heard', () => said.every((status) => log.from(ann.userId).some((notice) => notice.status === status)))
    // They are not taken for gone: they came back in time.
    for (const log of hears) expect(log.from(ann.userId).some(({ offline }) => offline === true)).toBe(false)
  })

  test('with users who do not come back, and then the node that tells of them, in the middle of it: each friend hears of each once', async () => {
    const { redis, a, b, env } = await spawnPair(scope, { ...ENV, ROLLCALL_PARTITIONS: '1' })
    // The other one that could tell of them is a little later in all it does.
    const between = await TcpProxy.open(scope, redis)
    const c = await spawnNode(scope, { ...env, REDIS_URL: `redis://127.0.0.1:${between.port}` })
    const bob = await connect(scope, uniqueChannel('bob'), c)
    const gone = await connectCrowd(scope, [a], 200)
    for (const { user } of gone) await bob.roster.add(user)
    await Promise.all(gone.map((one) => one.must('addFriend', { userId: bob.userId })))
    const [hears, plain] = [new NoticeLog(bob), new NoticeLog(await connectPlain(scope, bob.userId, c))]

    between.delay(200)
    const { heard } = await firstFarewell(redis)
    a.process.kill('SIGKILL')
    await within(heard, LEASE_MS + GRACE_MS + 10_000, 'the first of them is told of')
    b.process.kill('SIGKILL')
    const left = (await timersIn(redis)).length
    between.heal()
    expect(left).toBeGreaterThan(0)
    await eventually('of all of them', () => gone.every(({ user }) => hears.from(user).length > 0), { withinMs: CLAIM_MS + LEASE_MS + GRACE_MS + 10_000 })
    await eventually('nothing is to be told any more', async () => (await timersIn(redis)).length === 0)
    await hears.settled(bob)
    for (const { user } of gone) {
      expect(hears.from(user)).toEqual([{ from: user, id: expect.any(String), offline: true, timestamp: expect.any(Number) }])
      // A client that does not look at ids may hear of it twice, and can tell.
      expect(new Set(plain.from(user).map(({ id }) => id)).size).toBe(1)
    }
    // What was told and not taken away in time is told again.
    expect(gone.filter(({ user }) => plain.from(user).length > 1).length).toBeGreaterThan(0)
  })
})

/** Listens; `heard` resolves when somebody is told that somebody is gone. */
async function firstFarewell({ url }: RedisServer): Promise<{ readonly heard: Promise<void> }> {
  const subscriber = new Redis(url)
  scope.defer('the subscriber', () => subscriber.disconnect())
  const heard = new Promise<void>((resolve) => subscriber.on('smessage', (_: string, message: string) => void (message.split('\0')[1] === 'status' && resolve())))
  await subscriber.ssubscribe('rollcall:{0}:post')
  return { heard }
}
