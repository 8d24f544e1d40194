import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from '@jest/globals'
import { Server, type Socket } from 'socket.io'
import { RollcallClient, type ClientOptions, type LinkStateEvent } from '../../src/client/index.js'
import { RollcallError } from '../../src/protocol/errors.js'
import { DEFAULT_LIMITS } from '../../src/protocol/limits.js'
import type { HandshakeAuth } from '../../src/protocol/requests.js'
import { useTestScope, type Scope } from '../support/scope.js'
import { eventually, within } from '../support/wait.js'

type Ack = (reply: object) => void

/** As much of a node as the link needs: it accepts or refuses, and answers what the test lets it answer. */
class FakeNode {
  readonly logins: HandshakeAuth[] = []
  readonly sockets: Socket[] = []
  refusal: RollcallError | null = null
  /** How each request is answered; without an entry, `{}`. */
  readonly answers = new Map<string, (ack: Ack, socket: Socket, payload: unknown) => void>()
  url = ''

  static async start(scope: Scope, nodeId = 'node'): Promise<FakeNode> {
    const node = new FakeNode()
    const http = createServer()
    const io = new Server(http)
    io.use((socket, next) => {
      node.logins.push(socket.handshake.auth as HandshakeAuth)
      if (node.refusal === null) return next()
      next(Object.assign(new Error('refused'), { data: node.refusal.body('login') }))
    })
    io.on('connection', (socket) => {
      node.sockets.push(socket)
      const known = (socket.handshake.auth as HandshakeAuth).sessionId
      socket.emit('ready', { sessionId: known ?? 'session-1', attach: 7, nodeId, resumed: known !== undefined, presenceTimeout: 30_000, timestamp: 1, limits: DEFAULT_LIMITS })
      socket.onAny((name: string, payload: unknown, ack?: Ack) => {
        if (ack === undefined) return
        const answer = node.answers.get(name)
        if (answer === undefined) ack({ ok: true, timestamp: 2 })
        else answer(ack, socket, payload)
      })
    })
    http.listen(0, '127.0.0.1')
    await once(http, 'listening')
    node.url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
    scope.defer('a fake node', async () => io.close())
    return node
  }

  get socket(): Socket {
    const socket = this.sockets.at(-1)
    if (socket === undefined) throw new Error('nobody is connected')
    return socket
  }
}

const scope = useTestScope()

/** Over WebSockets: a fake node that ends a polling connection would wait 30 s for the next poll. */
function clientOf(appId: string, userId: string, options: ClientOptions) {
  const client = new RollcallClient(appId, userId, { transports: ['websocket'], ...options })
  const states: LinkStateEvent[] = []
  client.on('linkState', (event) => states.push(event))
  scope.defer('the client', () => client.logout())
  const path = () => states.map(({ currentState }) => currentState)
  return { client, states, path }
}

const lost = (node: FakeNode) => node.socket.conn.close()

