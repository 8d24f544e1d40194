import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { runInThisContext } from 'node:vm'

import { describe, expect, test } from '@jest/globals'

import ArRTM, { type RtmClient, type RtmParameters } from '../../src/client/compat/ar-rtm/index.js'
import { uniqueChannel } from '../support/client.js'
import { http } from '../support/http.js'
import { Link } from '../support/link.js'
import { startNode, useCluster } from '../support/node.js'
import { freePort } from '../support/process.js'
import { RtmUser } from '../support/rtm.js'
import { useTestScope } from '../support/scope.js'
import { TcpProxy } from '../support/tcp-proxy.js'
import { SECRET, tokenFor } from '../support/tokens.js'
import { eventually, within } from '../support/wait.js'

const cluster = useCluster()
const scope = useTestScope()
const someone = (): string => uniqueChannel('user')

const IN = ['CONNECTING LOGIN', 'CONNECTED LOGIN_SUCCESS']

describe('login and logout', () => {
  test('002.1 002.3 a login is told in two steps, a logout in one; subscriptions end with it', async () => {
    const user = await RtmUser.login(scope, someone(), cluster.a)
    // Told by the time that the call is answered.
    expect(user.states).toEqual(IN)
    const peer = someone()
    await user.client.subscribePeersOnlineStatus([peer])
    await user.next('PeersOnlineStatusChanged')
    await user.client.logout()
    expect(user.states).toEqual([...IN, 'DISCONNECTED LOGOUT'])

    await user.client.login({ uid: user.uid })
    await user.untilStates(...IN, 'DISCONNECTED LOGOUT', ...IN)
    expect(await user.client.queryPeersBySubscriptionOption('ONLINE_STATUS')).toEqual([])
    await RtmUser.login(scope, peer, cluster.b)
    expect(await user.client.queryPeersOnlineStatus([peer])).toEqual({ [peer]: true })
    expect(user.of('PeersOnlineStatusChanged')).toHaveLength(1)
    await user.client.subscribePeersOnlineStatus([peer])
    expect(await user.next('PeersOnlineStatusChanged')).toEqual([{ [peer]: 'ONLINE' }])
  })

  test('002.2 a login that fails is told, and rejects with the code of why', async () => {
    const secret = { redisUrl: cluster.redis.url, appId: 'locked', secret: SECRET }
    const node = await startNode(scope, secret)
    const uid = someone()
    const user = new RtmUser(uid, ArRTM.createInstance('locked', { url: node.url }))
    await expect(user.client.login({ uid, token: 'no token' })).rejects.toMatchObject({ code: 4 })
    expect(user.states).toEqual(['CONNECTING LOGIN', 'DISCONNECTED LOGIN_FAILURE'])
    const expired = tokenFor(uid, { app: 'locked', ttlS: -60 })
    await expect(user.client.login({ uid, token: expired })).rejects.toMatchObject({ code: 5 })
    const other = RtmUser.create(scope, uid, cluster.a)
    await expect(other.client.login({ uid: 'x'.repeat(65) })).rejects.toMatchObject({ code: 2 })
    expect(other.states).toEqual(['DISCONNECTED LOGIN_FAILURE'])
    await expect(other.client.login(null as never)).rejects.toMatchObject({ code: 2 })
    expect(other.states).toEqual(['DISCONNECTED LOGIN_FAILURE', 'DISCONNECTED LOGIN_FAILURE'])
    const nowhere = new RtmUser(uid, ArRTM.createInstance('dev', null))
    await expect(nowhere.client.login({ uid: '' })).rejects.toMatchObject({ code: 2 })
    expect(nowhere.states).toEqual(['DISCONNECTED LOGIN_FAILURE'])
    const wrong = new RtmUser(uid, ArRTM.createInstance('another-app', { url: cluster.a.url }))
    await expect(wrong.client.login({ uid })).rejects.toMatchObject({ code: 3 })
    await wrong.untilStates('CONNECTING LOGIN', 'DISCONNECTED LOGIN_FAILURE')
    const right = new RtmUser(uid, ArRTM.createInstance('locked', { url: node.url }))
    await right.client.login({ uid, token: tokenFor(uid, { app: 'locked' }) })
    await right.client.logout()
  })

  test('002.2 a login that nobody answers is given up after 6 s', async () => {
    const uid = someone()
    const user = RtmUser.create(scope, uid, { url: `http://127.0.0.1:${await freePort()}` })
    await expect(user.client.login({ uid })).rejects.toMatchObject({ code: 8 })
    await user.untilStates('CONNECTING LOGIN', 'DISCONNECTED LOGIN_TIMEOUT')
  })

  test('002.17 calls before a login, and after a logout, reject with 102', async () => {
    const uid = someone()
    const user = RtmUser.create(scope, uid, cluster.a)
    const calls = (): Promise<unknown>[] => [
      user.client.logout(),
      user.client.renewToken('token'),
      user.client.sendMessageToPeer({ text: 'x' }, 'peer'),
      user.client.queryPeersOnlineStatus(['peer']),
      user.client.subscribePeersOnlineStatus(['peer']),
      user.client.unsubscribePeersOnlineStatus(['peer']),
      user.client.queryPeersBySubscriptionOption('ONLINE_STATUS'),
    ]
    for (const call of calls()) await expect(call).rejects.toMatchObject({ code: 102 })
    await user.client.login({ uid })
    await expect(user.client.login({ uid })).rejects.toMatchObject({ code: 7 })
    await user.client.logout()
    for (const call of calls()) await expect(call).rejects.toMatchObject({ code: 102 })
  })

  test('a login waits for the logout before it: the last that is told is true', async () => {
    const user = await RtmUser.login(scope, someone(), cluster.a)
    const leaving = user.client.logout()
    const other = someone()
    await user.client.login({ uid: other })
    await leaving
    expect(user.states).toEqual([...IN, 'DISCONNECTED LOGOUT', ...IN])
    await eventually('the first is gone', async () => (await user.client.queryPeersOnlineStatus([user.uid]))[user.uid] === false)
    expect(await user.client.queryPeersOnlineStatus([other])).toEqual({ [other]: true })
  })

  test('a login that is asked for when the logout has ended a call waits for it too', async () => {
    const user = await RtmUser.login(scope, someone(), cluster.a)
    let again: Promise<void> | undefined
    const call = user.client.createLocalInvitation(someone())
    call.on('LocalInvitationFailure', () => {
      again = user.client.login({ uid: user.uid })
    })
    call.send()
    await user.client.logout()
    await again
    expect(user.states).toEqual([...IN, 'DISCONNECTED LOGOUT', ...IN])
  })

  test('of logins and logouts that do not wait for one another the last one counts', async () => {
    const user = await RtmUser.login(scope, someone(), cluster.a)
    const watcher = await RtmUser.login(scope, someone(), cluster.b)
    const { client, uid } = user
    // A view that goes, comes and goes.
    const first = client.logout()
    const login = expect(client.login({ uid })).rejects.toMatchObject({ code: 1 })
    await Promise.all([first, client.logout(), login])
    expect(user.states).toEqual([...IN, 'DISCONNECTED LOGOUT'])
    await eventually('it is not there', async () => (await watcher.client.queryPeersOnlineStatus([uid]))[uid] === false)
    await expect(client.logout()).rejects.toMatchObject({ code: 102 })

    await client.login({ uid })
    expect(await watcher.client.queryPeersOnlineStatus([uid])).toEqual({ [uid]: true })
  })

  test('a logout gives up the login that is under way: the user is not there, nor comes to be', async () => {
    const node = await startNode(scope, { redisUrl: cluster.redis.url, pingIntervalMs: 20_000, pingTimeoutMs: 10_000 })
    const wire = await TcpProxy.open(scope, node)
    const user = RtmUser.create(scope, someone(), wire, { presenceTimeout: 60_000 })
    const watcher = await RtmUser.login(scope, someone(), cluster.b)
    const isThere = async (): Promise<boolean> => (await watcher.client.queryPeersOnlineStatus([user.uid]))[user.uid] === true
    // The node lets it in, and the client does not hear of that.
    wire.hold(['down'], (first) => first.includes('sid='))
    const login = expect(user.client.login({ uid: user.uid })).rejects.toMatchObject({ code: 1 })
    await eventually('the node has let it in', isThere, { everyMs: 60 })
    await user.client.logout()
    await login
    expect(user.states).toEqual(['CONNECTING LOGIN', 'DISCONNECTED LOGOUT'])
    wire.heal()
    await eventually('the node lets it go', async () => !(await isThere()), { everyMs: 60 })
  })

  test('a call that a logout cuts short rejects with 102', async () => {
    const wire = await Link.open(scope, cluster.a)
    const user = await RtmUser.login(scope, someone(), wire)
    wire.cut()
    await user.untilStates(...IN, 'RECONNECTING INTERRUPTED')
    const calls = [user.client.renewToken('token'), user.client.subscribePeersOnlineStatus([someone()]), user.client.sendMessageToPeer({ text: 'x' }, someone())]
    const outcomes = Promise.allSettled(calls)
    await user.client.logout()
    for (const outcome of await outcomes) expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 102 } })
  })

  test('logins come at most twice a second', async () => {
    const uid = someone()
    const user = RtmUser.create(scope, uid, cluster.a)
    for (let i = 0; i < 2; i += 1) {
      await user.client.login({ uid })
      await user.client.logout()
    }
    await expect(user.client.login({ uid })).rejects.toMatchObject({ code: 9 })
  })
})

