import { describe, expect, test } from '@jest/globals'
import { RollcallError } from '../../src/protocol/errors.js'
import { DEFAULT_LIMITS } from '../../src/protocol/limits.js'
import { checkStateCount, mergeStates, parseStateKeys, parseStates, withoutStates } from '../../src/protocol/states.js'

function codeOf(check: () => unknown): number | 'accepted' {
  try {
    check()
  } catch (error) {
    if (error instanceof RollcallError) return error.errorCode
    throw error
  }
  return 'accepted'
}

const many = (count: number, prefix = 'k') => Object.fromEntries(Array.from({ length: count }, (_, i) => [`${prefix}${i}`, 'v']))

const BAD_KEY = 'a"b'
const LONG_KEY = 'k'.repeat(33)
const LONG_VALUE = 'v'.repeat(16_385)

describe('states', () => {
  test('come back as a frozen record without a prototype', () => {
    const states = parseStates({ Mode: 'Happy', Mic: 'False' })
    expect(states).toEqual({ Mode: 'Happy', Mic: 'False' })
    expect(Object.getPrototypeOf(states)).toBeNull()
    expect(Object.isFrozen(states)).toBe(true)
  })

  test('keys that name what objects inherit are keys like any other', () => {
    const states = parseStates(JSON.parse('{"constructor":"a","toString":"b","hasOwnProperty":"c"}'))
    expect(Object.keys(states)).toEqual(['constructor', 'toString', 'hasOwnProperty'])
    expect(codeOf(() => parseStates(JSON.parse('{"__proto__":"x"}')))).toBe(-13006)
  })

  test('a record without a prototype and one of another realm are plain maps', () => {
    expect(parseStates(Object.assign(Object.create(null) as object, { a: '1' }))).toEqual({ a: '1' })
    expect(parseStates(structuredClone({ a: '1' }))).toEqual({ a: '1' })
  })

  class Mood {
    mode = 'Happy'
  }
  test.each<readonly [string, unknown]>([
    ['undefined', undefined],
    ['null', null],
    ['a string', 'a'],
    ['a list', ['a']],
    ['an empty list', []],
    ['a Map', new Map([['a', 'b']])],
    ['an instance', new Mood()],
    ['a function', () => ({ a: 'b' })],
    ['no states', {}],
    ['only a symbol', { [Symbol('a')]: 'b' }],
  ])('%s is no argument', (_, value) => {
    expect(codeOf(() => parseStates(value))).toBe(-13003)
  })

  test.each(['', '_', '_a', 'a.b', 'a"b', "a'b", 'a*b', 'a/b', 'a`b', 'a\\b', 'a\nb', 'a\n', 'é', '频', '😀', 'a\0'])('the key %j has not the form', (key) => {
    expect(codeOf(() => parseStates({ [key]: 'v' }))).toBe(-13006)
    expect(codeOf(() => parseStateKeys([key]))).toBe(-13006)
  })

  test.each([...' !#$%&()+,-:;<=>?@[]^{|}~azAZ09', 'a_', 'k'.repeat(32)])('the key %j has the form', (key) => {
    expect(Object.keys(parseStates({ [key]: 'v' }))).toEqual([key])
    expect(parseStateKeys([key])).toEqual([key])
  })

  test.each([[1], [true], [null], [undefined], [{}], [['a']], ['\ud800'], ['a\udc00'], [Object('a') as unknown]])('the value %j is no well-formed string', (value) => {
    expect(codeOf(() => parseStates({ a: value }))).toBe(-13007)
  })

  test('the size of a value is counted in bytes of UTF-8', () => {
    for (const value of ['', 'v'.repeat(16_384), 'é'.repeat(8_192), '😀'.repeat(4_096), '\0']) expect(parseStates({ a: value })).toEqual({ a: value })
    for (const value of [LONG_VALUE, 'é'.repeat(8_193), '频'.repeat(5_462), '😀'.repeat(4_097)]) expect(codeOf(() => parseStates({ a: value }))).toBe(-13009)
  })

  test.each<readonly [string, object, number]>([
    ['form before key size', { [LONG_KEY]: 'v', [BAD_KEY]: 'v' }, -13006],
    ['form before value type', { a: 1, [BAD_KEY]: 'v' }, -13006],
    ['key size before value type', { a: 1, [LONG_KEY]: 'v' }, -13008],
    ['key size before value size', { a: LONG_VALUE, [LONG_KEY]: 'v' }, -13008],
    ['value type before value size', { a: LONG_VALUE, b: 1 }, -13007],
    ['value size before the count', { ...many(33), a: LONG_VALUE }, -13009],
  ])('%s, wherever in the map', (_, states, errorCode) => {
    expect(codeOf(() => parseStates(states))).toBe(errorCode)
  })

  test('limits can be set', () => {
    const limits = { ...DEFAULT_LIMITS, stateKeyBytes: 2, stateValueBytes: 3 }
    expect(parseStates({ ab: 'abc' }, limits)).toEqual({ ab: 'abc' })
    expect(codeOf(() => parseStates({ abc: 'a' }, limits))).toBe(-13008)
    expect(codeOf(() => parseStates({ a: 'abcd' }, limits))).toBe(-13009)
  })
})

describe('the count', () => {
  test('is of distinct keys after the merge', () => {
    expect(codeOf(() => checkStateCount({}, many(32)))).toBe('accepted')
    expect(codeOf(() => checkStateCount({}, many(33)))).toBe(-13005)
    expect(codeOf(() => checkStateCount(many(32), many(32)))).toBe('accepted')
    expect(codeOf(() => checkStateCount(many(32), many(1, 'other')))).toBe(-13005)
    expect(codeOf(() => checkStateCount(many(31), { k0: 'v', other: 'v' }))).toBe('accepted')
  })

  test('does not take inherited names for keys that are there', () => {
    expect(codeOf(() => checkStateCount(many(32), parseStates({ toString: 'v' })))).toBe(-13005)
  })
})

describe('keys to remove', () => {
  test('none and no list mean all', () => {
    expect(parseStateKeys(undefined)).toEqual([])
    expect(parseStateKeys([])).toEqual([])
  })

  test('a key named twice counts once', () => {
    expect(parseStateKeys(['a', 'b', 'a'])).toEqual(['a', 'b'])
  })

  // `null` is not taken for "all": too much would go by mistake.
  test.each([null, 'a', 1, true, {}, { 0: 'a', length: 1 }])('%j is no list', (value) => {
    expect(codeOf(() => parseStateKeys(value))).toBe(-13003)
  })

  test('what is no key is refused', () => {
    expect(codeOf(() => parseStateKeys([1]))).toBe(-13006)
    expect(codeOf(() => parseStateKeys(new Array<string>(1)))).toBe(-13006)
    expect(codeOf(() => parseStateKeys([LONG_KEY]))).toBe(-13008)
    expect(codeOf(() => parseStateKeys([LONG_KEY, BAD_KEY]))).toBe(-13006)
  })
})

describe('merge and removal', () => {
  test('existing keys are overwritten, new ones added, others untouched', () => {
    expect(mergeStates({ a: '1', b: '2' }, { b: '3', c: '4' })).toEqual({ a: '1', b: '3', c: '4' })
  })

  test('just the named keys go; none named means all', () => {
    expect(withoutStates({ a: '1', b: '2' }, ['b', 'x'])).toEqual({ a: '1' })
    expect(withoutStates({ a: '1', b: '2' }, [])).toEqual({})
  })
})