describe('login', () => {
  test('is one session, whoever asks for it', async () => {
    const node = await FakeNode.start(scope)
    const { client, path } = clientOf('dev', 'me', { url: node.url })
    const [one, two] = await Promise.all([client.login(), client.login()])
    expect(one).toEqual({ timestamp: 1 })
    expect(two).toBe(one)
    await client.login()
    expect(node.logins).toEqual([{ appId: 'dev', userId: 'me' }])
    await eventually('two link states', () => path().length === 2)
    expect(path()).toEqual(['CONNECTING', 'CONNECTED'])
    expect([client.sessionId, client.nodeId]).toEqual(['session-1', 'node'])
  })

  test('a final refusal fails it at once, and it can be tried again', async () => {
    const node = await FakeNode.start(scope)
    node.refusal = new RollcallError('INVALID_TOKEN', 'not ours')
    const { client, states } = clientOf('dev', 'me', { url: node.url })
    await expect(client.login()).rejects.toMatchObject({ code: 'INVALID_TOKEN', errorCode: -10005, operation: 'login', reason: 'not ours', error: true })
    await eventually('FAILED', () => states.at(-1)?.currentState === 'FAILED')
    expect(states.at(-1)).toMatchObject({ reasonCode: -10005, operation: 'LOGIN' })
    await expect(client.subscribe('room')).rejects.toMatchObject({ code: 'NOT_LOGIN', retryable: false })
    await expect(client.presence.whereNow('me')).rejects.toMatchObject({ code: 'NOT_LOGIN', operation: 'presenceWhereNow' })
    node.refusal = null
    await client.login()
    expect(node.logins).toHaveLength(2)
  })

  test('an expired token is final, unless there is a way to a new one', async () => {
    const node = await FakeNode.start(scope)
    node.refusal = new RollcallError('TOKEN_EXPIRED', 'over')
    await expect(clientOf('dev', 'me', { url: node.url, token: 'old' }).client.login()).rejects.toMatchObject({ code: 'TOKEN_EXPIRED' })
    const { client } = clientOf('dev', 'me', {
      url: node.url,
      getToken: () => {
        if (node.logins.length === 2) node.refusal = null
        return Promise.resolve(`token ${node.logins.length}`)
      },
    })
    await client.login()
    expect(node.logins.map(({ token }) => token)).toEqual(['old', 'token 1', 'token 2'])
  })

  test('the addresses are tried in turn, and what can be retried is', async () => {
    const [busy, node] = [await FakeNode.start(scope), await FakeNode.start(scope, 'second')]
    busy.refusal = new RollcallError('NOT_CONNECTED', 'draining')
    const { client } = clientOf('dev', 'me', { url: ['http://127.0.0.1:1', busy.url, node.url] })
    await client.login()
    expect(client.nodeId).toBe('second')
    expect(busy.logins).toHaveLength(1)
  })

  test('a user id that cannot be is refused without asking', async () => {
    const { client } = clientOf('dev', '.', { url: 'http://127.0.0.1:1' })
    await expect(client.login()).rejects.toMatchObject({ code: 'INVALID_USER_ID', operation: 'login' })
  })

  test('before it, and after logout, nothing can be asked', async () => {
    const node = await FakeNode.start(scope)
    const { client, path } = clientOf('dev', 'me', { url: node.url })
    await expect(client.presence.setState('room', 'MESSAGE', { a: '1' })).rejects.toMatchObject({ code: 'NOT_LOGIN', errorCode: -10002, operation: 'presenceSetState' })
    await expect(client.createStreamChannel('room').join()).rejects.toMatchObject({ code: 'NOT_LOGIN', operation: 'streamJoin' })
    await client.login()
    const gone = once(node.socket, 'disconnect')
    await client.logout()
    expect(await gone).toEqual(['client namespace disconnect', undefined])
    await expect(client.unsubscribe('room')).rejects.toMatchObject({ code: 'NOT_LOGIN' })
    await eventually('IDLE', () => path().at(-1) === 'IDLE')
    await client.login()
    expect(node.logins[1]).toEqual({ appId: 'dev', userId: 'me' })
  })

  test('that waits for a logout is given up by another one', async () => {
    const node = await FakeNode.start(scope)
    const { client } = clientOf('dev', 'me', { url: node.url })
    await client.login()
    const leaving = client.logout()
    const login = expect(client.login()).rejects.toMatchObject({ code: 'PRESENCE_REQUEST_CANCELLED', operation: 'login' })
    await Promise.all([leaving, client.logout(), login])
    expect([client.linkState, node.logins.length]).toEqual(['IDLE', 1])

    await client.login()
    const again = [client.logout(), client.login(), client.logout(), client.login()]
    expect((await Promise.allSettled(again)).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled'])
    expect([client.linkState, node.logins.length]).toEqual(['CONNECTED', 3])

    // As soon as it has left: the login that waited has not begun by then.
    const left = client.logout().then(() => client.logout())
    await expect(client.login()).rejects.toMatchObject({ code: 'PRESENCE_REQUEST_CANCELLED' })
    await left
    expect([client.linkState, node.logins.length]).toEqual(['IDLE', 3])
  })

  test('that waited for a logout tells the node too when its page is closed', async () => {
    const window = new EventTarget()
    const page = { document: {}, addEventListener: window.addEventListener.bind(window), removeEventListener: window.removeEventListener.bind(window) }
    Object.assign(globalThis, page)
    scope.defer('the page', () => {
      for (const name of Object.keys(page)) Reflect.deleteProperty(globalThis, name)
    })
    const node = await FakeNode.start(scope)
    const { client } = clientOf('dev', 'me', { url: node.url })
    await client.login()
    await Promise.all([client.logout(), client.login()])
    const closing = once(node.socket, 'closing')
    window.dispatchEvent(new Event('pagehide'))
    await within(closing, 5_000, 'the node hears of it')
  })
})

describe('a lost connection', () => {
  test('is made again with the same session', async () => {
    const node = await FakeNode.start(scope)
    let tokens = 0
    const { client, states, path } = clientOf('dev', 'me', { url: node.url, getToken: () => Promise.resolve(`token ${++tokens}`) })
    await client.login({ tag: 'phone' })
    lost(node)
    await eventually('two logins', () => states.length === 5)
    expect(path()).toEqual(['CONNECTING', 'CONNECTED', 'DISCONNECTED', 'CONNECTING', 'CONNECTED'])
    expect(states.at(-1)).toMatchObject({ previousState: 'CONNECTING', operation: 'RECONNECTED', isResumed: true })
    expect(node.logins[1]).toEqual({ appId: 'dev', userId: 'me', tag: 'phone', token: 'token 2', sessionId: 'session-1', attach: 8, received: { life: '', position: 0 } })
  })

  test('a read is asked again, a change of unknown outcome is not', async () => {
    const node = await FakeNode.start(scope)
    const asked: string[] = []
    node.answers.set('subscribe', (ack) => ack({ ok: true, timestamp: 2, version: 1 }))
    node.answers.set('resume', (ack) => ack({ ok: true, timestamp: 2, channels: [{ channelName: 'room', channelType: 'MESSAGE', result: 'unchanged', version: 1 }] }))
    const take = (name: string) => {
      asked.push(name)
      if (asked.length === 2) lost(node)
      return asked.length > 2
    }
    node.answers.set('setState', () => void take('setState'))
    node.answers.set('whereNow', (ack) => {
      if (take('whereNow')) ack({ ok: true, timestamp: 3, totalChannel: 0, channels: [] })
    })
    const { client } = clientOf('dev', 'me', { url: node.url })
    await client.login()
    await client.subscribe('room')
    const change = client.presence.setState('room', 'MESSAGE', { a: '1' })
    const read = client.presence.whereNow('me')
    await expect(change).rejects.toMatchObject({ code: 'PRESENCE_REQUEST_CANCELLED', errorCode: -13015, operation: 'presenceSetState' })
    await expect(read).resolves.toEqual({ totalChannel: 0, channels: [], timestamp: 3 })
    expect([...asked].sort()).toEqual(['setState', 'whereNow', 'whereNow'])
  })

  test('what is asked meanwhile waits for the next one', async () => {
    const node = await FakeNode.start(scope)
    node.answers.set('whereNow', (ack) => ack({ ok: true, timestamp: 3, totalChannel: 0, channels: [] }))
    const { client, path } = clientOf('dev', 'me', { url: node.url })
    await client.login()
    lost(node)
    await eventually('reconnecting', () => path().includes('DISCONNECTED'))
    await expect(client.presence.whereNow('me')).resolves.toMatchObject({ timestamp: 3 })
  })

  test('calls that wait for one another end within 10 s, all of them', async () => {
    const node = await FakeNode.start(scope)
    node.answers.set('subscribe', () => undefined)
    const { client } = clientOf('dev', 'me', { url: node.url })
    await client.login()
    const calls = Promise.allSettled([client.subscribe('room'), client.subscribe('room'), client.subscribe('room')])
    for (const outcome of await within(calls, 15_000, 'all three have ended')) expect(outcome).toMatchObject({ reason: { code: 'PRESENCE_OPERATION_TIMEOUT', operation: 'subscribe' } })
  })

  test('a kick is final', async () => {
    const node = await FakeNode.start(scope)
    const { client, states } = clientOf('dev', 'me', { url: node.url })
    await client.login()
    const kicks: unknown[] = []
    client.on('kicked', (event) => kicks.push(event))
    node.socket.emit('kicked', { reason: 'enough', errorCode: -10002 })
    node.socket.disconnect(true)
    await eventually('FAILED', () => states.at(-1)?.currentState === 'FAILED')
    expect(states.at(-1)).toMatchObject({ operation: 'SERVER_REJECT', reason: 'enough', reasonCode: -10002 })
    expect(kicks).toEqual([{ reason: 'enough', errorCode: -10002 }])
    expect(node.logins).toHaveLength(1)
  })

  test('a refusal while reconnecting is final too', async () => {
    const node = await FakeNode.start(scope)
    const { client, states } = clientOf('dev', 'me', { url: node.url })
    await client.login()
    node.refusal = new RollcallError('PERMISSION_DENIED', 'not any more')
    lost(node)
    await eventually('FAILED', () => states.at(-1)?.currentState === 'FAILED')
    expect(states.at(-1)).toMatchObject({ reasonCode: -11038 })
  })

  test('a node that leaves is left for another one without a break', async () => {
    const [old, next] = [await FakeNode.start(scope, 'old'), await FakeNode.start(scope, 'next')]
    const { client, path } = clientOf('dev', 'me', { url: [old.url, next.url] })
    await client.login()
    old.socket.emit('moving', { afterMs: 5 })
    await eventually('the next node', () => client.nodeId === 'next')
    expect(next.logins[0]?.sessionId).toBe('session-1')
    await eventually('the old connection is closed', () => !old.socket.connected)
    expect(path()).toEqual(['CONNECTING', 'CONNECTED'])
  })
})

describe('a token that is about to expire', () => {
  test('is replaced by what getToken gives', async () => {
    const node = await FakeNode.start(scope)
    const renewals: unknown[] = []
    node.answers.set('renewToken', (ack, _socket, payload) => {
      renewals.push(payload)
      ack({ ok: true, timestamp: 2 })
    })
    let tokens = 0
    const { client } = clientOf('dev', 'me', { url: node.url, getToken: () => Promise.resolve(`token ${++tokens}`) })
    await client.login()
    const seen: string[] = []
    client.on('token', ({ eventType }) => seen.push(eventType))
    node.socket.emit('token', { eventType: 'WILL_EXPIRE' })
    await eventually('a renewal', () => renewals.length === 1)
    expect(renewals).toEqual([{ token: 'token 2' }])
    expect(seen).toEqual(['WILL_EXPIRE'])
  })
})

describe('a token that has expired', () => {
  const expire = (node: FakeNode): void => {
    node.socket.emit('token', { eventType: 'EXPIRED' })
    node.socket.disconnect(true)
  }

  test('is not shown again: the session is over', async () => {
    const node = await FakeNode.start(scope)
    const { client, states } = clientOf('dev', 'me', { url: node.url, token: 'the only one' })
    await client.login()
    const seen: string[] = []
    client.on('token', ({ eventType }) => seen.push(eventType))
    expire(node)
    await eventually('FAILED', () => states.at(-1)?.currentState === 'FAILED')
    expect(states.at(-1)).toMatchObject({ previousState: 'CONNECTED', operation: 'SERVER_REJECT', reasonCode: -10009 })
    expect(seen).toEqual(['EXPIRED'])
    await client.login({ token: 'another' })
    expect(node.logins.map(({ token }) => token)).toEqual(['the only one', 'another'])
  })

  test('is replaced by what getToken gives, and the session goes on', async () => {
    const node = await FakeNode.start(scope)
    let tokens = 0
    const { client, states } = clientOf('dev', 'me', { url: node.url, getToken: () => Promise.resolve(`token ${++tokens}`) })
    await client.login()
    expire(node)
    await eventually('two logins', () => states.length === 5)
    expect(states.at(-1)).toMatchObject({ currentState: 'CONNECTED', operation: 'RECONNECTED' })
    expect(node.logins.at(-1)).toMatchObject({ token: 'token 2', sessionId: 'session-1' })
  })
})