describe('the connection', () => {
  test('002.4 with single login, a second one of the uid ends the first for good', async () => {
    const options = { redisUrl: cluster.redis.url, login: 'replace' as const }
    const [one, two] = [await startNode(scope, options), await startNode(scope, options)]
    const uid = someone()
    const first = await RtmUser.login(scope, uid, one)
    await RtmUser.login(scope, uid, two)
    await first.untilStates(...IN, 'ABORTED REMOTE_LOGIN')
    await expect(first.client.queryPeersOnlineStatus([uid])).rejects.toMatchObject({ code: 102 })
    expect(first.states).toHaveLength(3)
  })

  test('one that the application ends is banned', async () => {
    const user = await RtmUser.login(scope, someone(), cluster.a)
    await http(cluster.b.port, `/v1/users/${user.uid}/disconnect`, { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } })
    await user.untilStates(...IN, 'ABORTED BANNED_BY_SERVER')
  })

  test('002.5 when it is lost it is RECONNECTING, and CONNECTED when it is back', async () => {
    const wire = await Link.open(scope, cluster.a)
    const user = await RtmUser.login(scope, someone(), wire)
    wire.cut()
    await user.untilStates(...IN, 'RECONNECTING INTERRUPTED')
    wire.restore(cluster.b)
    await user.untilStates(...IN, 'RECONNECTING INTERRUPTED', 'CONNECTED LOGIN_SUCCESS')
    expect(user.states).toHaveLength(4)
  })
})

