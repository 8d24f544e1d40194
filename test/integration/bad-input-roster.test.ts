import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'

import type { RollcallClient } from '../../src/client/index.js'
import { ERRORS, type ErrorCode } from '../../src/protocol/errors.js'
import { BAD_NAMES, BAD_PAYLOADS, ODD_NAMES, underProto } from '../support/bad-input.js'
import { connect } from '../support/client.js'
import { startNode, useCluster } from '../support/node.js'
import { NoticeLog } from '../support/notice-log.js'
import { connectPlain, type PlainClient } from '../support/plain.js'
import type { Content } from '../support/redis.js'
import { useTestScope } from '../support/scope.js'
import { eventually } from '../support/wait.js'

const cluster = useCluster({ limits: { callsPerSecond: 100_000, rosterMessageBytes: 100, statusBytes: 200, statusRecipients: 5, rosterEntries: 1_000 } })
const scope = useTestScope()

type Case = readonly [what: string, code: ErrorCode, ...args: readonly unknown[]]

let ada: PlainClient
let bob: RollcallClient
let marker: RollcallClient
let bobHears: NoticeLog
let before: Record<string, Content>

beforeAll(async () => {
  ada = await connectPlain(cluster.scope, 'ada', cluster.a)
  ;[bob, marker] = await Promise.all([connect(cluster.scope, 'bob', cluster.b), connect(cluster.scope, 'marker', cluster.a)])
  await ada.must('addFriend', { userId: 'bob' })
  await bob.roster.add('ada')
  bobHears = new NoticeLog(bob)
  await eventually('both nodes have said that they are there', async () => (await cluster.redis.keys('rollcall:{*}:owned:*')).length >= 32)
})

beforeEach(async () => {
  before = await cluster.redis.contents()
})

/** Nothing and two objects are no request of any kind. */
const payloads = (code: ErrorCode): readonly Case[] => BAD_PAYLOADS.map(([what, args]) => [`payload: ${what}`, args.length === 1 ? code : 'PRESENCE_INVALID_ARGUMENT', ...args])
const names = (of: (userId: unknown) => Readonly<Record<string, unknown>>): readonly Case[] => BAD_NAMES.map(([what, userId]) => [`a user id: ${what}`, 'INVALID_USER_ID', of(userId)])

const peers: readonly Case[] = [
  ...payloads('ROSTER_INVALID_ARGUMENT'),
  ...names((userId) => ({ userId })),
  ['an id under __proto__', 'INVALID_USER_ID', underProto({ userId: 'carl' })],
  ['oneself', 'INVALID_PEER', { userId: 'ada' }],
]
const messages: readonly Case[] = [null, 7, true, {}, ['hi'], 'a\ud800', Buffer.from('hi'), 'x'.repeat(101), '€'.repeat(34)].map((message): Case => [
  `the message ${JSON.stringify(message)?.slice(0, 20)}`, 'ROSTER_INVALID_ARGUMENT', { userId: 'carl', message },
])
const status = (code: ErrorCode, fields: readonly (readonly [string, unknown])[]): readonly Case[] =>
  fields.map(([field, value]) => [`${field}: ${JSON.stringify(value)?.slice(0, 30)}`, code, { [field]: value, userIds: ['bob'] }])
