import { describe, expect, test } from '@jest/globals'
import { RollcallError } from '../../src/protocol/errors.js'
import { DEFAULT_LIMITS } from '../../src/protocol/limits.js'
import { ANY_REVISION } from '../../src/protocol/metadata.js'
import { parseGetMetadata, parseRemoveMetadata, parseWriteMetadata } from '../../src/protocol/parse.js'
import { recordOf } from '../../src/protocol/record.js'

function codeOf(parse: () => unknown): string {
  try {
    parse()
  } catch (error) {
    if (error instanceof RollcallError) return error.code
    throw error
  }
  return 'accepted'
}

const items = [{ key: 'Name', value: 'Tony' }]
const write = (request: object) => codeOf(() => parseWriteMetadata({ items, ...request }))
const remove = (request: object) => codeOf(() => parseRemoveMetadata(request))
const many = (count: number) => Array.from({ length: count }, (_, index) => ({ key: `k${index}`, value: '' }))

class Item {
  key = 'Name'
  value = 'Tony'
}

describe('requests', () => {
  test('defaults', () => {
    expect(parseWriteMetadata({ items })).toEqual({ userId: null, items: [{ key: 'Name', value: 'Tony', revision: ANY_REVISION }], majorRevision: ANY_REVISION })
    expect(parseRemoveMetadata({})).toEqual({ userId: null, items: [], majorRevision: ANY_REVISION })
    expect(parseGetMetadata({})).toEqual({ userId: null })
  })

  test('everything, and what is not known is passed over', () => {
    const full = { userId: 'tony', items: [{ key: 'Name', value: '', revision: 0 }], majorRevision: Number.MAX_SAFE_INTEGER }
    expect(parseWriteMetadata({ ...full, addTimeStamp: true })).toEqual(full)
    expect(parseRemoveMetadata({ userId: 'tony', items: [{ key: 'Name', value: 7, revision: 5 }] })).toEqual({ userId: 'tony', items: [{ key: 'Name', revision: 5 }], majorRevision: ANY_REVISION })
    expect(parseGetMetadata({ userId: 'tony', more: 1 })).toEqual({ userId: 'tony' })
  })

  test('a removal knows its properties: a list under another name is not "all"', () => {
    for (const name of ['keys', 'data', 'item', 'constructor']) expect([name, remove({ [name]: ['Name'] })]).toEqual([name, 'STORAGE_INVALID_ARGUMENT'])
    expect(remove(JSON.parse('{"__proto__":{"items":[{"key":"Name"}]}}') as object)).toBe('STORAGE_INVALID_ARGUMENT')
    expect(remove({ items: [] })).toBe('accepted')
  })

  test.each([undefined, null, 7, 'x', [items], () => items, Buffer.from('{}'), new Map(), new Item()])('%p is no request', (payload) => {
    for (const parse of [parseWriteMetadata, parseRemoveMetadata, parseGetMetadata]) expect(codeOf(() => parse(payload))).toBe('PRESENCE_INVALID_ARGUMENT')
  })

  test('nothing is read from a prototype', () => {
    expect(codeOf(() => parseWriteMetadata(JSON.parse('{"__proto__":{"items":[{"key":"a","value":"b"}]}}')))).toBe('STORAGE_INVALID_ARGUMENT')
    expect(write({ items: [JSON.parse('{"__proto__":{"key":"a","value":"b"}}')] })).toBe('STORAGE_INVALID_KEY')
  })

  test.each([null, 7, '', '..', 'x'.repeat(65), {}])('%p is no user', (userId) => {
    expect(write({ userId })).toBe('INVALID_USER_ID')
    expect(remove({ userId })).toBe('INVALID_USER_ID')
    expect(codeOf(() => parseGetMetadata({ userId }))).toBe('INVALID_USER_ID')
  })

  test.each([null, '1', 1.5, -2, NaN, Infinity, 2 ** 53, {}, [1], true])('%p is no revision', (revision) => {
    expect(write({ majorRevision: revision })).toBe('STORAGE_INVALID_REVISION')
    expect(remove({ majorRevision: revision })).toBe('STORAGE_INVALID_REVISION')
    expect(write({ items: [{ key: 'a', value: 'b', revision }] })).toBe('STORAGE_INVALID_REVISION')
    expect(remove({ items: [{ key: 'a', revision }] })).toBe('STORAGE_INVALID_REVISION')
  })
})

