import { describe, expect, test } from '@jest/globals'

import type { PeerOnlineState } from '../../src/client/compat/ar-rtm/index.js'
import { uniqueChannel } from '../support/client.js'
import { Link } from '../support/link.js'
import { startNode, useCluster } from '../support/node.js'
import { RtmUser } from '../support/rtm.js'
import { useTestScope } from '../support/scope.js'
import { MACHINE_MS } from '../support/wait.js'

const cluster = useCluster()
const scope = useTestScope()
const someone = (): string => uniqueChannel('user')

/** The next status of this peer that the user is told. */
async function expectPeer(user: RtmUser, peer: string, state: PeerOnlineState): Promise<void> {
  for (;;) {
    const [statuses] = await user.next('PeersOnlineStatusChanged')
    if (statuses[peer] === undefined) continue
    expect({ [peer]: statuses[peer] }).toEqual({ [peer]: state })
    return
  }
}

describe('the status of peers', () => {
  test('002.6 002.7 002.10 is told of all of them at first, then of those that change, until it is unsubscribed', async () => {
    const [here, away, later] = [someone(), someone(), someone()]
    await RtmUser.login(scope, here, cluster.b)
    const user = await RtmUser.login(scope, someone(), cluster.a)
    await user.client.subscribePeersOnlineStatus([here, away])
    expect(await user.next('PeersOnlineStatusChanged')).toEqual([{ [here]: 'ONLINE', [away]: 'OFFLINE' }])
    await user.client.subscribePeersOnlineStatus([later])
    expect(await user.next('PeersOnlineStatusChanged')).toEqual([{ [later]: 'OFFLINE' }])
    expect((await user.client.queryPeersBySubscriptionOption('ONLINE_STATUS')).sort()).toEqual([here, away, later].sort())

    const other = await RtmUser.login(scope, away, cluster.b)
    expect(await user.next('PeersOnlineStatusChanged')).toEqual([{ [away]: 'ONLINE' }])
    await user.client.unsubscribePeersOnlineStatus([away])
    expect((await user.client.queryPeersBySubscriptionOption('ONLINE_STATUS')).sort()).toEqual([here, later].sort())
    await other.client.logout()
    await RtmUser.login(scope, later, cluster.b)
    expect(await user.next('PeersOnlineStatusChanged')).toEqual([{ [later]: 'ONLINE' }])
    await expect(user.client.queryPeersBySubscriptionOption('SOMETHING' as never)).rejects.toMatchObject({ code: 2 })
  })

  test('002.8 what changed while the connection was lost is told when it is back', async () => {
    const [comes, goes, stays] = [someone(), someone(), someone()]
    const going = await RtmUser.login(scope, goes, cluster.b)
    await RtmUser.login(scope, stays, cluster.b)
    const wire = await Link.open(scope, cluster.a)
    const user = await RtmUser.login(scope, someone(), wire)
    await user.client.subscribePeersOnlineStatus([comes, goes, stays])
    await user.next('PeersOnlineStatusChanged')
    wire.cut()
    await user.untilStates('CONNECTING LOGIN', 'CONNECTED LOGIN_SUCCESS', 'RECONNECTING INTERRUPTED')
    await going.client.logout()
    await RtmUser.login(scope, comes, cluster.b)
    wire.restore(cluster.b)
    expect(await user.next('PeersOnlineStatusChanged')).toEqual([{ [comes]: 'ONLINE', [goes]: 'OFFLINE' }])
  })

  test('002.9 a peer whose connection is lost is UNREACHABLE, ONLINE when it is back, OFFLINE when its time is over or it logs out', async () => {
    const wire = await Link.open(scope, cluster.b)
    const peer = await RtmUser.login(scope, someone(), wire, { presenceTimeout: 6_000 })
    const short = await Link.open(scope, cluster.b)
    const brief = await RtmUser.login(scope, someone(), short)
    const user = await RtmUser.login(scope, someone(), cluster.a)
    await user.client.subscribePeersOnlineStatus([peer.uid, brief.uid])
    await user.next('PeersOnlineStatusChanged')
    wire.cut()
    await expectPeer(user, peer.uid, 'UNREACHABLE')
    expect(await user.client.queryPeersOnlineStatus([peer.uid])).toEqual({ [peer.uid]: true })
    wire.restore(cluster.a)
    await expectPeer(user, peer.uid, 'ONLINE')
    short.cut()
    await expectPeer(user, brief.uid, 'UNREACHABLE')
    await expectPeer(user, brief.uid, 'OFFLINE')
    expect(await user.client.queryPeersOnlineStatus([brief.uid])).toEqual({ [brief.uid]: false })
    await peer.client.logout()
    await expectPeer(user, peer.uid, 'OFFLINE')
  })

  test('002.9 a silent peer is UNREACHABLE within ping interval and timeout: 6 s with the setting for this shape', async () => {
    const options = { redisUrl: cluster.redis.url, pingIntervalMs: 4_000, pingTimeoutMs: 2_000, heartbeatMs: 5_000, heartbeatTtlMs: 15_000, presenceTimeoutMs: 30_000 }
    const [one, two] = [await startNode(scope, options), await startNode(scope, options)]
    const wire = await Link.open(scope, two)
    const peer = await RtmUser.login(scope, someone(), wire)
    const user = await RtmUser.login(scope, someone(), one)
    await user.client.subscribePeersOnlineStatus([peer.uid])
    await user.next('PeersOnlineStatusChanged')
    wire.freeze()
    expect(await user.next('PeersOnlineStatusChanged', 6_000 + MACHINE_MS)).toEqual([{ [peer.uid]: 'UNREACHABLE' }])
    wire.cut()
  })

  test('002.11 a query needs no subscription, and knows whoever is there by a boolean', async () => {
    const [here, away] = [someone(), someone()]
    await RtmUser.login(scope, here, cluster.b)
    const user = await RtmUser.login(scope, someone(), cluster.a)
    expect(await user.client.queryPeersOnlineStatus([here, away])).toEqual({ [here]: true, [away]: false })
    expect(await user.client.queryPeersBySubscriptionOption('ONLINE_STATUS')).toEqual([])
  })

  test('limits: 512 users a subscription, 256 a query, and what is no list', async () => {
    const user = await RtmUser.login(scope, someone(), cluster.a)
    const ids = (count: number): string[] => Array.from({ length: count }, (_, i) => `peer-${i}`)
    await user.client.subscribePeersOnlineStatus(ids(512))
    await expect(user.client.subscribePeersOnlineStatus(ids(513))).rejects.toMatchObject({ code: 6 })
    await expect(user.client.subscribePeersOnlineStatus([])).rejects.toMatchObject({ code: 2 })
    await expect(user.client.subscribePeersOnlineStatus([''])).rejects.toMatchObject({ code: 2 })
    await expect(user.client.queryPeersOnlineStatus(ids(257))).rejects.toMatchObject({ code: 2 })
    await expect(user.client.queryPeersOnlineStatus('peer' as never)).rejects.toMatchObject({ code: 2 })
    expect(Object.keys(await user.client.queryPeersOnlineStatus(ids(256)))).toHaveLength(256)
  })
})
