import { describe, expect, test } from '@jest/globals'

import type { TimPresence } from '../../src/client/compat/tim/index.js'
import { uniqueChannel } from '../support/client.js'
import { connectPlain } from '../support/plain.js'
import { useCluster } from '../support/node.js'
import { useTestScope } from '../support/scope.js'
import { befriend, TimUser } from '../support/tim.js'

const cluster = useCluster()
const scope = useTestScope()
const account = (name: string): string => uniqueChannel(name)

const SHOW_CHAT = 1
const SHOW_AWAY = 2
const SUNSHINE = '☀️☀️☀️'

describe('a broadcast', () => {
  test('001.1 reaches every session of every online mutual friend, on any node, and nobody else', async () => {
    const name = account('a')
    const a = await TimUser.login(scope, name, cluster.a)
    const second = await TimUser.login(scope, name, cluster.b)
    const friend = await TimUser.login(scope, account('friend'), cluster.a)
    const friendsPhone = await TimUser.login(scope, friend.account, cluster.b)
    const far = await TimUser.login(scope, account('far'), cluster.b)
    const stranger = await TimUser.login(scope, account('stranger'), cluster.b)
    const suitor = await TimUser.login(scope, account('suitor'), cluster.a)
    await befriend(a, friend)
    await befriend(a, far)
    await suitor.tc.Addroster(name, 'please')
    await a.tc.BroadPresence(1, 1, 'x')

    for (const each of [friend, friendsPhone, far]) {
      expect(await each.expectFrom(name, 1)).toEqual([{ id: expect.any(String), subStatus: 1, show: 1, status: 'x', fromTid: { node: name } }])
    }
    // The friend is heard by all of these: what was for them of the broadcast would be here first.
    for (const each of [a, second, stranger, suitor]) {
      await each.settled(far)
      expect(each.from(name)).toEqual([])
    }
  })

  test('001.5 is what friends learn of a login by: the login alone tells them nothing', async () => {
    const watcher = await TimUser.login(scope, account('watcher'), cluster.b)
    const name = account('a')
    const first = await TimUser.login(scope, name, cluster.a)
    await befriend(first, watcher)
    await first.tc.logout()
    expect(await watcher.expectFrom(name, 1)).toMatchObject([{ offline: true }])
    const again = await TimUser.login(scope, name, cluster.a)
    await again.tc.BroadPresence(1, SHOW_CHAT, SUNSHINE)
    const [, second] = await watcher.expectFrom(name, 2)
    expect(second).toMatchObject({ subStatus: 1, status: SUNSHINE })
  })

  test('001.10 with `show: 2` never sets offline: the account stays online', async () => {
    const a = await TimUser.login(scope, account('a'), cluster.a)
    const b = await TimUser.login(scope, account('b'), cluster.b)
    await befriend(a, b)
    await a.tc.BroadPresence(0, SHOW_AWAY, 'invisible')
    const [heard] = await b.expectFrom(a.account, 1)
    expect(heard).toEqual({ id: expect.any(String), fromTid: { node: a.account }, show: 2, status: 'invisible' })
    await b.tc.PresenceToUser(a.account, SHOW_CHAT, 'still there?')
    await a.expectFrom(b.account, 1)
    const asker = await connectPlain(scope, account('asker'), cluster.b)
    expect(await asker.must('queryPeers', { userIds: [a.account] })).toMatchObject({ statuses: { [a.account]: { status: 'ONLINE' } } })
  })
})

