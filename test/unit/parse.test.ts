import { describe, expect, test } from '@jest/globals'
import { RollcallError } from '../../src/protocol/errors.js'
import { DEFAULT_LIMITS } from '../../src/protocol/limits.js'
import {
  parseChannel, parseGetState, parseHandshake, parseRemoveState, parseRenewToken, parseResume, parseSetState, parseSubscribe, parseWhereNow, parseWhoNow,
} from '../../src/protocol/parse.js'

/** `accepted`, or the code of the refusal; anything else that is thrown fails the test. */
function codeOf(parse: () => unknown): string {
  try {
    parse()
  } catch (error) {
    if (error instanceof RollcallError) return error.code
    throw error
  }
  return 'accepted'
}

const PARSERS = {
  parseHandshake, parseSubscribe, parseResume, parseChannel, parseSetState, parseRemoveState, parseGetState, parseWhoNow, parseWhereNow, parseRenewToken,
} satisfies Record<string, (value: unknown) => unknown>

const everyParser = Object.entries(PARSERS)
const room = { channelName: 'room' }
const login = { appId: 'dev', userId: 'tony' }

class Instance {
  channelName = 'room'
}

describe('what is no plain object', () => {
  const shapes: readonly (readonly [string, unknown])[] = [
    ['undefined', undefined],
    ['null', null],
    ['a string', 'room'],
    ['a number', 7],
    ['true', true],
    ['a list', [room]],
    ['a function', () => room],
    ['bytes', Buffer.from('{}')],
    ['an instance of a class', new Instance()],
    ['a map', new Map([['channelName', 'room']])],
  ]
  test.each(everyParser)('is refused by %s', (_name, parse) => {
    for (const [what, shape] of shapes) expect([what, codeOf(() => parse(shape))]).toEqual([what, 'PRESENCE_INVALID_ARGUMENT'])
  })

  test.each(everyParser)('an empty object is refused by %s', (_name, parse) => {
    expect(codeOf(() => parse({}))).not.toBe('accepted')
  })
})

describe('prototypes', () => {
  test('a field is never read from one', () => {
    const inherited = JSON.parse('{"__proto__": {"channelName": "room", "userId": "tony", "appId": "dev", "token": "t", "channels": []}}') as unknown
    for (const [name, parse] of everyParser) expect([name, codeOf(() => parse(inherited))]).not.toEqual([name, 'accepted'])
    expect(codeOf(() => parseChannel(Object.create(room)))).toBe('PRESENCE_INVALID_ARGUMENT')
  })

  test('a key named __proto__ is no state key and touches nothing', () => {
    const request = JSON.parse('{"channelName": "room", "states": {"__proto__": "x"}}') as unknown
    expect(codeOf(() => parseSetState(request))).toBe('PRESENCE_INVALID_STATE_KEY')
    expect(({} as { x?: unknown }).x).toBeUndefined()
  })

  test('an object without a prototype is as good as any', () => {
    expect(parseChannel(Object.assign(Object.create(null) as object, room))).toEqual({ ...room, channelType: 'MESSAGE' })
  })
})

describe('channels', () => {
  test('MESSAGE is the default type', () => {
    expect(parseChannel(room)).toEqual({ channelName: 'room', channelType: 'MESSAGE' })
    expect(parseChannel({ ...room, channelType: 'STREAM' })).toEqual({ channelName: 'room', channelType: 'STREAM' })
  })

  test.each([
    ['no name', {}, 'INVALID_CHANNEL_NAME'],
    ['null', { channelName: null }, 'INVALID_CHANNEL_NAME'],
    ['a lone surrogate', { channelName: '\ud800' }, 'INVALID_CHANNEL_NAME'],
    ['a NUL', { channelName: 'a\0b' }, 'INVALID_CHANNEL_NAME'],
    ['65 bytes', { channelName: 'x'.repeat(65) }, 'INVALID_CHANNEL_NAME'],
    ['a type in small letters', { ...room, channelType: 'message' }, 'INVALID_CHANNEL_TYPE'],
    ['the internal type', { ...room, channelType: 'USER' }, 'INVALID_CHANNEL_TYPE'],
    ['null as a type', { ...room, channelType: null }, 'INVALID_CHANNEL_TYPE'],
    ['a type from a prototype', { ...room, channelType: 'constructor' }, 'INVALID_CHANNEL_TYPE'],
  ])('%s', (_what, request, code) => {
    for (const parse of [parseChannel, parseSubscribe, parseRemoveState, parseWhoNow]) expect(codeOf(() => parse(request))).toBe(code)
  })
})

