import { describe, expect, test } from '@jest/globals'
import { RollcallError } from '../../src/protocol/errors.js'
import { checkChannel, checkChannelName, checkChannelType, checkUserId } from '../../src/protocol/names.js'

function codeOf(check: () => unknown): string {
  try {
    check()
  } catch (error) {
    if (error instanceof RollcallError) return error.code
    throw error
  }
  return 'accepted'
}

const GOOD = ['a', ' ', 'Tony', '...', '.a', '/', 'a b', '\u007f', '__proto__', 'constructor', 'caf\u00e9', '频道', '👩‍👩‍👧', 'x'.repeat(64), '频'.repeat(21) + 'x', '😀'.repeat(16)]

const BAD: readonly (readonly [string, unknown])[] = [
  ['undefined', undefined],
  ['null', null],
  ['a number', 7],
  ['a list', ['a']],
  ['an object', { toString: () => 'a' }],
  ['a String object', Object('a')],
  ['empty', ''],
  ['one dot', '.'],
  ['two dots', '..'],
  ['a NUL', 'a\0b'],
  ['a lone high surrogate', 'a\ud83d'],
  ['a lone low surrogate', '\ude00a'],
  ['swapped surrogates', '\ude00\ud83d'],
  ['not in NFC', 'cafe\u0301'],
  ['a singleton that NFC replaces', '\u212b'],
  ['65 bytes of ASCII', 'x'.repeat(65)],
  ['65 bytes in 64 characters', 'x'.repeat(63) + 'é'],
  ['66 bytes in 22 characters', '频'.repeat(22)],
  ['a megabyte', 'x'.repeat(1 << 20)],
]

describe('user ids and channel names', () => {
  test.each(GOOD.map((name) => [name]))('%j is accepted and given back as it is', (name) => {
    expect(checkUserId(name)).toBe(name)
    expect(checkChannelName(name)).toBe(name)
  })

  test.each(BAD)('%s is refused', (_, name) => {
    expect(codeOf(() => checkUserId(name))).toBe('INVALID_USER_ID')
    expect(codeOf(() => checkChannelName(name))).toBe('INVALID_CHANNEL_NAME')
  })

  test('the size is a limit that can be set', () => {
    expect(codeOf(() => checkUserId('abcd', { nameBytes: 3 }))).toBe('INVALID_USER_ID')
    expect(checkChannelName('é', { nameBytes: 2 })).toBe('é')
  })

  test('a refusal carries the number of the contract and says what a name is', () => {
    expect(() => checkUserId('')).toThrow(expect.objectContaining({ errorCode: -10006, retryable: false, reason: 'a user id is not empty' }))
    expect(() => checkChannelName('..')).toThrow(expect.objectContaining({ errorCode: -10008 }))
  })
})

describe('channel types', () => {
  test('MESSAGE and STREAM are the two that clients name', () => {
    expect(checkChannelType('MESSAGE')).toBe('MESSAGE')
    expect(checkChannelType('STREAM')).toBe('STREAM')
  })

  test.each([undefined, null, '', 'message', 'USER', 0, ['MESSAGE'], 'toString'])('%j is refused', (type) => {
    expect(codeOf(() => checkChannelType(type))).toBe('INVALID_CHANNEL_TYPE')
  })

  test('a channel is checked name first', () => {
    expect(checkChannel('c', 'STREAM')).toEqual({ channelName: 'c', channelType: 'STREAM' })
    expect(codeOf(() => checkChannel('', 'USER'))).toBe('INVALID_CHANNEL_NAME')
    expect(codeOf(() => checkChannel('c', 'USER'))).toBe('INVALID_CHANNEL_TYPE')
  })
})
