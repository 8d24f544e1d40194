import { describe, expect, test } from '@jest/globals'

import type { RollcallClient } from '../../src/client/index.js'
import { alteredRedis } from '../support/altered-redis.js'
import { connect, uniqueChannel } from '../support/client.js'
import { startNode, useCluster } from '../support/node.js'
import { befriend, NoticeLog } from '../support/notice-log.js'
import { useTestScope } from '../support/scope.js'

const HEARTBEAT_MS = 300
const OPTIONS = { heartbeatMs: HEARTBEAT_MS, limits: { callsPerSecond: 1_000 } }
const cluster = useCluster(OPTIONS)
const scope = useTestScope()

/** Friends of bob, whose node hears no post from here on. */
async function deafTo(...names: readonly string[]) {
  let isDeaf = false
  const redisUrl = await alteredRedis(scope, cluster.redis, (said) => (isDeaf && said.includes('smessage') && said.includes(':post') ? '' : said))
  const bob = await connect(scope, uniqueChannel('bob'), await startNode(scope, { ...OPTIONS, redisUrl }))
  const log = new NoticeLog(bob)
  const friends: RollcallClient[] = []
  for (const name of names) {
    const friend = await connect(scope, uniqueChannel(name), cluster.a)
    await befriend(bob, friend)
    friends.push(friend)
  }
  isDeaf = true
  return { log, friends }
}

describe('001.7 a node misses the post that says who is gone', () => {
  test('its clients are told nevertheless, once', async () => {
    const { log, friends } = await deafTo('ann', 'carl')
    for (const friend of friends) {
      await friend.logout()
      expect(await log.next(friend.userId)).toEqual({ from: friend.userId, id: expect.any(String), offline: true, timestamp: expect.any(Number) })
    }
    for (const { userId } of friends) expect(log.from(userId)).toHaveLength(1)
  })

  test('of who is back by then they are not told: that may be known already', async () => {
    const { log, friends } = await deafTo('ann', 'carl')
    const [ann, carl] = friends
    if (ann === undefined || carl === undefined) throw new Error('two friends')
    await ann.logout()
    await connect(scope, ann.userId, cluster.b)
    await carl.logout()
    // What was missed is told in its order.
    await log.next(carl.userId)
    expect(log.from(ann.userId)).toEqual([])
  })
})
