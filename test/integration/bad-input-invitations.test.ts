import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'

import { ERRORS, type ErrorCode } from '../../src/protocol/errors.js'
import { BAD_NAMES, BAD_PAYLOADS, ODD_NAMES, underProto } from '../support/bad-input.js'
import { connect } from '../support/client.js'
import { InvitationLog } from '../support/invitation-log.js'
import { startNode, useCluster } from '../support/node.js'
import { connectPlain, type PlainClient } from '../support/plain.js'
import type { Content } from '../support/redis.js'
import { useTestScope } from '../support/scope.js'
import { eventually } from '../support/wait.js'

const cluster = useCluster({ limits: { callsPerSecond: 100_000, invitations: 3, invitationBytes: 100, invitationReceiptMs: 300_000, invitationAnswerMs: 300_000 } })
const scope = useTestScope()

type Case = readonly [what: string, code: ErrorCode, ...args: readonly unknown[]]

/** What Ada has sent, and what she was sent. */
const SENT = { userId: 'bob', id: 'call-0001', content: 'hello' }
const NAME = { userId: SENT.userId, id: SENT.id }
const OWN = 'call-to-ada'
const ENDED = 'call-that-ended'
const FRESH = { ...NAME, id: 'call-0002' }

let ada: PlainClient
let before: Record<string, Content>

beforeAll(async () => {
  ada = await connectPlain(cluster.scope, 'ada', cluster.a)
  await ada.must('invite', SENT)
  const carl = await connectPlain(cluster.scope, 'carl', cluster.b)
  await carl.must('invite', { userId: 'ada', id: OWN })
  await carl.must('invite', { userId: 'ada', id: ENDED })
  await ada.must('refuseInvitation', { id: ENDED })
  for (const id of ['call-full-1', 'call-full-2', 'call-full-3']) await carl.must('invite', { userId: 'full', id })
  await eventually('both nodes have said that they are there', async () => (await cluster.redis.keys('rollcall:{*}:owned:*')).length >= 32)
})

beforeEach(async () => {
  before = await cluster.redis.contents()
})

const payloads: readonly Case[] = BAD_PAYLOADS.map(([what, args]) => [`payload: ${what}`, 'PRESENCE_INVALID_ARGUMENT', ...args])
const users = (request: object): readonly Case[] => BAD_NAMES.map(([what, userId]) => [`userId: ${what}`, 'INVALID_USER_ID', { ...request, userId }])
const IDS = [undefined, null, 7, '', 'x', 'x'.repeat(65), 'call 0001', 'call-0001\0', '../../etc', {}, ['call-0001'], Buffer.from('call-0001')]
const ids = (request: object): readonly Case[] => IDS.map((id) => [`the id ${JSON.stringify(id)}`, 'PRESENCE_INVALID_ARGUMENT', { ...request, id }])
const texts = (request: object, name: string): readonly Case[] => [
  ...[null, 7, true, {}, ['x'], Buffer.from('x'), 'a\ud800', '\udc00b'].map((text): Case => [`${name}: ${JSON.stringify(text)}`, 'PRESENCE_INVALID_ARGUMENT', { ...request, [name]: text }]),
  ...['x'.repeat(101), `x${'€'.repeat(33)}x`, 'x'.repeat(900_000)].map((text): Case => [`${name} of ${Buffer.byteLength(text)} bytes`, 'INVITATION_TOO_LARGE', { ...request, [name]: text }]),
]

const answers: readonly Case[] = [
  ...[...payloads, ...ids({}), ...texts({ id: OWN }, 'response')],
  ...[null, -1, 1.5, 2 ** 53, '5', {}, [5]].map((until): Case => [`until ${JSON.stringify(until)}`, 'PRESENCE_INVALID_ARGUMENT', { id: OWN, until }]),
  ['one that is too late', 'INVITATION_LATE', { id: OWN, until: 0 }],
  ['one that is not there', 'INVITATION_UNKNOWN', { id: 'call-9999' }],
  ['one of one\'s own', 'INVITATION_UNKNOWN', { id: SENT.id }],
  ['one that is called like a property', 'INVITATION_UNKNOWN', { id: '__proto__' }],
  ['all of it under __proto__', 'PRESENCE_INVALID_ARGUMENT', underProto({ id: OWN })],
]

