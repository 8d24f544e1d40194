import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals'

import { ERRORS, type ErrorCode } from '../../src/protocol/errors.js'
import { http, type HttpQuestion } from '../support/http.js'
import { useCluster } from '../support/node.js'
import { connectPlain, type PlainClient } from '../support/plain.js'
import type { Content } from '../support/redis.js'
import { eventually } from '../support/wait.js'

const KEY = 'the-api-key'
const cluster = useCluster({ apiKey: KEY })
const ROOM = { channelName: 'room', channelType: 'MESSAGE' } as const
const AUTHORIZED = { authorization: `Bearer ${KEY}` }

type Case = readonly [what: string, code: ErrorCode, path: string, question?: HttpQuestion]

let ada: PlainClient
let before: Record<string, Content>

beforeAll(async () => {
  ada = await connectPlain(cluster.scope, 'ada', cluster.a)
  await ada.must('subscribe', { ...ROOM, states: { Mode: 'Happy' } })
  await eventually('both nodes have said that they are there', async () => (await cluster.redis.keys('rollcall:{*}:owned:*')).length >= 32)
})

beforeEach(async () => {
  before = await cluster.redis.contents()
})

/** A refusal is JSON of one shape, never HTML and never a stack, and leaves everything as it was. */
async function refused(code: ErrorCode, path: string, question: HttpQuestion): Promise<void> {
  const answer = await http(cluster.b.port, path, question)
  expect({ status: answer.status, type: answer.type }).toEqual({ status: ERRORS[code].status, type: expect.stringMatching(/^application\/json\b/) })
  expect(answer.json).toEqual({ error: { code, errorCode: ERRORS[code].errorCode, message: expect.any(String), remediation: ERRORS[code].remediation } })
  expect(answer.text).not.toMatch(/\n\s+at |node_modules|\.ts:/)
}

async function unchanged(): Promise<void> {
  expect(await cluster.redis.contents()).toEqual(before)
  expect(ada.socket.connected).toBe(true)
  expect(await ada.must('getState', { ...ROOM, userId: 'ada' })).toMatchObject({ states: { Mode: 'Happy' } })
}

const long = 'x'.repeat(65)
/** Names that a URL can carry and nobody may have. */
const BAD_NAMES = [
  ['65 bytes', long],
  ['66 bytes in 22 characters', encodeURIComponent('€'.repeat(22))],
  ['a NUL', 'a%00b'],
  ['a dot', '%2e'],
  ['two dots', '%2e%2e'],
  ['a decomposed letter', 'e%CC%81'],
] as const
/** Percent-encodings that stand for nothing. */
const BROKEN = ['%', '%E0%A4%A', '%ZZ', '%80', '%ED%A0%80'] as const

const everyName = (code: ErrorCode, path: (name: string) => string, question: HttpQuestion = {}): readonly Case[] => [
  ...BAD_NAMES.map(([what, name]): Case => [`a name: ${what}`, code, path(name), question]),
  ...BROKEN.map((name): Case => [`a URL with ${name}`, 'PRESENCE_INVALID_ARGUMENT', path(name), question]),
]
const types = ['message', 'USER', 'NOISE', '__proto__', '%20'] as const
const post = (body: string, type = 'application/json'): HttpQuestion => ({ method: 'POST', headers: { 'content-type': type, 'content-length': String(Buffer.byteLength(body)) }, body })

