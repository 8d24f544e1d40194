import { describe, expect, test } from '@jest/globals'

import { connect, joinMarker, uniqueChannel, watch } from '../support/client.js'
import { spawnPair, type Pair } from '../support/pair.js'
import { connectPlain } from '../support/plain.js'
import { dueInRedis, RedisView, vouchedFor } from '../support/redis-view.js'
import { useTestScope } from '../support/scope.js'
import { elapse, eventually, MACHINE_MS } from '../support/wait.js'
import { countOf, expectJoin, expectLeave, expectNoEvents, expectState, expectWholeStays, type Watcher } from '../support/watcher.js'

const scope = useTestScope()

const HEARTBEAT_MS = 500
/** The longest pause before a connection to Redis is tried again (`src/store/redis/connections.ts`). */
const RECONNECT_MS = 1_000
const MEMBERS = 50

async function settle(pair: Pair) {
  const channel = uniqueChannel()
  const marker = await joinMarker(scope, pair.b, channel)
  const [ada, bob] = [await connect(scope, 'ada', pair.a), await connect(scope, 'bob', pair.b)]
  const watchers = [await watch(ada, channel, { name: 'ada' }), await watch(bob, channel, { name: 'bob' })] as const
  await expectJoin(watchers[0], 'bob')
  const plain = await connectPlain(scope, 'plain', pair.a)
  await plain.must('subscribe', { channelName: channel, channelType: 'MESSAGE' })
  for (const watcher of watchers) await expectJoin(watcher, 'plain')

  const users = Array.from({ length: MEMBERS }, (_, index) => `user-${index}`)
  const clients = await Promise.all(
    users.map(async (user, index) => {
      const client = await connect(scope, user, index % 2 === 0 ? pair.a : pair.b, { transports: ['websocket'] })
      await client.subscribe(channel, { withPresence: false })
      await client.presence.setState(channel, 'MESSAGE', { n: String(index) })
      return client
    }),
  )
  for (const [index, user] of users.entries()) {
    for (const watcher of watchers) {
      await expectJoin(watcher, user)
      await expectState(watcher, user, { n: String(index) })
    }
  }
  await expectNoEvents(watchers, marker)
  const everybody = [...users, 'ada', 'bob', 'plain', marker.userId].sort()
  expect(await vouchedFor(pair.redis, channel)).toEqual(everybody)
  return { channel, marker, watchers, plain: plain.watcher(channel), users, clients, everybody, ada }
}

/** Everything is back in Redis: the members with their states, who vouches for them, and where everybody is. */
async function whole({ redis }: Pair, channel: string, everybody: readonly string[], users: readonly string[]): Promise<boolean> {
  const view = await RedisView.of(redis)
  if ((await view.vouchedFor(channel)).join() !== everybody.join()) return false
  const members = await view.channel(channel)
  if (!users.every((user, index) => members.get(user)?.states.n === String(index))) return false
  const where = await Promise.all(users.map((user) => view.where(user)))
  if (!where.every((list) => list.join() === `MESSAGE:${channel}`)) return false
  return users.every((user) => view.keys.some((key) => key.endsWith(`:members:dev:USER:${user}`)))
}

async function nobodyLeft(all: readonly Watcher[]): Promise<void> {
  for (const watcher of all) {
    for (const kind of ['REMOTE_LEAVE', 'REMOTE_TIMEOUT'] as const) expect([watcher.name, kind, countOf(watcher, kind)]).toEqual([watcher.name, kind, 0])
  }
  expectWholeStays(...all)
}

describe('Redis loses what it had, or comes back with it, while 50 members are there', () => {
  test.each([
    ['FLUSHALL', async ({ redis }: Pair) => redis.command('FLUSHALL'), 0, 'none'],
    ['a restart without persistence', async ({ redis }: Pair) => redis.restart(), RECONNECT_MS, 'none'],
    ['a restart with everything on disk', async ({ redis }: Pair) => redis.restart(), RECONNECT_MS, 'aof'],
  ] as const)(
    '%s: nobody leaves in anybody\'s view, and Redis is whole again within two heartbeats',
    async (_, lose, detectionMs, persistence) => {
      const pair = await spawnPair(scope, { ROLLCALL_HEARTBEAT_MS: String(HEARTBEAT_MS), ROLLCALL_HEARTBEAT_TTL_MS: '3000', ROLLCALL_PRESENCE_TIMEOUT_MS: '2000' }, { persistence })
      const { channel, marker, watchers, plain, users, clients, everybody, ada } = await settle(pair)

      await lose(pair)
      const lostAt = Date.now()
      await eventually('Redis is whole again', () => whole(pair, channel, everybody, users), { everyMs: 10 })
      expect(Date.now() - lostAt).toBeLessThanOrEqual(2 * HEARTBEAT_MS + detectionMs + MACHINE_MS)

      // Past the time at which a placeholder, or anybody who was not put back, would have gone.
      await eventually('nothing is due any more', async () => (await dueInRedis(pair.redis)) === 0)
      // And past that at which views are repaired, which may take a second SNAPSHOT: what changes then is in it, and not told besides.
      await elapse(2 * HEARTBEAT_MS)
      await expectNoEvents(watchers, marker, { allow: ['SNAPSHOT', 'ERROR_OUT_OF_SERVICE'] })
      await nobodyLeft([...watchers, plain])
      const { occupants } = await ada.presence.whoNow(channel, 'MESSAGE', { includedState: true })
      for (const [index, user] of users.entries()) expect(occupants.find(({ userId }) => userId === user)).toMatchObject({ states: { n: String(index) } })
      expect([...ada.channel(channel).members.keys()].sort()).toEqual(everybody)
      expect(ada.channel(channel).status).toBe('live')

      // And it goes on: changes and leaves are told once, as before.
      await clients[0]?.presence.setState(channel, 'MESSAGE', { n: 'new' })
      await clients[1]?.logout()
      for (const watcher of watchers) {
        await expectState(watcher, 'user-0', { n: 'new' })
        await expectLeave(watcher, 'user-1')
      }
      await expectNoEvents(watchers, marker, { allow: ['SNAPSHOT'] })
      expectWholeStays(...watchers, plain)
    },
    90_000,
  )
})
