import { describe, expect, test } from '@jest/globals'

import { connect, LinkLog, uniqueChannel } from '../support/client.js'
import { http } from '../support/http.js'
import { Link } from '../support/link.js'
import { useCluster, type NodeAddress } from '../support/node.js'
import { PeerLog } from '../support/peer-log.js'
import { connectPlain } from '../support/plain.js'
import { useTestScope } from '../support/scope.js'
import { eventually } from '../support/wait.js'

const cluster = useCluster()
const scope = useTestScope()

const unique = (name: string): string => uniqueChannel(name)

/** What a server that polls is told. */
async function polled(node: NodeAddress, userId: string): Promise<{ readonly status: string; readonly lastSeen: number | null }> {
  const { json } = await http(node.port, `/v1/users/${encodeURIComponent(userId)}/status`)
  const { status, lastSeen } = json as { status: string; lastSeen: number | null }
  return { status, lastSeen }
}

describe('who is subscribed to a user', () => {
  test('003.11 is told what a poll says, at every step of the user', async () => {
    const user = unique('tony')
    const watcher = await connect(scope, unique('watcher'), cluster.b)
    const log = new PeerLog(watcher)
    const agree = async (): Promise<void> => {
      const asked = await polled(cluster.a, user)
      const known = watcher.peers.status(user)
      expect(known?.status).toBe(asked.status)
      expect(Math.abs((known?.lastSeen ?? 0) - (asked.lastSeen ?? 0))).toBeLessThan(50)
      expect(await watcher.peers.query([user])).toEqual({ [user]: asked.status })
    }
    expect(await watcher.peers.subscribe([user])).toEqual({ [user]: 'OFFLINE' })
    await agree()

    const wire = await Link.open(scope, cluster.a)
    const tony = await connect(scope, user, wire, { presenceTimeout: 6_000 })
    await log.next(user, 'ONLINE')
    await agree()
    wire.cut()
    await log.next(user, 'UNREACHABLE')
    await agree()
    wire.restore(cluster.b)
    await log.next(user, 'ONLINE')
    await agree()
    const before = Date.now()
    await tony.logout()
    const { lastSeen, timestamp } = await log.next(user, 'OFFLINE')
    await agree()
    for (const at of [lastSeen ?? 0, timestamp]) expect(Math.abs(at - before)).toBeLessThan(5_000)
    expect(log.path(user)).toEqual(['ONLINE', 'UNREACHABLE', 'ONLINE', 'OFFLINE'])
  })

  test('hears of one whose connection is lost for good that it is OFFLINE when its time is over', async () => {
    const user = unique('tony')
    const watcher = await connect(scope, unique('watcher'), cluster.b)
    const log = new PeerLog(watcher)
    const tony = await connectPlain(scope, user, cluster.a, { reconnection: false, auth: { presenceTimeout: 1_500 } })
    expect(await watcher.peers.subscribe([user])).toEqual({ [user]: 'ONLINE' })
    tony.socket.io.engine.close()
    const { timestamp } = await log.next(user, 'UNREACHABLE')
    const end = await log.next(user, 'OFFLINE')
    expect(end.timestamp - timestamp).toBeGreaterThanOrEqual(1_400)
    expect(end.lastSeen).not.toBeNull()
    expect(watcher.peers.status(user)).toEqual({ status: 'OFFLINE', lastSeen: end.lastSeen })
  })

  test('hears nothing of other tabs, whichever comes or goes first; the last one counts', async () => {
    const user = unique('tony')
    const watcher = await connect(scope, unique('watcher'), cluster.b)
    const log = new PeerLog(watcher)
    await watcher.peers.subscribe([user])
    const [one, two] = [await connect(scope, user, cluster.a), await connectPlain(scope, user, cluster.b, { reconnection: false })]
    await log.next(user, 'ONLINE')
    await one.logout()
    const three = await connect(scope, user, cluster.a)
    two.socket.io.engine.close()
    await three.logout()
    // The tab whose connection was lost had its time.
    await log.next(user, 'UNREACHABLE')
    await log.next(user, 'OFFLINE')
    expect(log.path(user)).toEqual(['ONLINE', 'UNREACHABLE', 'OFFLINE'])
  })

  test('hears nothing after it has unsubscribed, and nothing is kept for it', async () => {
    const [user, other] = [unique('tony'), unique('other')]
    const watcher = await connect(scope, unique('watcher'), cluster.b)
    const log = new PeerLog(watcher)
    await watcher.peers.subscribe([user, other])
    await watcher.peers.unsubscribe([user])
    await connect(scope, user, cluster.a)
    await connect(scope, other, cluster.a)
    await log.next(other, 'ONLINE')
    expect(log.of(user)).toEqual([])
    expect([...watcher.peers.subscribed.keys()]).toEqual([other])
    await watcher.peers.unsubscribe()
    await eventually('the node follows nobody', async () => {
      const { text } = await http(cluster.b.port, '/metrics')
      return /^rollcall_peer_subscriptions 0$/m.test(text) && /^rollcall_peers 0$/m.test(text)
    })
  })

  test('may be subscribed to itself, and to who is not there yet', async () => {
    const user = unique('tony')
    const tony = await connect(scope, user, cluster.a)
    expect(await tony.peers.subscribe([user, unique('nobody')])).toMatchObject({ [user]: 'ONLINE' })
    expect(await tony.peers.query([])).toEqual({})
  })
})

describe('a client that was away', () => {
  test('is subscribed again on another node, and told what changed meanwhile, and only that', async () => {
    const [stays, goes, comes] = [unique('stays'), unique('goes'), unique('comes')]
    const wire = await Link.open(scope, cluster.a)
    const watcher = await connect(scope, unique('watcher'), wire, { presenceTimeout: 8_000 })
    const [log, links] = [new PeerLog(watcher), new LinkLog('the watcher', watcher)]
    await connect(scope, stays, cluster.b)
    const going = await connect(scope, goes, cluster.b)
    expect(await watcher.peers.subscribe([stays, goes, comes])).toEqual({ [stays]: 'ONLINE', [goes]: 'ONLINE', [comes]: 'OFFLINE' })
    wire.cut()
    await links.until('CONNECTING')
    await going.logout()
    const coming = await connect(scope, comes, cluster.b)
    wire.restore(cluster.b)
    await links.until('CONNECTED')
    await log.next(goes, 'OFFLINE')
    await log.next(comes, 'ONLINE')
    await coming.logout()
    await log.next(comes, 'OFFLINE')
    expect(log.of(stays)).toEqual([])
    expect(log.events[0]).toHaveLength(2)
  })

  test('has forgotten everything after a logout', async () => {
    const user = unique('tony')
    const watcher = await connect(scope, unique('watcher'), cluster.a)
    const log = new PeerLog(watcher)
    await watcher.peers.subscribe([user])
    await watcher.logout()
    expect([...watcher.peers.subscribed]).toEqual([])
    await expect(watcher.peers.subscribe([user])).rejects.toMatchObject({ code: 'NOT_LOGIN' })
    await watcher.login()
    const control = await connect(scope, unique('control'), cluster.a)
    const told = new PeerLog(control)
    await control.peers.subscribe([user])
    await connect(scope, user, cluster.b)
    await told.next(user, 'ONLINE')
    expect(log.events).toEqual([])
  })
})