const ROUTES: Readonly<Record<string, readonly Case[]>> = {
  'GET /v1/channels': [
    ...types.map((type): Case => [`the type ${type}`, 'INVALID_CHANNEL_TYPE', `/v1/channels?type=${type}`]),
    ['an empty type', 'INVALID_CHANNEL_TYPE', '/v1/channels?type='],
    ['two types', 'PRESENCE_INVALID_ARGUMENT', '/v1/channels?type=MESSAGE&type=STREAM'],
    ['a nested prefix', 'PRESENCE_INVALID_ARGUMENT', '/v1/channels?prefix=a&prefix=b'],
    ['an endless prefix', 'PRESENCE_INVALID_ARGUMENT', `/v1/channels?prefix=${'x'.repeat(2_000)}`],
    ['a made-up cursor', 'PRESENCE_INVALID_ARGUMENT', '/v1/channels?cursor=made-up'],
    ['another made-up cursor', 'PRESENCE_INVALID_ARGUMENT', '/v1/channels?cursor=-1'],
    ['a cursor past 64 bits', 'PRESENCE_INVALID_ARGUMENT', '/v1/channels?cursor=0.18446744073709551616'],
    ['another method', 'METHOD_NOT_ALLOWED', '/v1/channels', { method: 'DELETE' }],
  ],
  'GET /v1/channels/{type}/{name}/members': [
    ...everyName('INVALID_CHANNEL_NAME', (name) => `/v1/channels/MESSAGE/${name}/members`),
    ...types.map((type): Case => [`the type ${type}`, 'INVALID_CHANNEL_TYPE', `/v1/channels/${type}/room/members`]),
    ['includeState that is neither', 'PRESENCE_INVALID_ARGUMENT', '/v1/channels/MESSAGE/room/members?includeState=maybe'],
    ['includeState twice', 'PRESENCE_INVALID_ARGUMENT', '/v1/channels/MESSAGE/room/members?includeState=true&includeState=true'],
    ['a made-up page', 'PRESENCE_INVALID_ARGUMENT', '/v1/channels/MESSAGE/room/members?page=!!!'],
    ['another method', 'METHOD_NOT_ALLOWED', '/v1/channels/MESSAGE/room/members', { method: 'POST' }],
  ],
  'GET /v1/channels/{type}/{name}/members/{userId}': [
    ...everyName('INVALID_USER_ID', (name) => `/v1/channels/MESSAGE/room/members/${name}`),
    ...everyName('INVALID_CHANNEL_NAME', (name) => `/v1/channels/MESSAGE/${name}/members/ada`),
    ['somebody who is not there', 'PRESENCE_USER_NOT_EXIST', '/v1/channels/MESSAGE/room/members/nobody'],
    ['__proto__', 'PRESENCE_USER_NOT_EXIST', '/v1/channels/MESSAGE/room/members/__proto__'],
    ['the channel of the other type', 'PRESENCE_USER_NOT_EXIST', '/v1/channels/STREAM/room/members/ada'],
    ['another method', 'METHOD_NOT_ALLOWED', '/v1/channels/MESSAGE/room/members/ada', { method: 'PUT' }],
  ],
  'GET /v1/users/{userId}/channels': [...everyName('INVALID_USER_ID', (name) => `/v1/users/${name}/channels`), ['another method', 'METHOD_NOT_ALLOWED', '/v1/users/ada/channels', { method: 'POST' }]],
  'POST /v1/users/{userId}/disconnect': [
    ...everyName('INVALID_USER_ID', (name) => `/v1/users/${name}/disconnect`, { method: 'POST' }),
    ['another method', 'METHOD_NOT_ALLOWED', '/v1/users/ada/disconnect'],
    ['no JSON', 'PRESENCE_INVALID_ARGUMENT', '/v1/users/ada/disconnect', post('{"reason":')],
    ['a list', 'PRESENCE_INVALID_ARGUMENT', '/v1/users/ada/disconnect', post('[]')],
    ['a text', 'PRESENCE_INVALID_ARGUMENT', '/v1/users/ada/disconnect', post('"reason"')],
    ['null', 'PRESENCE_INVALID_ARGUMENT', '/v1/users/ada/disconnect', post('null')],
    ['another content type', 'PRESENCE_INVALID_ARGUMENT', '/v1/users/ada/disconnect', post('reason=x', 'application/x-www-form-urlencoded')],
    ['a number as reason', 'PRESENCE_INVALID_ARGUMENT', '/v1/users/ada/disconnect', post('{"reason":1}')],
    ['{} as reason', 'PRESENCE_INVALID_ARGUMENT', '/v1/users/ada/disconnect', post('{"reason":{}}')],
    ['an endless reason', 'PRESENCE_INVALID_ARGUMENT', '/v1/users/ada/disconnect', post(JSON.stringify({ reason: 'x'.repeat(1_000) }))],
    ['a huge body', 'PAYLOAD_TOO_LARGE', '/v1/users/ada/disconnect', post(JSON.stringify({ reason: 'x'.repeat(200_000) }))],
  ],
  'GET /v1/nodes': [['another method', 'METHOD_NOT_ALLOWED', '/v1/nodes', { method: 'POST' }]],
  'what is no route': [
    ['a path', 'NOT_FOUND', '/v1/nothing'],
    ['another', 'NOT_FOUND', '/nothing/at/all'],
    ['the API\'s root', 'NOT_FOUND', '/v1'],
    ['a file outside', 'NOT_FOUND', '/demo/../../package.json'],
    ['an encoded file outside', 'NOT_FOUND', '/demo/%2e%2e/%2e%2e/package.json'],
    ['a URL that does not decode', 'PRESENCE_INVALID_ARGUMENT', '/%E0%A4%A'],
    ['a file that does not decode', 'PRESENCE_INVALID_ARGUMENT', '/demo/%E0%A4%A'],
    ['readiness by another method', 'METHOD_NOT_ALLOWED', '/readyz', { method: 'POST' }],
    ['life by another method', 'METHOD_NOT_ALLOWED', '/livez', { method: 'POST' }],
    ['metrics by another method', 'METHOD_NOT_ALLOWED', '/metrics', { method: 'DELETE' }],
  ],
}