describe('what is told', () => {
  test('001.2 arrives as it was sent, and says who sent it by the server\'s word', async () => {
    const a = await TimUser.login(scope, account('a'), cluster.a)
    const b = await TimUser.login(scope, account('b'), cluster.b)
    const extend = { mood: '😄', __proto__key: 'x', empty: '' }
    await a.tc.PresenceToUser(b.account, -32_768, SUNSHINE, 1, extend, { raw: new Uint8Array([0, 255, 128]) })
    await a.tc.PresenceToList([b.account], 32_767, '', 127, null, { more: new Uint8Array(0) })
    const [one, two] = await b.expectFrom(a.account, 2)
    expect(one).toEqual({ id: expect.any(String), fromTid: { node: a.account }, show: -32_768, status: SUNSHINE, subStatus: 1, extend, extra: { raw: Buffer.from([0, 255, 128]).toString('base64') } })
    expect(two).toEqual({ id: expect.any(String), fromTid: { node: a.account }, show: 32_767, subStatus: 127, extra: { more: '' } })
  })

  test('001.11 nobody says of themselves who they are, or that they are gone', async () => {
    const b = await TimUser.login(scope, account('b'), cluster.b)
    const friend = await TimUser.login(scope, account('friend'), cluster.a)
    const liar = await connectPlain(scope, account('liar'), cluster.a)
    await liar.must('addFriend', { userId: b.account })
    await b.tc.Addroster(liar.user)
    await b.expectNotice(5, liar.user)
    const lie = { offline: true, id: 'mine', from: friend.account, fromTid: { node: friend.account }, status: 'x', timestamp: 1 }
    await liar.must('broadcastStatus', lie)
    await liar.must('sendStatus', { userIds: [b.account], ...lie })
    for (const told of await b.expectFrom(liar.user, 2)) {
      expect(told).toEqual({ id: expect.any(String), fromTid: { node: liar.user }, status: 'x' })
      expect(told.id).not.toBe('mine')
    }
    expect(b.from(friend.account)).toEqual([])
  })

  test('001.6 who is asked by many at once answers each of them', async () => {
    const b = await TimUser.login(scope, account('b'), cluster.b)
    const askers = await Promise.all(Array.from({ length: 60 }, () => TimUser.login(scope, account('a'), cluster.a)))
    b.tc.presenceHandler = (json) => {
      const { fromTid, subStatus } = JSON.parse(json) as TimPresence
      if (subStatus === 1) void b.tc.PresenceToUser(fromTid?.node ?? '', SHOW_CHAT, SUNSHINE, 2)
    }
    await Promise.all(askers.map((asker) => asker.tc.PresenceToUser(b.account, SHOW_CHAT, '', 1)))
    await Promise.all(askers.map((asker) => asker.expectFrom(b.account, 1)))
    for (const asker of askers) expect(asker.from(b.account)).toMatchObject([{ subStatus: 2, status: SUNSHINE }])
    expect(b.acks).toEqual([])
  })

  test('001.3 to an account that is offline is dropped: not kept for the next login', async () => {
    const a = await TimUser.login(scope, account('a'), cluster.a)
    const name = account('b')
    const before = await TimUser.login(scope, name, cluster.b)
    await befriend(a, before)
    await before.tc.logout()
    await a.expectFrom(name, 1)
    expect(await a.tc.PresenceToUser(name, 1, 'into the void')).toEqual({ ok: true, timType: 91 })
    await a.tc.BroadPresence(1, 1, 'the same')
    const after = await TimUser.login(scope, name, cluster.b)
    await after.settled(a)
    expect(after.from(a.account)).toHaveLength(1)
    expect(a.acks).toEqual([])
  })

  test('001.4 to one or to several needs no friendship; an account that is not known is answered for, success is not', async () => {
    const a = await TimUser.login(scope, account('a'), cluster.a)
    const b = await TimUser.login(scope, account('b'), cluster.b)
    const c = await TimUser.login(scope, account('c'), cluster.a)
    const gone = await TimUser.login(scope, account('gone'), cluster.b)
    await gone.tc.logout()
    const nobody = account('nobody')
    const listed = account('listed')
    await b.tc.Addroster(listed, 'you have never been here')
    await a.tc.PresenceToUser(b.account, 1, 'to one')
    await a.tc.PresenceToList([b.account, c.account, gone.account, listed], 1, 'to several')
    await b.expectFrom(a.account, 2)
    await c.expectFrom(a.account, 1)
    expect(a.acks).toEqual([])

    const refusal = { ok: false, timType: 91, error: { code: 4106, info: expect.any(String) }, n: nobody }
    expect(await a.tc.PresenceToUser(nobody, 1, 'x')).toEqual(refusal)
    expect(await a.expectAcks(1)).toEqual([refusal])
    await a.tc.PresenceToList([c.account, nobody], 1, 'x')
    expect(await a.expectAcks(2)).toEqual([refusal, refusal])
    await c.expectFrom(a.account, 2)
  })

  test('001.6 asked for an answer, one answers, and there it ends', async () => {
    const a = await TimUser.login(scope, account('a'), cluster.a)
    const b = await TimUser.login(scope, account('b'), cluster.b)
    for (const { tc } of [a, b]) {
      const keep = tc.presenceHandler
      tc.presenceHandler = (json) => {
        keep?.(json)
        const { subStatus, fromTid } = JSON.parse(json) as { subStatus?: number; fromTid: { node: string } }
        if (subStatus === 1) void tc.PresenceToUser(fromTid.node, 0, '😄', 2, null, null)
      }
    }
    await befriend(a, b)
    await a.tc.BroadPresence(1, 0, '😄')
    expect(await b.expectFrom(a.account, 1)).toMatchObject([{ subStatus: 1, status: '😄' }])
    expect(await a.expectFrom(b.account, 1)).toMatchObject([{ subStatus: 2, status: '😄' }])
    const marker = await TimUser.login(scope, account('marker'), cluster.a)
    for (const each of [a, b]) await each.settled(marker)
    expect([a.from(b.account).length, b.from(a.account).length]).toEqual([1, 1])
  })

  test('what cannot be is answered for, and nobody hears of it', async () => {
    const a = await TimUser.login(scope, account('a'), cluster.a)
    const b = await TimUser.login(scope, account('b'), cluster.b)
    const refused = (code: number) => ({ ok: false, error: { code } })
    expect(await a.tc.PresenceToUser(b.account, 40_000, 'x')).toMatchObject(refused(4104))
    expect(await a.tc.PresenceToUser('', 1, 'x')).toMatchObject(refused(4104))
    expect(await a.tc.PresenceToUser(b.account, 1, 'x'.repeat(20_000))).toMatchObject(refused(4104))
    expect(await a.tc.Addroster(a.account)).toMatchObject(refused(4105))
    expect(await a.tc.PresenceToUser(b.account, 1, 'x', 0, null, { k: 5 as never })).toMatchObject(refused(4104))
    await a.expectAcks(5)
    const gone = TimUser.create(scope, account('gone'), cluster.a)
    expect(await gone.tc.BroadPresence(1, 1, 'x')).toMatchObject(refused(4105))
    await b.settled(a)
    expect(b.from(a.account)).toHaveLength(1)
  })
})
