import { describe, expect, test } from '@jest/globals'

import ArRTM from '../../src/client/compat/ar-rtm/index.js'
import { uniqueChannel } from '../support/client.js'
import { Link } from '../support/link.js'
import { startNode, useCluster } from '../support/node.js'
import { RtmUser } from '../support/rtm.js'
import { useTestScope } from '../support/scope.js'
import { connectPlain } from '../support/plain.js'
import { TcpProxy } from '../support/tcp-proxy.js'
import { eventually } from '../support/wait.js'

const cluster = useCluster()
const scope = useTestScope()
const someone = (): string => uniqueChannel('user')

const NOW = { isOfflineMessage: false, serverReceivedTs: expect.any(Number) }

describe('a message to a peer', () => {
  test('002.12 is heard on every session of the peer, and the sender is told that it was received', async () => {
    const peer = someone()
    const [desk, phone] = [await RtmUser.login(scope, peer, cluster.a), await RtmUser.login(scope, peer, cluster.b)]
    const user = await RtmUser.login(scope, someone(), cluster.a)
    const before = Date.now()
    expect(await user.client.sendMessageToPeer({ text: 'héllo 😄' }, peer)).toEqual({ hasPeerReceived: true })
    for (const session of [desk, phone]) {
      const [message, from, props] = await session.next('MessageFromPeer')
      expect([message, from, props]).toEqual([{ text: 'héllo 😄' }, user.uid, NOW])
      expect(Math.abs(props.serverReceivedTs - before)).toBeLessThan(5_000)
    }
    for (let i = 0; i < 20; i += 1) await user.client.sendMessageToPeer({ text: String(i) }, peer)
    for (const session of [desk, phone]) {
      for (let i = 0; i < 20; i += 1) expect((await session.next('MessageFromPeer'))[0]).toEqual({ text: String(i) })
    }
  })

  test('002.12 whom nobody has acknowledged has not received it', async () => {
    const options = { redisUrl: cluster.redis.url, appId: 'dev', limits: { messageWaitMs: 500 } }
    const node = await startNode(scope, options)
    const deaf = await connectPlain(scope, someone(), cluster.b)
    const user = await RtmUser.login(scope, someone(), node)
    expect(await user.client.sendMessageToPeer({ text: 'anybody?' }, deaf.user)).toEqual({ hasPeerReceived: false })
    expect(await user.client.sendMessageToPeer({ text: 'anybody?' }, someone())).toEqual({ hasPeerReceived: false })
  })

  test('002.13 with offline messaging waits for the peer\'s next login, without it is lost', async () => {
    const peer = someone()
    const user = await RtmUser.login(scope, someone(), cluster.a)
    expect(await user.client.sendMessageToPeer({ text: 'lost' }, peer)).toEqual({ hasPeerReceived: false })
    for (const text of ['one', 'two']) expect(await user.client.sendMessageToPeer({ text }, peer, { enableOfflineMessaging: true, enableHistoricalMessaging: false })).toEqual({ hasPeerReceived: false })
    const later = await RtmUser.login(scope, peer, cluster.b)
    for (const text of ['one', 'two']) expect(await later.next('MessageFromPeer')).toEqual([{ text }, user.uid, { isOfflineMessage: true, serverReceivedTs: expect.any(Number) }])
    expect(await user.client.sendMessageToPeer({ text: 'three' }, peer, { enableOfflineMessaging: true })).toEqual({ hasPeerReceived: true })
    expect(await later.next('MessageFromPeer')).toEqual([{ text: 'three' }, user.uid, NOW])
    await later.client.logout()
    const again = await RtmUser.login(scope, peer, cluster.a)
    expect(await user.client.sendMessageToPeer({ text: 'four' }, peer)).toEqual({ hasPeerReceived: true })
    expect(await again.next('MessageFromPeer')).toEqual([{ text: 'four' }, user.uid, NOW])
  })

  test('002.13 a listener that is added late misses nothing', async () => {
    const peer = someone()
    const user = await RtmUser.login(scope, someone(), cluster.a)
    for (const text of ['one', 'two']) await user.client.sendMessageToPeer({ text }, peer, { enableOfflineMessaging: true })
    const late = ArRTM.createInstance('dev', { url: cluster.b.url })
    scope.defer('the late one', () => late.logout().catch(() => undefined))
    await late.login({ uid: peer })
    expect(await user.client.sendMessageToPeer({ text: 'three' }, peer)).toEqual({ hasPeerReceived: true })
    const heard: string[] = []
    late.on('MessageFromPeer', ({ text }) => heard.push(text))
    await eventually('it hears all', () => heard.length === 3)
    expect(heard).toEqual(['one', 'two', 'three'])
  })

  test('002.8 002.12 what waited is told after the connection is told to be back, and may be answered at once', async () => {
    const wire = await Link.open(scope, cluster.a)
    const peer = await RtmUser.login(scope, someone(), wire, { presenceTimeout: 30_000 })
    const user = await RtmUser.login(scope, someone(), cluster.b)
    await peer.client.subscribePeersOnlineStatus([user.uid])
    wire.cut()
    await peer.untilStates('CONNECTING LOGIN', 'CONNECTED LOGIN_SUCCESS', 'RECONNECTING INTERRUPTED')
    const sending = [1, 2, 3].map((i) => user.client.sendMessageToPeer({ text: String(i) }, peer.uid, { enableOfflineMessaging: true }))
    await user.client.logout()
    await Promise.allSettled(sending)
    const again = await RtmUser.login(scope, someone(), cluster.b)
    const before = peer.heard.length
    const answers: Promise<unknown>[] = []
    peer.client.on('MessageFromPeer', ({ text }) => answers.push(peer.client.sendMessageToPeer({ text: `heard ${text}` }, again.uid)))
    wire.restore(cluster.b)
    await eventually('it hears all', () => answers.length === 3)
    for (const answer of await Promise.all(answers)) expect(answer).toEqual({ hasPeerReceived: true })
    expect(await peer.next('PeersOnlineStatusChanged')).toEqual([{ [user.uid]: 'ONLINE' }])
    expect(await peer.next('PeersOnlineStatusChanged')).toEqual([{ [user.uid]: 'OFFLINE' }])
    const [first, ...others] = peer.heard.slice(before)
    expect(first).toEqual({ name: 'ConnectionStateChanged', args: ['CONNECTED', 'LOGIN_SUCCESS'] })
    expect(others).toHaveLength(4)
  })

  test('002.13 one that comes while the peer logs out is told, or waits for the next login', async () => {
    const wire = await TcpProxy.open(scope, cluster.a)
    const peer = await RtmUser.login(scope, someone(), wire)
    const user = await RtmUser.login(scope, someone(), cluster.b)
    // The logout waits for what is under way, and what it sends is slow: the message comes in between.
    wire.delay(300, ['up'])
    const query = peer.client.queryPeersOnlineStatus([user.uid])
    const leaving = peer.client.logout()
    await user.client.sendMessageToPeer({ text: 'one last thing' }, peer.uid, { enableOfflineMessaging: true })
    await Promise.allSettled([query, leaving])
    wire.heal()
    await peer.client.login({ uid: peer.uid })
    expect((await peer.next('MessageFromPeer'))[0]).toEqual({ text: 'one last thing' })
    expect(await user.client.sendMessageToPeer({ text: 'after it' }, peer.uid)).toEqual({ hasPeerReceived: true })
    expect((await peer.next('MessageFromPeer'))[0]).toEqual({ text: 'after it' })
  })

  test('what nobody listened to is not shown to the next user of the client', async () => {
    const user = await RtmUser.login(scope, someone(), cluster.a)
    const shared = ArRTM.createInstance('dev', { url: cluster.b.url })
    scope.defer('the shared one', () => shared.logout().catch(() => undefined))
    const [first, second] = [someone(), someone()]
    await shared.login({ uid: first })
    expect(await user.client.sendMessageToPeer({ text: 'for the first' }, first)).toEqual({ hasPeerReceived: true })
    const call = user.client.createLocalInvitation(first)
    call.send()
    await eventually('it rings', () => call.state === 'RECEIVED_BY_REMOTE')
    await shared.logout()
    await shared.login({ uid: second })
    const heard: string[] = []
    shared.on('MessageFromPeer', ({ text }) => heard.push(text))
    shared.on('RemoteInvitationReceived', ({ callerId }) => heard.push(callerId))
    expect(await user.client.sendMessageToPeer({ text: 'for the second' }, second)).toEqual({ hasPeerReceived: true })
    expect(heard).toEqual(['for the second'])
  })

  test('one that is sent while the sender\'s connection is lost arrives once, when it is back', async () => {
    const peer = await RtmUser.login(scope, someone(), cluster.b)
    const wire = await Link.open(scope, cluster.a)
    const user = await RtmUser.login(scope, someone(), wire)
    wire.cut()
    const sending = user.client.sendMessageToPeer({ text: 'through the tunnel' }, peer.uid)
    wire.restore(cluster.b)
    expect(await sending).toEqual({ hasPeerReceived: true })
    expect(await user.client.sendMessageToPeer({ text: 'after it' }, peer.uid)).toEqual({ hasPeerReceived: true })
    expect((await peer.next('MessageFromPeer'))[0]).toEqual({ text: 'through the tunnel' })
    expect((await peer.next('MessageFromPeer'))[0]).toEqual({ text: 'after it' })
  })

  test('limits: 32 KB of text, 60 a second, and who may be a peer', async () => {
    const peer = await RtmUser.login(scope, someone(), cluster.b)
    const user = await RtmUser.login(scope, someone(), cluster.a)
    const { client } = user
    expect(await client.sendMessageToPeer({ text: 'é'.repeat(16_384) }, peer.uid)).toEqual({ hasPeerReceived: true })
    await expect(client.sendMessageToPeer({ text: 'é'.repeat(16_385) }, peer.uid)).rejects.toMatchObject({ code: 7 })
    await expect(client.sendMessageToPeer({ text: 1 as never }, peer.uid)).rejects.toMatchObject({ code: 7 })
    await expect(client.sendMessageToPeer({ text: 'x' }, 'x'.repeat(65))).rejects.toMatchObject({ code: 6 })
    const outcomes = await Promise.allSettled(Array.from({ length: 70 }, (_, i) => client.sendMessageToPeer({ text: String(i) }, peer.uid)))
    const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as { code: number }] : []))
    expect(refused.length).toBeGreaterThan(0)
    for (const { code } of refused) expect(code).toBe(5)
  })
})
