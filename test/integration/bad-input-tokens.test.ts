import { beforeEach, describe, expect, test } from '@jest/globals'

import { ERRORS, type ErrorCode } from '../../src/protocol/errors.js'
import { BAD_NAMES } from '../support/bad-input.js'
import { useCluster } from '../support/node.js'
import { connectPlain, PlainClient } from '../support/plain.js'
import { useTestScope } from '../support/scope.js'
import { SECRET, jwt, tokenFor } from '../support/tokens.js'
import { eventually } from '../support/wait.js'
import { expectJoin, expectLeave, expectNoEvents } from '../support/watcher.js'
import { wireChannel } from '../support/wire-suite.js'

const cluster = useCluster({ secret: SECRET, limits: { callsPerSecond: 100_000 } })
const scope = useTestScope()

/** Those of the test before have been told to go; what is compared begins when they have. */
beforeEach(async () => {
  await eventually('nobody is there', async () => (await cluster.redis.keys('rollcall:{*}:members:*')).length === 0)
})

const now = () => Math.floor(Date.now() / 1000)
const soon = () => now() + 600
const claims = (extra: Readonly<Record<string, unknown>> = {}) => ({ sub: 'ada', app: 'dev', exp: soon(), ...extra })
const without = (name: string) => Object.fromEntries(Object.entries(claims()).filter(([key]) => key !== name))
const [header, payload, signature] = tokenFor('ada').split('.') as [string, string, string]

type Auth = Readonly<Record<string, unknown>>

async function refused(auth: Auth, code: ErrorCode): Promise<void> {
  const before = await cluster.redis.contents()
  const client = PlainClient.open(scope, 'ada', cluster.a, { auth, reconnection: false })
  expect(await client.untilRefused()).toEqual({
    code,
    errorCode: ERRORS[code].errorCode,
    operation: 'login',
    reason: expect.any(String),
    retryable: ERRORS[code].retryable,
  })
  client.socket.disconnect()
  expect(await cluster.redis.contents()).toEqual(before)
}

const WRONG_TOKENS: readonly (readonly [string, unknown, ErrorCode])[] = [
  ['none', undefined, 'INVALID_TOKEN'],
  ['null', null, 'INVALID_TOKEN'],
  ['the empty string', '', 'INVALID_TOKEN'],
  ['a number', 42, 'INVALID_TOKEN'],
  ['{}', {}, 'INVALID_TOKEN'],
  ['a list of a right one', [tokenFor('ada')], 'INVALID_TOKEN'],
  ['no JWT', 'let me in', 'INVALID_TOKEN'],
  ['dots', '..', 'INVALID_TOKEN'],
  ['an endless one', 'x'.repeat(100_000), 'INVALID_TOKEN'],
  ['a NUL', `${tokenFor('ada')}\0`, 'INVALID_TOKEN'],
  ['no signature', `${header}.${payload}.`, 'INVALID_TOKEN'],
  ['half a signature', `${header}.${payload}.${signature.slice(0, 20)}`, 'INVALID_TOKEN'],
  ['alg none', jwt(claims(), SECRET, { alg: 'none', typ: 'JWT' }), 'INVALID_TOKEN'],
  ['alg none with a signature', `${jwt(claims(), SECRET, { alg: 'none' })}${signature}`, 'INVALID_TOKEN'],
  ['alg None', jwt(claims(), SECRET, { alg: 'None', typ: 'JWT' }), 'INVALID_TOKEN'],
  ['another algorithm', jwt(claims(), SECRET, { alg: 'HS512', typ: 'JWT' }), 'INVALID_TOKEN'],
  ['a foreign secret', jwt(claims(), 'another secret, of at least 32 bytes too'), 'INVALID_TOKEN'],
  ['a foreign user', tokenFor('eve'), 'INVALID_TOKEN'],
  ['a foreign app', tokenFor('ada', { app: 'other' }), 'INVALID_TOKEN'],
  ['no sub', jwt(without('sub')), 'INVALID_TOKEN'],
  ['no app', jwt(without('app')), 'INVALID_TOKEN'],
  ['no exp', jwt(without('exp')), 'INVALID_TOKEN'],
  ['exp as text', jwt(claims({ exp: String(soon()) })), 'INVALID_TOKEN'],
  ['not valid yet', jwt(claims({ nbf: now() + 60 })), 'INVALID_TOKEN'],
  ['sub as a list', jwt(claims({ sub: ['ada'] })), 'INVALID_TOKEN'],
  ['expired a minute ago', tokenFor('ada', { ttlS: -60 }), 'TOKEN_EXPIRED'],
  ['expired past the tolerance', tokenFor('ada', { ttlS: -7 }), 'TOKEN_EXPIRED'],
  ['grants that are no list', tokenFor('ada', { channels: {} }), 'INVALID_TOKEN'],
  ['a grant of null', tokenFor('ada', { channels: [null] }), 'INVALID_TOKEN'],
  ['a grant of no type', tokenFor('ada', { channels: [{ name: 'room', can: ['join'] }] }), 'INVALID_TOKEN'],
  ['a grant of no channel', tokenFor('ada', { channels: [{ type: 'MESSAGE', can: ['join'] }] }), 'INVALID_TOKEN'],
  ['a grant of a name and a prefix', tokenFor('ada', { channels: [{ type: 'MESSAGE', name: 'a', prefix: 'a', can: ['join'] }] }), 'INVALID_TOKEN'],
  ['a grant of unknown rights', tokenFor('ada', { channels: [{ type: 'MESSAGE', name: 'a', can: ['join', 'rule'] }] }), 'INVALID_TOKEN'],
]

