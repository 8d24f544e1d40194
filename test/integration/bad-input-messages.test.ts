import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals'

import { ERRORS, type ErrorCode } from '../../src/protocol/errors.js'
import { connect, createClient } from '../support/client.js'
import { BAD_NAMES, BAD_PAYLOADS, ODD_NAMES, underProto } from '../support/bad-input.js'
import { MessageLog } from '../support/message-log.js'
import { useCluster } from '../support/node.js'
import { connectPlain, PlainClient } from '../support/plain.js'
import type { Content } from '../support/redis.js'
import { useTestScope } from '../support/scope.js'
import { eventually } from '../support/wait.js'

const cluster = useCluster({ limits: { callsPerSecond: 100_000, messagesPerSecond: 100_000, messageTextBytes: 1_000, messageWaitMs: 1_000 } })
const scope = useTestScope()
let ann: PlainClient
let bob: MessageLog
let before: Record<string, Content>

beforeAll(async () => {
  ann = await connectPlain(cluster.scope, 'ann', cluster.a)
  bob = MessageLog.of(await connect(cluster.scope, 'bob', cluster.b))
  await eventually('both nodes have said that they are there', async () => (await cluster.redis.keys('rollcall:{*}:owned:*')).length >= 32)
})

beforeEach(async () => {
  before = await cluster.redis.contents()
})

async function refused(code: ErrorCode, ...args: readonly unknown[]): Promise<void> {
  const reply = await ann.send('sendMessage', ...args)
  expect(reply).toEqual({ ok: false, error: { code, errorCode: ERRORS[code].errorCode, operation: 'sendMessage', reason: expect.any(String), retryable: ERRORS[code].retryable } })
  expect(await cluster.redis.contents()).toEqual(before)
  expect(bob.seen).toEqual([])
}

describe('a bad sendMessage is refused with its code and changes nothing', () => {
  test.each(BAD_PAYLOADS)('%s', async (_, payload) => refused('PRESENCE_INVALID_ARGUMENT', ...payload))

  // One that is too large for Socket.IO ends the connection, which is tested elsewhere.
  test.each(BAD_NAMES.filter(([, name]) => typeof name !== 'string' || name.length < 100_000))('to %s', async (_, userId) => refused('INVALID_USER_ID', { userId, text: 'x' }))

  test.each([
    ['no text', 'MESSAGE_INVALID_TEXT', { userId: 'bob' }],
    ['null', 'MESSAGE_INVALID_TEXT', { userId: 'bob', text: null }],
    ['a number', 'MESSAGE_INVALID_TEXT', { userId: 'bob', text: 42 }],
    ['a list', 'MESSAGE_INVALID_TEXT', { userId: 'bob', text: ['x'] }],
    ['an object that says it is a string', 'MESSAGE_INVALID_TEXT', { userId: 'bob', text: { length: 1, toString: 'x' } }],
    ['binary', 'MESSAGE_INVALID_TEXT', { userId: 'bob', text: Buffer.from('x') }],
    ['a lone surrogate', 'MESSAGE_INVALID_TEXT', { userId: 'bob', text: 'a\ud800' }],
    ['a byte too many', 'MESSAGE_TEXT_TOO_LONG', { userId: 'bob', text: 'x'.repeat(1_001) }],
    ['too many bytes in few characters', 'MESSAGE_TEXT_TOO_LONG', { userId: 'bob', text: '€'.repeat(334) }],
    ['half a megabyte', 'MESSAGE_TEXT_TOO_LONG', { userId: 'bob', text: 'x'.repeat(500_000) }],
    ['offline: 1', 'PRESENCE_INVALID_ARGUMENT', { userId: 'bob', text: 'x', offline: 1 }],
    ['offline: null', 'PRESENCE_INVALID_ARGUMENT', { userId: 'bob', text: 'x', offline: null }],
    ['sequence 0', 'PRESENCE_INVALID_ARGUMENT', { userId: 'bob', text: 'x', sequence: 0 }],
    ['half a sequence', 'PRESENCE_INVALID_ARGUMENT', { userId: 'bob', text: 'x', sequence: 1.5 }],
    ['a sequence of letters', 'PRESENCE_INVALID_ARGUMENT', { userId: 'bob', text: 'x', sequence: '1' }],
    ['a sequence past 2^53', 'PRESENCE_INVALID_ARGUMENT', { userId: 'bob', text: 'x', sequence: 2 ** 53 }],
    ['under __proto__', 'INVALID_USER_ID', underProto({ userId: 'bob', text: 'x' })],
  ] as const)('%s', async (_, code, request) => refused(code, request))

  test('in the SDK, before anything is sent', async () => {
    const client = await connect(scope, 'sdk', cluster.a)
    const send = (...args: readonly unknown[]) => (client.messages.send as (...args: readonly unknown[]) => Promise<unknown>)(...args)
    for (const [code, args] of [
      ['INVALID_USER_ID', [undefined, 'x']],
      ['INVALID_USER_ID', ['..', 'x']],
      ['MESSAGE_INVALID_TEXT', ['bob', undefined]],
      ['MESSAGE_INVALID_TEXT', ['bob', '\udc00']],
      ['MESSAGE_TEXT_TOO_LONG', ['bob', 'x'.repeat(1_001)]],
      ['PRESENCE_INVALID_ARGUMENT', ['bob', 'x', null]],
      ['PRESENCE_INVALID_ARGUMENT', ['bob', 'x', { offline: 'yes' }]],
    ] as const) await expect(send(...args)).rejects.toMatchObject({ code, operation: 'sendMessage' })
    await expect(createClient(scope, 'stranger', cluster.a).messages.send('bob', 'x')).rejects.toMatchObject({ code: 'NOT_LOGIN', operation: 'sendMessage' })
    expect(bob.seen).toEqual([])
  })
})

test.each([
  ['a number', 42],
  ['null', null],
  ['a list', ['life', 1]],
  ['no life', { position: 1 }],
  ['a life that is a number', { life: 1, position: 1 }],
  ['a life without end', { life: 'x'.repeat(257), position: 1 }],
  ['no position', { life: '' }],
  ['a position below 0', { life: '', position: -1 }],
  ['half a position', { life: '', position: 0.5 }],
  ['under __proto__', underProto({ life: '', position: 1 })],
])('a login that says with %s what it has received is refused', async (_, received) => {
  const client = PlainClient.open(scope, 'carl', cluster.b, { auth: { received } })
  expect(await client.untilRefused()).toMatchObject({ code: 'PRESENCE_INVALID_ARGUMENT', operation: 'login' })
})

test('users of odd names send each other messages like others', async () => {
  for (const name of ODD_NAMES) {
    const log = MessageLog.of(await connect(scope, name, cluster.b))
    const reply = await ann.send('sendMessage', { userId: name, text: `to ${name}`, userid: 'bob', from: 'eve', extra: 1 })
    expect(reply).toMatchObject({ ok: true, received: true })
    expect(await log.next()).toMatchObject({ from: 'ann', text: `to ${name}` })
  }
})

test('what a client says in place of an acknowledgement, or says twice, does no harm', async () => {
  const client = await connectPlain(scope, 'dora', cluster.b)
  client.socket.on('message', (_: unknown, acknowledge: (...args: readonly unknown[]) => void) => {
    acknowledge({ ok: false }, null, Buffer.from('x'))
    acknowledge()
  })
  for (let i = 0; i < 3; i += 1) expect(await ann.send('sendMessage', { userId: 'dora', text: 'x' })).toMatchObject({ ok: true, received: true })
})
