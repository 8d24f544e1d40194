import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'

import { ERRORS, type ErrorCode } from '../../src/protocol/errors.js'
import { BAD_NAMES, BAD_PAYLOADS, ODD_NAMES, underProto } from '../support/bad-input.js'
import { useCluster } from '../support/node.js'
import { connectPlain, type PlainClient } from '../support/plain.js'
import type { Content } from '../support/redis.js'
import { useTestScope } from '../support/scope.js'
import { eventually } from '../support/wait.js'

const cluster = useCluster({ limits: { callsPerSecond: 100_000, channelsPerClient: 20 } })
const scope = useTestScope()

const ROOM = { channelName: 'room', channelType: 'MESSAGE' } as const
const STATES = { Mode: 'Happy' }

type Case = readonly [what: string, code: ErrorCode, ...args: readonly unknown[]]

let ada: PlainClient
let before: Record<string, Content>

/** One client for the whole file: each refusal leaves it, and all that Redis holds, as they were. */
beforeAll(async () => {
  ada = await connectPlain(cluster.scope, 'ada', cluster.a)
  await ada.must('subscribe', { ...ROOM, states: STATES })
  // Keys of the node itself come with its first heartbeats.
  await eventually('both nodes have said that they are there', async () => (await cluster.redis.keys('rollcall:{*}:owned:*')).length >= 32)
})

beforeEach(async () => {
  before = await cluster.redis.contents()
})

afterEach(async () => {
  expect(await cluster.redis.contents()).toEqual(before)
  expect(ada.socket.connected).toBe(true)
  expect(await ada.must('getState', { ...ROOM, userId: 'ada' })).toMatchObject({ states: STATES })
})

async function refused(name: string, code: ErrorCode, args: readonly unknown[]): Promise<void> {
  const { id } = ada.socket
  const reply = await ada.send(name, ...args)
  expect(reply).toEqual({
    ok: false,
    error: { code, errorCode: ERRORS[code].errorCode, operation: expect.any(String), reason: expect.stringMatching(/^.{1,300}$/), retryable: ERRORS[code].retryable },
  })
  expect(ada.socket.id).toBe(id)
}

async function logsOut(client: PlainClient): Promise<void> {
  client.socket.disconnect()
  await forgotten(client.user)
}

/** Nothing is left of a user but that it was seen. */
async function forgotten(user: string): Promise<void> {
  await eventually(`nothing is left of ${user}`, async () => {
    const now = await cluster.redis.contents()
    const seen = Object.entries(now).filter(([key]) => !(key in before) && /^rollcall:\{\d+\}:seen:/.test(key))
    expect(now).toEqual({ ...before, ...Object.fromEntries(seen) })
    before = now
    return true
  })
}

/** Every value of a field that is wrong, with all other fields right. */
function wrong(field: string, code: ErrorCode, rest: Readonly<Record<string, unknown>>, values: readonly (readonly [string, unknown])[]): readonly Case[] {
  return values.map(([what, value]) => [`${field}: ${what}`, code, { ...rest, [field]: value }] as const)
}

const BAD_TYPES = [['a number', 1], ['null', null], ['lower case', 'message'], ['the internal type', 'USER'], ['another', 'NOISE'], ['{}', {}], ['empty', ''], ['a list', ['MESSAGE']], ['of a prototype', '__proto__']] as const
const NO_BOOLEANS = [['a string', 'true'], ['a number', 1], ['null', null], ['{}', {}], ['a list', []]] as const
const NO_STATES = [['null', null], ['a number', 1], ['a string', 'Mode'], ['a list', [['Mode', 'Happy']]], ['binary', Buffer.from('{}')]] as const
const NO_KEYS = ['', '_private', '__proto__', 'a.b', "a'b", 'a/b', 'a*b', 'ключ', 'a\nb', 'a\0b', 'a\ud800'] as const
const NO_VALUES = [['a number', 1], ['null', null], ['true', true], ['{}', {}], ['a list', ['x']], ['a lone surrogate', 'a\ud800'], ['binary', Buffer.from('x')]] as const
const LONG_VALUES = [['one byte too long', 'x'.repeat(16_385)], ['two bytes too long in fewer characters', '€'.repeat(5_462)]] as const

