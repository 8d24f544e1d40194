import { describe, expect, test } from '@jest/globals'

import { alteredRedis } from '../support/altered-redis.js'
import { connect, uniqueChannel } from '../support/client.js'
import { startNode, useCluster } from '../support/node.js'
import { PeerLog } from '../support/peer-log.js'
import { connectPlain } from '../support/plain.js'
import { useTestScope } from '../support/scope.js'
import { elapse, eventually } from '../support/wait.js'

const HEARTBEAT_MS = 300
// Rows are doubted for two heartbeats and presenceTimeout is far above that, so that one is not taken for the other.
// Nobody here is lost by its silence: a busy machine is slow with pings.
const PATIENT = { heartbeatMs: HEARTBEAT_MS, pingIntervalMs: 10_000, pingTimeoutMs: 10_000 }
const cluster = useCluster({ ...PATIENT, presenceTimeoutMs: 3_000 })
const scope = useTestScope()

const unique = (name: string): string => uniqueChannel(name)

/** A node whose subscriber hears nothing of statuses for as long as it is said to be deaf. */
async function deafNode() {
  const deaf = { now: false }
  const redisUrl = await alteredRedis(scope, cluster.redis, (said) => (deaf.now && said.includes('smessage') && said.includes(':status') ? '' : said))
  return { deaf, node: await startNode(scope, { ...PATIENT, redisUrl }) }
}

describe('Redis loses everything', () => {
  test('nobody who is there flaps; who went while it was lost is told of', async () => {
    const [stays, tab, goes, away] = [unique('stays'), unique('tab'), unique('goes'), unique('away')]
    const watcher = await connect(scope, unique('watcher'), cluster.b)
    const plain = await connectPlain(scope, unique('plain'), cluster.a)
    const logs = [new PeerLog(watcher), new PeerLog(plain)]
    const staying = await connect(scope, stays, cluster.a)
    const tabs = [await connect(scope, tab, cluster.a), await connect(scope, tab, cluster.b)]
    const going = await connect(scope, goes, cluster.a)
    const users = [stays, tab, goes, away]
    expect(await watcher.peers.subscribe(users)).toEqual({ [stays]: 'ONLINE', [tab]: 'ONLINE', [goes]: 'ONLINE', [away]: 'OFFLINE' })
    await plain.must('subscribePeers', { userIds: users })

    await cluster.redis.command('FLUSHALL')
    // A logout that Redis knows nothing of, and one of two tabs.
    await Promise.all([going.logout(), tabs[0]?.logout()])
    for (const log of logs) {
      await eventually('who has gone is told of', () => log.path(goes).at(-1) === 'OFFLINE')
      expect(log.path(goes).filter((status) => status === 'ONLINE')).toEqual([])
    }
    await elapse(4 * HEARTBEAT_MS)
    for (const log of logs) for (const user of [stays, tab, away]) expect([user, log.path(user)]).toEqual([user, []])
    expect(await watcher.peers.query([stays, tab, goes])).toEqual({ [stays]: 'ONLINE', [tab]: 'ONLINE', [goes]: 'OFFLINE' })

    // And it goes on from there.
    await staying.logout()
    for (const log of logs) await log.next(stays, 'OFFLINE')
  })
})

describe('a node that misses events', () => {
  test('notices by the next one that it did', async () => {
    const { deaf, node } = await deafNode()
    const users = Array.from({ length: 40 }, () => unique('user'))
    const watcher = await connect(scope, unique('watcher'), node)
    const log = new PeerLog(watcher)
    await watcher.peers.subscribe(users)
    deaf.now = true
    const clients = await Promise.all(users.slice(0, 20).map((user) => connect(scope, user, cluster.a)))
    deaf.now = false
    await Promise.all(users.slice(20).map((user) => connect(scope, user, cluster.a)))
    for (const user of users) await log.next(user, 'ONLINE')
    await Promise.all(clients.map((client) => client.logout()))
    for (const user of users.slice(0, 20)) await log.next(user, 'OFFLINE')
    expect(log.events.flat()).toHaveLength(60)
  })

  test('notices by its heartbeats, within two and a half, when there is no next one', async () => {
    const { deaf, node } = await deafNode()
    const user = unique('user')
    const watcher = await connect(scope, unique('watcher'), node)
    const log = new PeerLog(watcher)
    await watcher.peers.subscribe([user])
    deaf.now = true
    await connect(scope, user, cluster.a)
    await log.next(user, 'ONLINE', 2.5 * HEARTBEAT_MS + 500)
    await elapse(3 * HEARTBEAT_MS)
    expect(log.path(user)).toEqual(['ONLINE'])
  })

  test('reads what its subscriber missed while it was cut', async () => {
    const user = unique('user')
    const watcher = await connect(scope, unique('watcher'), cluster.b)
    const log = new PeerLog(watcher)
    await watcher.peers.subscribe([user])
    for (let round = 0; round < 3; round += 1) {
      const cut = cluster.redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
      const client = await connect(scope, user, cluster.a)
      await cut
      await log.next(user, 'ONLINE')
      await Promise.all([cluster.redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub'), client.logout()])
      await log.next(user, 'OFFLINE')
    }
    expect(log.path(user)).toEqual(['ONLINE', 'OFFLINE', 'ONLINE', 'OFFLINE', 'ONLINE', 'OFFLINE'])
  })
})