const REQUESTS: Readonly<Record<string, readonly Case[]>> = {
  invite: [
    ...[...payloads, ...users(FRESH), ...ids(FRESH), ...texts(FRESH, 'content')],
    ...[null, 7, {}, 'a\ud800'].map((channelId): Case => [`channelId: ${JSON.stringify(channelId)}`, 'PRESENCE_INVALID_ARGUMENT', { ...FRESH, channelId }]),
    ['a channelId of 65 bytes', 'INVITATION_TOO_LARGE', { ...FRESH, channelId: 'x'.repeat(65) }],
    ['oneself', 'INVALID_PEER', { ...FRESH, userId: 'ada' }],
    ['an id that is taken', 'INVITATION_EXISTS', { ...SENT, content: 'another' }],
    ['one more than there may be', 'INVITATION_LIMIT', { ...FRESH, userId: 'full' }],
    ['all of it under __proto__', 'INVALID_USER_ID', underProto(FRESH)],
  ],
  cancelInvitation: [
    ...[...payloads, ...users(NAME), ...ids(NAME)],
    ['one that is not there', 'INVITATION_UNKNOWN', { ...NAME, id: 'call-9999' }],
    ['one to somebody else', 'INVITATION_UNKNOWN', { ...NAME, userId: 'dora' }],
    ['one that somebody else has sent', 'INVITATION_UNKNOWN', { userId: 'full', id: 'call-full-1' }],
    ['one that one was sent', 'INVITATION_UNKNOWN', { userId: 'ada', id: OWN }],
    ['all of it under __proto__', 'INVALID_USER_ID', underProto(NAME)],
  ],
  acceptInvitation: [...answers, ['one that has ended', 'INVITATION_ENDED', { id: ENDED }]],
  refuseInvitation: answers,
  getInvitations: [
    ...payloads,
    ...[null, 7, 'x', {}, [null], ['call-0001'], [[NAME]], Array(1)].map((sent): Case => [`sent: ${JSON.stringify(sent)}`, 'PRESENCE_INVALID_ARGUMENT', { sent }]),
    ['too many', 'PRESENCE_INVALID_ARGUMENT', { sent: Array(4).fill(NAME) }],
    ['an id that is none', 'PRESENCE_INVALID_ARGUMENT', { sent: [NAME, { ...NAME, id: 'x' }] }],
    ['a user who is none', 'INVALID_USER_ID', { sent: [NAME, { ...NAME, userId: '.' }] }],
  ],
}

describe.each(Object.entries(REQUESTS))('a bad %s is refused with its code and changes nothing', (name, cases) => {
  afterEach(async () => {
    expect(await cluster.redis.contents()).toEqual(before)
  })

  // One test for many cases: what is compared before and after is the same, and reading it costs more than the cases.
  test(`${cases.length} ways`, async () => {
    const { id } = ada.socket
    for (const [what, code, ...args] of cases) {
      const reply = await ada.send(name, ...args)
      const { errorCode, retryable } = ERRORS[code]
      expect([what, reply]).toEqual([what, { ok: false, error: { code, errorCode, operation: name, reason: expect.stringMatching(/^.{1,300}$/), retryable } }])
    }
    expect(ada.socket.id).toBe(id)
  })
})

describe('what looks like trouble and is none', () => {
  test('users, ids and texts of any characters are themselves, over the wire and through the SDK', async () => {
    for (const [index, name] of ODD_NAMES.entries()) {
      const [caller, callee] = [await connect(scope, `of ${index}`, cluster.a), await connect(scope, name, cluster.b)]
      const log = new InvitationLog(callee)
      const id = index === 0 ? '__proto__' : `constructor-${index}`
      const content = `${name}\0"😀\u2028`.slice(0, 80)
      const sent = await caller.invitations.send(name, { id, content, channelId: name })
      expect(await log.next(id, 'SENT')).toEqual({ ...sent, state: 'SENT', reason: null, revision: 1, response: '', timestamp: expect.any(Number), caller: `of ${index}`, callee: name, content, channelId: name })
      expect(await callee.invitations.accept(id, content)).toMatchObject({ state: 'ACCEPTED', response: content })
      await caller.logout()
      await callee.logout()
    }
    expect(({} as { id?: unknown }).id).toBeUndefined()
  })

  test('100 bytes are allowed, and properties that nobody knows', async () => {
    const bob = await connectPlain(scope, 'bob', cluster.b)
    expect((await bob.must('getInvitations', {})).invitations).toMatchObject([{ id: SENT.id, state: 'SENT' }])
    const text = `x${'€'.repeat(33)}`
    expect((await bob.must('invite', { ...NAME, userId: 'eve', content: text, caller: 'ada', state: 'ACCEPTED', revision: 7 })).invitation).toMatchObject({ caller: 'bob', state: 'SENT', revision: 1, content: text })
    expect((await bob.must('acceptInvitation', { id: SENT.id, response: text, answeredBy: 'somebody' })).invitation).toMatchObject({ response: text, answeredBy: bob.ready.sessionId })
  })

  test('calls have the rate limit of all others', async () => {
    const node = await startNode(scope, { redisUrl: cluster.redis.url, limits: { callsPerSecond: 3 } })
    const eager = await connectPlain(scope, 'eager', node)
    const replies = await Promise.all(Array.from({ length: 8 }, (_, index) => eager.send('invite', { userId: 'somebody', id: `call-eager-${index}` })))
    const refused = replies.flatMap((reply) => (reply.ok ? [] : [reply.error.errorCode]))
    expect(refused.length).toBeGreaterThanOrEqual(2)
    expect(new Set(refused)).toEqual(new Set([-10021]))
  })
})