const statuses: readonly Case[] = [
  ...payloads('STATUS_INVALID_ARGUMENT'),
  ...status('STATUS_INVALID_ARGUMENT', [
    ...[null, '1', true, 1.5, 128, -129, 2 ** 53, {}, [1]].map((value) => ['subStatus', value] as const),
    ...[null, '1', false, 0.1, 32_768, -32_769, 1e300, {}, [1]].map((value) => ['show', value] as const),
    ...[null, 1, true, {}, ['x'], 'a\ud800', Buffer.from('x')].map((value) => ['status', value] as const),
    ...[null, 1, 'x', ['x'], Buffer.from('x'), { a: 1 }, { a: null }, { a: { b: 'c' } }, { a: '\udc00' }, { 'a\ud800': 'x' }, { a: Buffer.from('x') }].map((value) => ['extend', value] as const),
    ...[null, 1, 'eA==', ['eA=='], { a: 1 }, { a: 'e' }, { a: 'eA=' }, { a: 'eA==x' }, { a: 'e-_=' }, { a: 'e A=' }, { a: '====' }, { a: Buffer.from('x') }].map((value) => ['extra', value] as const),
    ['status', 'x'.repeat(190)],
    ['status', '\u0001'.repeat(32)],
    ['extend', { a: '€'.repeat(61) }],
    ['extra', { a: 'A'.repeat(196) }],
  ]),
]
const recipients: readonly Case[] = [
  ...[undefined, null, 'bob', 7, {}, { 0: 'bob', length: 1 }, Buffer.from('bob'), ['a', 'b', 'c', 'd', 'e', 'f']].map((userIds): Case => [`userIds: ${JSON.stringify(userIds)}`, 'PRESENCE_INVALID_ARGUMENT', { userIds, show: 1 }]),
  ...names((userId) => ({ userIds: ['bob', userId], show: 1 })),
  ['all of it under __proto__', 'PRESENCE_INVALID_ARGUMENT', underProto({ userIds: ['bob'], show: 1 })],
]

const REQUESTS: Readonly<Record<string, readonly Case[]>> = {
  addFriend: [...peers, ...messages],
  removeFriend: peers,
  blockUser: peers,
  getRoster: payloads('ROSTER_INVALID_ARGUMENT'),
  broadcastStatus: statuses,
  sendStatus: [...statuses, ...recipients].filter(([what]) => what !== 'payload: a list'),
}

describe.each(Object.entries(REQUESTS))('a bad %s is refused with its code and changes nothing', (name, cases) => {
  afterEach(async () => {
    await bobHears.settled(marker)
    expect(bobHears.from('ada')).toEqual([])
    expect(bobHears.path('ada').filter((type) => type !== 'FRIENDS')).toEqual([])
  })

  // One test for many cases: what is compared before and after is the same, and reading it costs more than the cases.
  test(`${cases.length} ways`, async () => {
    const { id } = ada.socket
    for (const [what, code, ...args] of cases) {
      const reply = await ada.send(name, ...args)
      const { errorCode, retryable } = ERRORS[code]
      expect([what, reply]).toEqual([what, { ok: false, error: { code, errorCode, operation: expect.any(String), reason: expect.stringMatching(/^.{1,300}$/), retryable } }])
    }
    expect(ada.socket.id).toBe(id)
    expect(await cluster.redis.contents()).toEqual(before)
  })
})