describe('items', () => {
  test.each([null, 7, 'Name', {}, { 0: items[0], length: 1 }])('%p is no list', (list) => {
    expect(write({ items: list })).toBe('STORAGE_INVALID_ARGUMENT')
    expect(remove({ items: list })).toBe('STORAGE_INVALID_ARGUMENT')
  })

  test.each([null, 7, 'Name', ['Name', 'Tony'], Buffer.from('x'), new Item()])('%p is no item', (item) => {
    expect(write({ items: [...items, item] })).toBe('STORAGE_INVALID_ARGUMENT')
    expect(remove({ items: [...items, item] })).toBe('STORAGE_INVALID_ARGUMENT')
  })

  test('none is nothing to write; a hole is no item', () => {
    expect(codeOf(() => parseWriteMetadata({}))).toBe('STORAGE_INVALID_ARGUMENT')
    expect(write({ items: [] })).toBe('STORAGE_INVALID_ARGUMENT')
    expect(write({ items: new Array(1) })).toBe('STORAGE_INVALID_ARGUMENT')
  })

  test.each([undefined, null, 7, '', 'a\0b', 'a\ud800', {}, ['Name']])('%p is no key', (key) => {
    expect(write({ items: [{ key, value: 'x' }] })).toBe('STORAGE_INVALID_KEY')
    expect(remove({ items: [{ key }] })).toBe('STORAGE_INVALID_KEY')
  })

  test.each(['__proto__', 'constructor', 'profile.name', ' ', '\n', '用户', 'x'.repeat(32), '€'.repeat(10)])('%p is a key', (key) => {
    expect(parseWriteMetadata({ items: [{ key, value: 'x' }] }).items).toEqual([{ key, value: 'x', revision: -1 }])
    expect(parseRemoveMetadata({ items: [{ key }] }).items).toEqual([{ key, revision: -1 }])
  })

  test.each([undefined, null, 7, true, {}, ['x'], 'a\udc00', Buffer.from('x')])('%p is no value', (value) => {
    expect(write({ items: [{ key: 'a', value }] })).toBe('STORAGE_INVALID_VALUE')
  })

  test('sizes are bytes', () => {
    expect(write({ items: [{ key: '€'.repeat(11), value: '' }] })).toBe('STORAGE_KEY_LENGTH_OVERFLOW')
    expect(remove({ items: [{ key: 'k'.repeat(33) }] })).toBe('STORAGE_KEY_LENGTH_OVERFLOW')
    expect(write({ items: [{ key: 'k', value: '€'.repeat(5_462) }] })).toBe('STORAGE_VALUE_LENGTH_OVERFLOW')
    expect(write({ items: [{ key: 'k', value: 'x'.repeat(16_383) }] })).toBe('accepted')
    expect(write({ items: [{ key: 'k', value: 'x'.repeat(16_384) }] })).toBe('STORAGE_METADATA_LENGTH_OVERFLOW')
  })

  test('counts, and limits are those of the node', () => {
    expect(write({ items: many(256) })).toBe('accepted')
    expect(write({ items: many(257) })).toBe('STORAGE_METADATA_ITEM_EXCEED_LIMITATION')
    expect(remove({ items: many(257) })).toBe('STORAGE_METADATA_ITEM_EXCEED_LIMITATION')
    expect(codeOf(() => parseWriteMetadata({ items: many(3) }, { ...DEFAULT_LIMITS, metadataItems: 2 }))).toBe('STORAGE_METADATA_ITEM_EXCEED_LIMITATION')
    expect(codeOf(() => parseWriteMetadata({ items }, { ...DEFAULT_LIMITS, metadataBytes: 7 }))).toBe('STORAGE_METADATA_LENGTH_OVERFLOW')
  })

  test('a key is named once', () => {
    expect(write({ items: [...items, ...items] })).toBe('STORAGE_DUPLICATE_KEY')
    expect(remove({ items: [...items, ...items] })).toBe('STORAGE_DUPLICATE_KEY')
  })

  test('the checks come one after the other over all items', () => {
    const long = 'k'.repeat(33)
    expect(write({ items: [{ key: long, value: 1 }, { key: '', value: 'x' }] })).toBe('STORAGE_INVALID_KEY')
    expect(write({ items: [{ key: 'a', value: 1 }, { key: long, value: 'x' }] })).toBe('STORAGE_KEY_LENGTH_OVERFLOW')
    expect(write({ items: [{ key: 'a', value: 1 }, { key: 'a', value: 'x' }] })).toBe('STORAGE_DUPLICATE_KEY')
    expect(write({ items: [{ key: 'a', value: 'x'.repeat(20_000) }, { key: 'b', value: 1 }] })).toBe('STORAGE_INVALID_VALUE')
    expect(write({ items: [{ key: 'a', value: 'x', revision: 'x' }, { key: 'b', value: 'x'.repeat(20_000) }] })).toBe('STORAGE_VALUE_LENGTH_OVERFLOW')
  })
})

test('a record of metadata has no prototype, so every key is a key', () => {
  const detail = { value: 'x', revision: 1, updated: 1, authorUid: 'a' }
  const record = recordOf([['__proto__', detail], ['constructor', detail]])
  expect(Object.keys(record)).toEqual(['__proto__', 'constructor'])
  expect(Object.getPrototypeOf(record)).toBeNull()
})