const channelCases = (rest: Readonly<Record<string, unknown>>): readonly Case[] => [
  ...wrong('channelName', 'INVALID_CHANNEL_NAME', rest, BAD_NAMES),
  ...wrong('channelType', 'INVALID_CHANNEL_TYPE', { ...rest, channelName: 'room' }, BAD_TYPES),
  ['all of it under __proto__', 'INVALID_CHANNEL_NAME', underProto({ ...rest, ...ROOM })],
  ['{}', 'INVALID_CHANNEL_NAME', {}],
  ...payloadCases,
]
const payloadCases: readonly Case[] = BAD_PAYLOADS.map(([what, args]) => [`payload: ${what}`, 'PRESENCE_INVALID_ARGUMENT', ...args])

const stateCases = (rest: Readonly<Record<string, unknown>>): readonly Case[] => [
  ...wrong('states', 'PRESENCE_INVALID_ARGUMENT', rest, NO_STATES),
  ...NO_KEYS.map((key): Case => [`the key ${JSON.stringify(key)}`, 'PRESENCE_INVALID_STATE_KEY', { ...rest, states: JSON.parse(JSON.stringify({ good: 'x' }).replace('"good"', JSON.stringify(key))) as unknown }]),
  ['a key of 33 bytes', 'PRESENCE_STATE_KEY_SIZE_OVERFLOW', { ...rest, states: { ['k'.repeat(33)]: 'x' } }],
  ...NO_VALUES.map(([what, value]): Case => [`a value that is ${what}`, 'PRESENCE_INVALID_STATE_VALUE', { ...rest, states: { Mode: value } }]),
  ...LONG_VALUES.map(([what, value]): Case => [`a value ${what}`, 'PRESENCE_STATE_VALUE_SIZE_OVERFLOW', { ...rest, states: { Mode: value } }]),
  ['33 keys', 'PRESENCE_STATE_COUNT_OVERFLOW', { ...rest, states: Object.fromEntries(Array.from({ length: 33 }, (_, index) => [`k${index}`, 'x'])) }],
]

const sinceCases = (rest: Readonly<Record<string, unknown>>): readonly Case[] =>
  wrong('since', 'PRESENCE_INVALID_ARGUMENT', rest, [
    ...[['null', null], ['a number', 5], ['{}', {}], ['a list', []], ['no version', { life: 'x' }], ['no life', { version: 1 }]] as const,
    ...[['a text as version', { life: 'x', version: '1' }], ['a fraction', { life: 'x', version: 1.5 }], ['a negative version', { life: 'x', version: -1 }]] as const,
    ...[['a life that is none', { life: 7, version: 1 }], ['an endless life', { life: 'x'.repeat(300), version: 1 }], ['a version past 2^53', { life: 'x', version: 2 ** 53 }]] as const,
  ])

const FRESH = { channelName: 'another room', channelType: 'MESSAGE' } as const