describe('what looks like trouble and is none', () => {
  test('users of any name have friends and tell them things', async () => {
    for (const name of ODD_NAMES) {
      const [odd, log] = await connect(scope, name, cluster.b).then((client) => [client, new NoticeLog(client)] as const)
      await odd.roster.add('bob', `I am ${name}\0"😀`)
      expect(await bob.roster.add(name)).toMatchObject({ isFriend: true })
      await odd.status.broadcast({ status: 'x' })
      expect((await bobHears.next(name)).from).toBe(name)
      expect((await odd.roster.list()).friends).toEqual(['bob'])
      await bob.status.send(name, { extend: { [name]: name } })
      expect((await log.next('bob')).extend).toEqual(JSON.parse(`{${JSON.stringify(name)}:${JSON.stringify(name)}}`))
    }
    expect([...(await bob.roster.list()).friends].sort()).toEqual([...ODD_NAMES, 'ada'].sort())
  })

  test('as much as is allowed', async () => {
    const text = 'x'.repeat(200 - '{"status":""}'.length)
    await ada.must('broadcastStatus', { status: text })
    expect(await bobHears.next('ada')).toMatchObject({ status: text })
    expect(await ada.must('sendStatus', { userIds: ['a', 'b', 'c', 'd', 'bob'], show: -32_768 })).toMatchObject({ failed: ['a', 'b', 'c', 'd'].map((userId) => ({ userId, code: 'USER_UNKNOWN' })) })
    expect(await bobHears.next('ada')).toMatchObject({ show: -32_768 })
    const dan = await connect(scope, 'dan', cluster.a)
    await dan.roster.add('bob', '€'.repeat(33))
    expect((await bob.roster.list()).requests).toEqual([{ userId: 'dan', message: '€'.repeat(33) }])
  })

  test('properties that a request does not have are not looked at', async () => {
    expect(await ada.must('getRoster', { userId: 'bob', friends: [] })).toMatchObject({ friends: ['bob'] })
    await ada.must('addFriend', { userId: 'bob', from: 'carl', generation: 1 })
  })

  test('calls have the rate limit of all others', async () => {
    const node = await startNode(scope, { redisUrl: cluster.redis.url, limits: { callsPerSecond: 3 } })
    const eager = await connectPlain(scope, 'eager', node)
    for (const [name, request] of [['getRoster', {}], ['broadcastStatus', {}], ['addFriend', { userId: 'bob' }]] as const) {
      const replies = await Promise.all(Array.from({ length: 8 }, () => eager.send(name, request)))
      const refused = replies.flatMap((reply) => (reply.ok ? [] : [reply.error.code]))
      expect(refused.length).toBeGreaterThanOrEqual(2)
      expect(new Set(refused)).toEqual(new Set(['RATE_EXCEEDED']))
    }
  })

  test('statuses to some users wait for the rate in their order, what comes behind them too; those for which that takes too long are refused', async () => {
    const node = await startNode(scope, { redisUrl: cluster.redis.url, limits: { callsPerSecond: 3 } })
    const [eager, listener] = [await connectPlain(scope, 'eager', node), await connectPlain(scope, 'listener', node)]
    const heard: unknown[] = []
    listener.socket.on('status', ({ status }: { readonly status: string }) => heard.push(status))
    const said = Array.from({ length: 40 }, (_, i) => String(i))
    const replies = await Promise.all(said.map((status) => eager.send('sendStatus', { userIds: ['listener'], status })))
    const refused = replies.flatMap((reply) => (reply.ok ? [] : [reply.error.code]))
    // A window, and five seconds' worth of those that wait.
    expect(replies.length - refused.length).toBeGreaterThanOrEqual(3 + 15)
    expect(refused).not.toEqual([])
    expect(new Set(refused)).toEqual(new Set(['RATE_EXCEEDED']))
    const told = said.filter((_, i) => replies[i]?.ok)
    await eventually('they are heard', () => heard.length >= told.length)
    expect(heard).toEqual(told)
  })
})

test('the SDK refuses before it sends', async () => {
  const { roster, status: told } = bob
  const wrong: readonly (readonly [ErrorCode, string, () => Promise<unknown>])[] = [
    ['INVALID_USER_ID', 'addFriend', () => roster.add('')],
    ['ROSTER_INVALID_ARGUMENT', 'addFriend', () => roster.add('carl', 'x'.repeat(101))],
    ['INVALID_USER_ID', 'removeFriend', () => roster.remove('..')],
    ['INVALID_USER_ID', 'blockUser', () => roster.block(7 as unknown as string)],
    ['STATUS_INVALID_ARGUMENT', 'broadcastStatus', () => told.broadcast({ show: 0.5 })],
    ['STATUS_INVALID_ARGUMENT', 'broadcastStatus', () => told.broadcast(undefined as unknown as object)],
    ['STATUS_INVALID_ARGUMENT', 'sendStatus', () => told.send('ada', { extra: { a: 'not base64' } })],
    ['PRESENCE_INVALID_ARGUMENT', 'sendStatus', () => told.send(7 as unknown as string, {})],
    ['INVALID_USER_ID', 'sendStatus', () => told.send(['ada', ''], {})],
  ]
  for (const [code, operation, call] of wrong) await expect(call()).rejects.toMatchObject({ code, operation })
  const out = await connect(scope, 'out', cluster.a)
  await out.logout()
  for (const call of [() => out.roster.list(), () => out.roster.add('ada'), () => out.status.broadcast({})]) await expect(call()).rejects.toMatchObject({ code: 'NOT_LOGIN' })
})