describe('a login with a wrong token is refused with its code and changes nothing', () => {
  test.each(WRONG_TOKENS)('%s', async (_, token, code) => {
    await refused({ token }, code)
  })

  test('a right one is let in, also one that has expired within the tolerance', async () => {
    await connectPlain(scope, 'ada', cluster.a, { auth: { token: tokenFor('ada') } })
    await connectPlain(scope, 'ada', cluster.a, { auth: { token: tokenFor('ada', { ttlS: -1 }) }, reconnection: false })
  })
})

describe('a login with anything else wrong is refused with its code and changes nothing', () => {
  const token = tokenFor('ada')
  test.each<readonly [string, Auth, ErrorCode]>([
    ...BAD_NAMES.map(([what, userId]) => [`userId: ${what}`, { userId, token }, 'INVALID_USER_ID'] as const),
    ...[undefined, null, 5, {}, '', 'other', '__proto__'].map((appId) => [`appId: ${JSON.stringify(appId)}`, { appId, token }, 'INVALID_APP_ID'] as const),
    ...['1000', null, 999, 300_001, 1500.5, -1, {}].map((presenceTimeout) => [`presenceTimeout: ${JSON.stringify(presenceTimeout)}`, { presenceTimeout, token }, 'PRESENCE_INVALID_ARGUMENT'] as const),
    ...[5, null, {}, '', 'x', 'a session', 'a,b;c-d=e', 'x'.repeat(65)].map((sessionId) => [`sessionId: ${JSON.stringify(sessionId)}`, { sessionId, token }, 'PRESENCE_INVALID_ARGUMENT'] as const),
    ...[5, null, {}, '', 'x'.repeat(65), 'a\0b', 'a\ud800'].map((tag) => [`tag: ${JSON.stringify(tag)}`, { tag, token }, 'PRESENCE_INVALID_ARGUMENT'] as const),
  ])('%s', async (_, auth, code) => {
    await refused(auth, code)
  })
})

describe('a channel outside the grants', () => {
  const room = wireChannel()
  const watched = wireChannel()
  const mute = wireChannel()
  const outside = wireChannel()
  const channels = [
    { type: 'MESSAGE', name: room.channelName, can: ['join', 'watch', 'state'] },
    { type: 'MESSAGE', name: watched.channelName, can: ['watch'] },
    { type: 'MESSAGE', name: mute.channelName, can: ['join', 'watch'] },
    { type: 'STREAM', prefix: 'team-', can: ['join', 'watch', 'state'] },
  ]
  const states = { Mode: 'Happy' }

  test('each request is -11038 where its right is missing, nothing changes, and the connection goes on', async () => {
    const ada = await connectPlain(scope, 'ada', cluster.a, { auth: { token: tokenFor('ada', { channels }) } })
    const bob = await connectPlain(scope, 'bob', cluster.b, { auth: { token: tokenFor('bob') } })
    await bob.must('subscribe', { ...outside, states })
    await ada.must('subscribe', { ...mute, withPresence: false })
    const before = await cluster.redis.contents()

    const denied: readonly (readonly [string, object])[] = [
      ['subscribe', outside],
      ['subscribe', { ...outside, beQuiet: true }],
      ['subscribe', { ...outside, withPresence: false }],
      ['subscribe', watched],
      ['subscribe', { ...room, channelType: 'STREAM' }],
      ['subscribe', { channelName: 'team-red', channelType: 'MESSAGE' }],
      ['subscribe', { channelName: 'tea', channelType: 'STREAM' }],
      ['subscribe', { ...mute, states }],
      ['setState', { ...mute, states }],
      ['removeState', mute],
      ['getState', { ...outside, userId: 'bob' }],
      ['whoNow', outside],
    ]
    for (const [name, request] of denied) {
      expect([name, request, await ada.send(name, request)]).toEqual([name, request, { ok: false, error: expect.objectContaining({ code: 'PERMISSION_DENIED', errorCode: -11038 }) }])
    }
    const resumed = await ada.must('resume', { channels: [outside, watched] })
    expect(resumed.channels).toEqual([outside, watched].map((channel) => ({ ...channel, result: 'error', error: expect.objectContaining({ errorCode: -11038 }) })))
    expect(await ada.must('whereNow', { userId: 'bob' })).toMatchObject({ totalChannel: 0, channels: [] })

    expect(await cluster.redis.contents()).toEqual(before)
    expect(ada.socket.connected).toBe(true)
  })

  test('what is granted is possible', async () => {
    const ada = await connectPlain(scope, 'ada', cluster.a, { auth: { token: tokenFor('ada', { channels }) } })
    await ada.must('subscribe', { ...room, states })
    await ada.must('subscribe', { ...watched, beQuiet: true })
    await ada.must('whoNow', watched)
    await ada.must('subscribe', { channelName: 'team-red', channelType: 'STREAM', states })
    await ada.must('setState', { ...room, states: { Mode: 'Sad' } })
  })
})