describe.each(Object.entries(ROUTES))('a bad %s is refused with its code and changes nothing', (_, cases) => {
  test(`${cases.length} ways`, async () => {
    for (const [what, code, path, question = {}] of cases) {
      await refused(code, path, { ...question, headers: { ...AUTHORIZED, ...question.headers } }).catch((error: unknown) => {
        throw new Error(`${what} (${path.slice(0, 100)}): ${String(error)}`, { cause: error })
      })
    }
    await unchanged()
  })
})

describe('without the API key', () => {
  test.each([
    ['none', {}],
    ['another', { authorization: 'Bearer another-key' }],
    ['an empty one', { authorization: 'Bearer ' }],
    ['a longer one', { authorization: `Bearer ${KEY}x` }],
    ['another scheme', { authorization: `Basic ${Buffer.from(`x:${KEY}`).toString('base64')}` }],
    ['the bare key', { authorization: KEY }],
    ['the key in another header', { 'x-api-key': KEY }],
  ])('%s: every route of the API is refused, and nobody is disconnected', async (_, headers) => {
    const paths = ['/v1/channels', '/v1/channels/MESSAGE/room/members', '/v1/channels/MESSAGE/room/members/ada', '/v1/users/ada/channels', '/v1/nodes', '/v1/nothing']
    for (const path of paths) await refused('UNAUTHORIZED', path, { headers })
    await refused('UNAUTHORIZED', '/v1/users/ada/disconnect', { method: 'POST', headers })
    await unchanged()
  })
})

test('what is right is answered, so the refusals above are for the reason given', async () => {
  const get = async (path: string) => (await http(cluster.b.port, path, { headers: AUTHORIZED })).json
  expect(await get('/v1/channels?type=MESSAGE&prefix=ro')).toMatchObject({ channels: [{ ...ROOM, totalOccupancy: 1 }], cursor: '' })
  expect(await get('/v1/channels/MESSAGE/room/members?includeState=true')).toMatchObject({ totalOccupancy: 1, occupants: [{ userId: 'ada', states: { Mode: 'Happy' } }] })
  expect(await get('/v1/channels/MESSAGE/room/members/ada')).toMatchObject({ userId: 'ada', states: { Mode: 'Happy' }, statesCount: 1 })
  expect(await get('/v1/users/ada/channels')).toMatchObject({ totalChannel: 1, channels: [ROOM] })
  expect(await get('/v1/nodes')).toMatchObject({ nodes: [expect.objectContaining({ nodeId: expect.any(String) }), expect.objectContaining({ nodeId: expect.any(String) })] })
  for (const path of ['/livez', '/readyz', '/metrics']) expect((await http(cluster.a.port, path)).status).toBe(200)
})

test('POST disconnect ends every session of the user, on all nodes, with the reason', async () => {
  const sessions = [await connectPlain(cluster.scope, 'bob', cluster.a), await connectPlain(cluster.scope, 'bob', cluster.b)]
  for (const session of sessions) await session.must('subscribe', ROOM)
  const gone = sessions.map((session) => new Promise((resolve) => session.socket.once('disconnect', resolve)))
  const answer = await http(cluster.b.port, '/v1/users/bob/disconnect', { ...post('{"reason":"go away"}'), headers: { ...AUTHORIZED, ...post('{"reason":"go away"}').headers } })
  expect(answer.json).toEqual({ sessions: 2 })
  await Promise.all(gone)
  expect(sessions.map(({ kicks }) => kicks)).toEqual([[{ reason: 'go away', errorCode: expect.any(Number) }], [{ reason: 'go away', errorCode: expect.any(Number) }]])
  await eventually('bob has left', async () => (await ada.must('whereNow', { userId: 'bob' })).totalChannel === 0)
})