describe('handshake', () => {
  test('the least and the most', () => {
    expect(parseHandshake(login)).toEqual(login)
    const full = { ...login, token: 't', presenceTimeout: 300_000, sessionId: 'abcDEF_-12', tag: 'phone' }
    expect(parseHandshake({ ...full, unknown: 1 })).toEqual(full)
  })

  test('no token, said in several ways', () => {
    for (const token of [undefined, null, '']) expect(parseHandshake({ ...login, token })).toEqual(login)
  })

  test.each([
    ['no app', { userId: 'tony' }, 'INVALID_APP_ID'],
    ['an app that is no string', { ...login, appId: 7 }, 'INVALID_APP_ID'],
    ['no user', { appId: 'dev' }, 'INVALID_USER_ID'],
    ['a user that is not in NFC', { ...login, userId: 'e\u0301' }, 'INVALID_USER_ID'],
    ['a token that is no string', { ...login, token: {} }, 'INVALID_TOKEN'],
    ['a huge token', { ...login, token: 'x'.repeat(16_385) }, 'INVALID_TOKEN'],
    ['too short a timeout', { ...login, presenceTimeout: 999 }, 'PRESENCE_INVALID_ARGUMENT'],
    ['too long a timeout', { ...login, presenceTimeout: 300_001 }, 'PRESENCE_INVALID_ARGUMENT'],
    ['a broken timeout', { ...login, presenceTimeout: 1_000.5 }, 'PRESENCE_INVALID_ARGUMENT'],
    ['a timeout as text', { ...login, presenceTimeout: '5000' }, 'PRESENCE_INVALID_ARGUMENT'],
    ['a timeout of NaN', { ...login, presenceTimeout: NaN }, 'PRESENCE_INVALID_ARGUMENT'],
    ['a short session id', { ...login, sessionId: 'abc' }, 'PRESENCE_INVALID_ARGUMENT'],
    ['a session id with a colon', { ...login, sessionId: 'abcdefgh:' }, 'PRESENCE_INVALID_ARGUMENT'],
    ['a session id with a line after it', { ...login, sessionId: 'abcdefgh\n' }, 'PRESENCE_INVALID_ARGUMENT'],
    ['an empty tag', { ...login, tag: '' }, 'PRESENCE_INVALID_ARGUMENT'],
    ['a long tag', { ...login, tag: 'x'.repeat(65) }, 'PRESENCE_INVALID_ARGUMENT'],
  ])('%s', (_what, auth, code) => {
    expect(codeOf(() => parseHandshake(auth))).toBe(code)
  })
})

describe('subscribe', () => {
  test('defaults', () => {
    expect(parseSubscribe(room)).toEqual({ ...room, channelType: 'MESSAGE', withPresence: true, beQuiet: false, states: null, since: null })
  })

  test('everything', () => {
    const request = { ...room, channelType: 'STREAM', withPresence: false, beQuiet: false, states: { mood: 'fine' }, since: { life: 'l', version: 0 } }
    expect(parseSubscribe(request)).toMatchObject(request)
  })

  test('an empty map of states says the same as none', () => {
    expect(parseSubscribe({ ...room, beQuiet: true, states: {} }).states).toBeNull()
  })

  test.each([
    ['withPresence as text', { withPresence: 'false' }, 'PRESENCE_INVALID_ARGUMENT'],
    ['beQuiet null', { beQuiet: null }, 'PRESENCE_INVALID_ARGUMENT'],
    ['states null', { states: null }, 'PRESENCE_INVALID_ARGUMENT'],
    ['states as a list', { states: [] }, 'PRESENCE_INVALID_ARGUMENT'],
    ['a state that is no text', { states: { a: 1 } }, 'PRESENCE_INVALID_STATE_VALUE'],
    ['33 states', { states: Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`k${i}`, ''])) }, 'PRESENCE_STATE_COUNT_OVERFLOW'],
    ['states of a quiet one', { states: { a: '1' }, beQuiet: true }, 'PRESENCE_NOT_WRITABLE'],
    ['since as text', { since: 'now' }, 'PRESENCE_INVALID_ARGUMENT'],
    ['since without a life', { since: { version: 1 } }, 'PRESENCE_INVALID_ARGUMENT'],
    ['since with a broken version', { since: { life: 'l', version: 1.5 } }, 'PRESENCE_INVALID_ARGUMENT'],
    ['since with a version beyond 2^53', { since: { life: 'l', version: 2 ** 53 } }, 'PRESENCE_INVALID_ARGUMENT'],
    ['since with a negative version', { since: { life: 'l', version: -1 } }, 'PRESENCE_INVALID_ARGUMENT'],
  ])('%s', (_what, extra, code) => {
    expect(codeOf(() => parseSubscribe({ ...room, ...extra }))).toBe(code)
    expect(codeOf(() => parseResume({ channels: [{ ...room, ...extra }] }))).toBe(code)
  })
})