describe('a token during a connection', () => {
  test('renewToken with a wrong token is refused and changes nothing', async () => {
    const channel = wireChannel()
    const ada = await connectPlain(scope, 'ada', cluster.a, { auth: { token: tokenFor('ada') } })
    await ada.must('subscribe', channel)
    const before = await cluster.redis.contents()
    for (const [what, token, code] of WRONG_TOKENS) {
      expect([what, await ada.send('renewToken', { token })]).toEqual([what, { ok: false, error: expect.objectContaining({ code }) }])
    }
    expect(await ada.send('renewToken', { token: tokenFor('ada', { ttlS: -2 }) })).toMatchObject({ error: { code: 'TOKEN_EXPIRED' } })
    expect(await cluster.redis.contents()).toEqual(before)
    await ada.must('setState', { ...channel, states: { Mode: 'Happy' } })
  })

  test('one that ends is told of before, and then ends the session; one that was renewed does not', async () => {
    const channel = wireChannel()
    const watching = await connectPlain(scope, 'watcher', cluster.b, { auth: { token: tokenFor('watcher') } })
    await watching.must('subscribe', channel)
    const watcher = watching.watcher(channel.channelName)
    const short = { auth: { token: tokenFor('ada', { ttlS: 2 }) }, reconnection: false }
    const [ada, bob] = [await connectPlain(scope, 'ada', cluster.a, short), await connectPlain(scope, 'bob', cluster.a, { ...short, auth: { token: tokenFor('bob', { ttlS: 2 }) } })]
    const gone = new Promise((resolve) => ada.socket.once('disconnect', resolve))
    await ada.must('subscribe', channel)
    await bob.must('subscribe', channel)
    await expectJoin(watcher, 'ada')
    await expectJoin(watcher, 'bob')

    await bob.must('renewToken', { token: tokenFor('bob') })
    await gone

    expect(ada.tokens).toEqual(['WILL_EXPIRE', 'EXPIRED'])
    await expectLeave(watcher, 'ada')
    expect(bob.tokens).toEqual(['WILL_EXPIRE'])
    expect(bob.socket.connected).toBe(true)
    const marker = { userId: 'bob', mark: async () => (await bob.must('setState', { ...channel, states: { mark: 'x' } }), 'x') }
    await expectNoEvents(watcher, marker, { allow: ['SNAPSHOT'] })
  })

  test('a renewed token that grants less ends what it does not cover, and says so', async () => {
    const [kept, lost] = [wireChannel(), wireChannel()]
    const ada = await connectPlain(scope, 'ada', cluster.a, { auth: { token: tokenFor('ada') } })
    await ada.must('subscribe', kept)
    await ada.must('subscribe', lost)
    await ada.must('renewToken', { token: tokenFor('ada', { channels: [{ type: 'MESSAGE', name: kept.channelName, can: ['join', 'watch', 'state'] }] }) })
    await eventually('the other channel is left', async () => (await ada.must('whereNow', { userId: 'ada' })).totalChannel === 1)
    expect(await ada.must('whereNow', { userId: 'ada' })).toMatchObject({ channels: [kept] })
    expect(await ada.send('setState', { ...lost, states: { Mode: 'Happy' } })).toMatchObject({ ok: false })
  })
})