const REQUESTS: Readonly<Record<string, readonly Case[]>> = {
  subscribe: [
    ...channelCases({}),
    ...wrong('withPresence', 'PRESENCE_INVALID_ARGUMENT', FRESH, NO_BOOLEANS),
    ...wrong('beQuiet', 'PRESENCE_INVALID_ARGUMENT', FRESH, NO_BOOLEANS),
    ...stateCases(FRESH),
    ...sinceCases(FRESH),
    ['states of a quiet one', 'PRESENCE_NOT_WRITABLE', { ...FRESH, beQuiet: true, states: STATES }],
  ],
  unsubscribe: [...channelCases({}), ['a channel that is not subscribed to', 'CHANNEL_NOT_SUBSCRIBED', FRESH], ['a stream channel that is not joined', 'CHANNEL_NOT_JOINED', { ...FRESH, channelType: 'STREAM' }]],
  setState: [
    ...channelCases({ states: STATES }),
    ['no states', 'PRESENCE_INVALID_ARGUMENT', ROOM],
    ['{} as states', 'PRESENCE_INVALID_ARGUMENT', { ...ROOM, states: {} }],
    ...stateCases(ROOM),
    ['32 keys to the one that is there', 'PRESENCE_STATE_COUNT_OVERFLOW', { ...ROOM, states: Object.fromEntries(Array.from({ length: 32 }, (_, index) => [`k${index}`, 'x'])) }],
    ['a channel that is not subscribed to', 'CHANNEL_NOT_SUBSCRIBED', { ...FRESH, states: STATES }],
    ['a stream channel that is not joined', 'CHANNEL_NOT_JOINED', { ...ROOM, channelType: 'STREAM', states: STATES }],
    // The contract's order of checks: form, key size, type, value size, count.
    ['a bad key after a long one', 'PRESENCE_INVALID_STATE_KEY', { ...ROOM, states: { ['k'.repeat(33)]: 1, _x: 'x' } }],
    ['a long key after a bad value', 'PRESENCE_STATE_KEY_SIZE_OVERFLOW', { ...ROOM, states: { a: 1, ['k'.repeat(33)]: 'x' } }],
    ['a bad value after a long one', 'PRESENCE_INVALID_STATE_VALUE', { ...ROOM, states: { a: 'x'.repeat(20_000), b: 1 } }],
    ['a long value among too many', 'PRESENCE_STATE_VALUE_SIZE_OVERFLOW', { ...ROOM, states: { ...Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`k${index}`, 'x'])), z: 'x'.repeat(20_000) } }],
  ],
  removeState: [
    ...channelCases({ states: ['Mode'] }),
    ...wrong('states', 'PRESENCE_INVALID_ARGUMENT', ROOM, [['null', null], ['a string', 'Mode'], ['a number', 1], ['{}', {}], ['a map', { Mode: 'Happy' }]]),
    ...NO_KEYS.map((key): Case => [`the key ${JSON.stringify(key)}`, 'PRESENCE_INVALID_STATE_KEY', { ...ROOM, states: ['Mode', key] }]),
    ...([1, null, {}, ['Mode']] as const).map((key): Case => [`the key ${JSON.stringify(key)}`, 'PRESENCE_INVALID_STATE_KEY', { ...ROOM, states: [key] }]),
    ['a key of 33 bytes', 'PRESENCE_STATE_KEY_SIZE_OVERFLOW', { ...ROOM, states: ['k'.repeat(33)] }],
    ['a channel that is not subscribed to', 'CHANNEL_NOT_SUBSCRIBED', FRESH],
  ],
  getState: [
    ...channelCases({ userId: 'ada' }).filter(([what]) => what !== '{}' && !what.startsWith('all of it')),
    ...wrong('userId', 'INVALID_USER_ID', ROOM, BAD_NAMES),
    ['somebody who is not there', 'PRESENCE_USER_NOT_EXIST', { ...ROOM, userId: 'nobody' }],
    ['somebody called __proto__', 'PRESENCE_USER_NOT_EXIST', { ...ROOM, userId: '__proto__' }],
  ],
  whoNow: [
    ...channelCases({}),
    ...wrong('includedUserId', 'PRESENCE_INVALID_ARGUMENT', ROOM, NO_BOOLEANS),
    ...wrong('includedState', 'PRESENCE_INVALID_ARGUMENT', ROOM, NO_BOOLEANS),
    ...wrong('page', 'PRESENCE_INVALID_ARGUMENT', ROOM, [['a number', 2], ['null', null], ['{}', {}], ['made up', '!!!'], ['another made up one', 'page 2'], ['endless', 'x'.repeat(5_000)], ['with a NUL', 'a\0']]),
  ],
  whereNow: [...wrong('userId', 'INVALID_USER_ID', {}, BAD_NAMES), ['under __proto__', 'INVALID_USER_ID', underProto({ userId: 'ada' })], ...payloadCases],
  resume: [
    ...payloadCases,
    ...wrong('channels', 'PRESENCE_INVALID_ARGUMENT', {}, [['nothing', undefined], ['null', null], ['a map', { 0: FRESH }], ['a string', 'room'], ['a list of null', [null]], ['a list of names', ['room']], ['one channel twice', [FRESH, FRESH]]]),
    ['21 channels where 20 are allowed', 'CHANNEL_LIMIT', { channels: Array.from({ length: 21 }, (_, index) => ({ ...FRESH, channelName: `r${index}` })) }],
    ...BAD_NAMES.map(([what, channelName]): Case => [`a channel name: ${what}`, 'INVALID_CHANNEL_NAME', { channels: [FRESH, { ...FRESH, channelName }] }]),
    ...BAD_TYPES.map(([what, channelType]): Case => [`a channel type: ${what}`, 'INVALID_CHANNEL_TYPE', { channels: [{ ...FRESH, channelType }] }]),
    ...sinceCases(FRESH).map(([what, code, request]): Case => [what, code, { channels: [request] }]),
    ...stateCases(FRESH).map(([what, code, request]): Case => [what, code, { channels: [request] }]),
  ],
  renewToken: [...payloadCases, ...wrong('token', 'INVALID_TOKEN', {}, [['none', undefined], ['null', null], ['a number', 1], ['{}', {}], ['empty', ''], ['endless', 'x'.repeat(100_000)]])],
  nonsense: [['an object', 'PRESENCE_INVALID_ARGUMENT', ROOM], ['nothing', 'PRESENCE_INVALID_ARGUMENT']],
  ['constructor' as string]: [['an object', 'PRESENCE_INVALID_ARGUMENT', ROOM]],
}