describe('resume', () => {
  test('the same name in two types is two channels', () => {
    expect(parseResume({ channels: [room, { ...room, channelType: 'STREAM' }] })).toHaveLength(2)
    expect(parseResume({ channels: [] })).toEqual([])
  })

  test.each([
    ['no list', { channels: { 0: room, length: 1 } }, 'PRESENCE_INVALID_ARGUMENT'],
    ['a channel twice', { channels: [room, { ...room, channelType: 'MESSAGE' }] }, 'PRESENCE_INVALID_ARGUMENT'],
    ['a hole', { channels: new Array(1) }, 'PRESENCE_INVALID_ARGUMENT'],
    ['too many', { channels: Array.from({ length: 201 }, (_, i) => ({ channelName: `room ${i}` })) }, 'CHANNEL_LIMIT'],
  ])('%s', (_what, request, code) => {
    expect(codeOf(() => parseResume(request))).toBe(code)
  })
})

describe('states', () => {
  test('the channel is looked at before the states', () => {
    expect(codeOf(() => parseSetState({ channelName: '', states: {} }))).toBe('INVALID_CHANNEL_NAME')
  })

  test('no states', () => {
    expect(codeOf(() => parseSetState(room))).toBe('PRESENCE_INVALID_ARGUMENT')
    expect(codeOf(() => parseSetState({ ...room, states: {} }))).toBe('PRESENCE_INVALID_ARGUMENT')
  })

  test('removing: no list and an empty one mean all (000.6)', () => {
    expect(parseRemoveState(room).keys).toEqual([])
    expect(parseRemoveState({ ...room, states: [] }).keys).toEqual([])
    expect(parseRemoveState({ ...room, states: ['a', 'a'] }).keys).toEqual(['a'])
    expect(codeOf(() => parseRemoveState({ ...room, states: { a: '1' } }))).toBe('PRESENCE_INVALID_ARGUMENT')
  })

  test('limits are those of the node', () => {
    const limits = { ...DEFAULT_LIMITS, stateValueBytes: 2, nameBytes: 4 }
    expect(codeOf(() => parseSetState({ ...room, states: { a: '123' } }, limits))).toBe('PRESENCE_STATE_VALUE_SIZE_OVERFLOW')
    expect(codeOf(() => parseChannel({ channelName: 'rooms' }, limits))).toBe('INVALID_CHANNEL_NAME')
  })
})

describe('queries and tokens', () => {
  test('whoNow', () => {
    expect(parseWhoNow(room)).toEqual({ ...room, channelType: 'MESSAGE', includedUserId: true, includedState: false, page: '' })
    expect(parseWhoNow({ ...room, includedState: true, page: 'cDI' })).toMatchObject({ includedState: true, page: 'cDI' })
    for (const bad of [{ page: 7 }, { page: null }, { page: 'x'.repeat(1_025) }, { page: '\ud800' }, { includedState: 1 }, { includedUserId: 'yes' }]) {
      expect([bad, codeOf(() => parseWhoNow({ ...room, ...bad }))]).toEqual([bad, 'PRESENCE_INVALID_ARGUMENT'])
    }
  })

  test('getState and whereNow name a user', () => {
    expect(parseGetState({ ...room, userId: 'tony' })).toEqual({ ...room, channelType: 'MESSAGE', userId: 'tony' })
    expect(parseWhereNow({ userId: 'tony' })).toEqual({ userId: 'tony' })
    expect(codeOf(() => parseGetState(room))).toBe('INVALID_USER_ID')
    expect(codeOf(() => parseWhereNow({ userId: '..' }))).toBe('INVALID_USER_ID')
  })

  test('renewToken needs one', () => {
    expect(parseRenewToken({ token: 'a.b.c' })).toEqual({ token: 'a.b.c' })
    for (const token of [undefined, null, '', 7, {}]) expect(codeOf(() => parseRenewToken({ token }))).toBe('INVALID_TOKEN')
  })
})