describe('the token', () => {
  const APP = 'tokens'

  async function withToken(ttlS: number): Promise<RtmUser> {
    const node = await startNode(scope, { redisUrl: cluster.redis.url, appId: APP, secret: SECRET })
    const uid = someone()
    const user = new RtmUser(uid, ArRTM.createInstance(APP, { url: node.url }))
    scope.defer('its session', () => user.client.logout().catch(() => undefined))
    await user.client.login({ uid, token: tokenFor(uid, { app: APP, ttlS }) })
    return user
  }

  test('002.14 is said to expire 30 s before it does, and one that is renewed in time does not', async () => {
    const user = await withToken(4)
    await user.next('TokenWillExpired')
    await user.client.renewToken(tokenFor(user.uid, { app: APP, ttlS: 33 }))
    // The new one is told of in its own time, a second after the old one would have ended.
    await user.next('TokenWillExpired')
    expect(user.of('TokenDidExpired')).toEqual([])
    expect(user.states).toEqual(IN)
    await expect(user.client.renewToken('no token')).rejects.toMatchObject({ code: 4 })
    await expect(user.client.renewToken(undefined as never)).rejects.toMatchObject({ code: 2 })
  })

  test('002.14 may be renewed by whoever hears of it, also while the login is just being answered', async () => {
    const node = await startNode(scope, { redisUrl: cluster.redis.url, appId: APP, secret: SECRET })
    for (let i = 0; i < 10; i += 1) {
      const uid = someone()
      const user = new RtmUser(uid, ArRTM.createInstance(APP, { url: node.url }))
      scope.defer('its session', () => user.client.logout().catch(() => undefined))
      const renewal = new Promise<void>((resolve, reject) => {
        user.client.on('TokenWillExpired', () => void user.client.renewToken(tokenFor(uid, { app: APP })).then(resolve, reject))
      })
      await user.client.login({ uid, token: tokenFor(uid, { app: APP, ttlS: 20 }) })
      await within(renewal, 15_000, 'the token is renewed')
      expect(user.heard.map(({ name }) => name)).toEqual(['ConnectionStateChanged', 'ConnectionStateChanged', 'TokenWillExpired'])
    }
  })

  test('002.15 has expired: the server has closed the connection, calls fail with 102, and a fresh login is needed', async () => {
    const user = await withToken(2)
    await user.next('TokenDidExpired')
    await expect(user.client.queryPeersOnlineStatus([user.uid])).rejects.toMatchObject({ code: 102 })
    await user.untilStates(...IN, 'ABORTED TOKEN_EXPIRED')
    await user.client.login({ uid: user.uid, token: tokenFor(user.uid, { app: APP }) })
    expect(await user.client.queryPeersOnlineStatus([user.uid])).toEqual({ [user.uid]: true })
    expect(user.of('TokenDidExpired')).toHaveLength(1)
  })
})

test('002.18 the sample runs as it is printed; listeners that are added after login was called miss nothing', async () => {
  const text = await readFile(path.join(import.meta.dirname, 'samples', '002-rtm-client.txt'), 'utf8')
  const printed: unknown[][] = []
  let client: RtmClient | undefined
  // The address is what the sample does not have; the import is what stands around it here.
  const createInstance = (appId: string, parameters: RtmParameters): RtmClient => (client = ArRTM.createInstance(appId, { ...parameters, url: cluster.a.url }))
  scope.defer('the sample\'s client', () => client?.logout().catch(() => undefined))
  const sample = runInThisContext(`(function (ArRTM, appId, console) {\n${text.replace(/^import .*$/m, '')}\n})`) as (...args: unknown[]) => void
  sample({ createInstance }, 'dev', { log: (...args: unknown[]) => printed.push(args) })
  await eventually('it prints both states', () => printed.length >= 2)
  expect(printed).toEqual([['CONNECTING', 'LOGIN'], ['CONNECTED', 'LOGIN_SUCCESS']])

  const friend = await RtmUser.login(scope, someone(), cluster.b)
  expect(await friend.client.sendMessageToPeer({ text: 'hello' }, 'userID')).toEqual({ hasPeerReceived: true })
  await eventually('it prints the message', () => printed.length >= 3)
  expect(printed[2]).toEqual([{ text: 'hello' }, friend.uid, { isOfflineMessage: false, serverReceivedTs: expect.any(Number) }])
})