describe.each(Object.entries(REQUESTS))('a bad %s is refused with its code and changes nothing', (name, cases) => {
  // One test for many cases: what is compared before and after is the same, and reading it costs more than the cases.
  test(`${cases.length} ways`, async () => {
    for (const [what, code, ...args] of cases) {
      await refused(name, code, args).catch((error: unknown) => {
        throw new Error(`${name}, ${what}: ${String(error)}`, { cause: error })
      })
    }
  })
})

describe('what is no request at all', () => {
  test('requests without an acknowledgement are passed over when they are bad', async () => {
    for (const name of Object.keys(REQUESTS)) {
      for (const args of [[], [null], [{}], [{ channelName: 5 }], ['x', 'y']] as readonly unknown[][]) ada.socket.emit(name, ...args)
    }
  })

  test('an acknowledgement that is no function is an argument too many', async () => {
    await refused('subscribe', 'PRESENCE_INVALID_ARGUMENT', [FRESH, 'not a function'])
  })

  test('names that look like trouble are names: each joins, says something and leaves, and is itself', async () => {
    for (const name of ODD_NAMES) {
      const user = await connectPlain(scope, name, cluster.b)
      const channel = { channelName: name, channelType: 'STREAM' }
      await user.must('subscribe', { ...channel, states: { constructor: 'x', toString: 'y' } })
      expect(await ada.must('whereNow', { userId: name })).toMatchObject({ channels: [channel] })
      expect(await ada.must('getState', { ...channel, userId: name })).toMatchObject({ userId: name, states: { constructor: 'x', toString: 'y' }, statesCount: 2 })
      await logsOut(user)
    }
  })
})

describe('too much', () => {
  test('a 21st channel where 20 are allowed is -11033, and the others stay', async () => {
    const eager = await connectPlain(scope, 'eager', cluster.a)
    for (let index = 0; index < 20; index++) await eager.must('subscribe', { channelName: `eager-${index}`, channelType: 'MESSAGE', withPresence: false })
    expect(await eager.send('subscribe', { channelName: 'eager-20', channelType: 'MESSAGE' })).toMatchObject({ ok: false, error: { errorCode: -11033 } })
    expect(await eager.must('whereNow', { userId: 'eager' })).toMatchObject({ totalChannel: 20 })
    await eager.must('unsubscribe', { channelName: 'eager-0', channelType: 'MESSAGE' })
    await eager.must('subscribe', { channelName: 'eager-20', channelType: 'MESSAGE' })
    await logsOut(eager)
  })

  test('a message of more than a megabyte ends that connection alone', async () => {
    const greedy = await connectPlain(scope, 'greedy', cluster.a, { reconnection: false })
    const gone = new Promise((resolve) => greedy.socket.once('disconnect', resolve))
    greedy.socket.emit('setState', { ...ROOM, states: { Mode: 'x'.repeat(1_200_000) } })
    await gone
    await forgotten('greedy')
  })
})
