import { describe, expect, test } from '@jest/globals'

import ArRTM from '../../src/client/compat/ar-rtm/index.js'
import { uniqueChannel } from '../support/client.js'
import { Link } from '../support/link.js'
import { startNode, useCluster } from '../support/node.js'
import { RtmUser } from '../support/rtm.js'
import { useTestScope } from '../support/scope.js'
import { connectPlain } from '../support/plain.js'
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
