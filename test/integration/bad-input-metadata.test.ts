import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'

import { ERRORS, type ErrorCode } from '../../src/protocol/errors.js'
import { BAD_NAMES, BAD_PAYLOADS, ODD_NAMES, underProto } from '../support/bad-input.js'
import { connect } from '../support/client.js'
import { startNode, useCluster } from '../support/node.js'
import { connectPlain, type PlainClient } from '../support/plain.js'
import type { Content } from '../support/redis.js'
import { useTestScope } from '../support/scope.js'
import { eventually } from '../support/wait.js'

const cluster = useCluster({ limits: { callsPerSecond: 100_000, metadataItems: 40, metadataBytes: 2_000, metadataValueBytes: 1_000 } })
const scope = useTestScope()

type Case = readonly [what: string, code: ErrorCode, ...args: readonly unknown[]]

const KEPT = { key: 'Name', value: 'Ada' }
const item = (fields: Readonly<Record<string, unknown>>) => ({ items: [{ ...KEPT, ...fields }] })
const many = (count: number, value = '') => Array.from({ length: count }, (_, index) => ({ key: `k${index}`, value }))

let ada: PlainClient
let before: Record<string, Content>

beforeAll(async () => {
  ada = await connectPlain(cluster.scope, 'ada', cluster.a)
  await ada.must('setUserMetadata', { items: [KEPT] })
  await eventually('both nodes have said that they are there', async () => (await cluster.redis.keys('rollcall:{*}:owned:*')).length >= 32)
})

beforeEach(async () => {
  before = await cluster.redis.contents()
})

const named: readonly Case[] = BAD_NAMES.filter(([what]) => what !== 'no name').map(([what, userId]) => [`userId: ${what}`, 'INVALID_USER_ID', { items: [KEPT], userId }])
const payloads: readonly Case[] = BAD_PAYLOADS.map(([what, args]) => [`payload: ${what}`, 'PRESENCE_INVALID_ARGUMENT', ...args])
const REVISIONS = [['null', null], ['a string', '1'], ['a fraction', 1.5], ['-2', -2], ['past 2^53', 2 ** 53], ['{}', {}]] as const
const revisions: readonly Case[] = REVISIONS.flatMap(([what, revision]): Case[] => [
  [`revision: ${what}`, 'STORAGE_INVALID_REVISION', item({ revision })],
  [`majorRevision: ${what}`, 'STORAGE_INVALID_REVISION', { items: [KEPT], majorRevision: revision }],
])
const lists: readonly Case[] = [
  ...[null, 7, 'Name', {}, { Name: 'Ada' }].map((items): Case => [`items: ${JSON.stringify(items)}`, 'STORAGE_INVALID_ARGUMENT', { items }]),
  ...[null, 7, 'Name', ['Name', 'Ada'], Buffer.from('x')].map((entry): Case => [`an item that is ${JSON.stringify(entry)}`, 'STORAGE_INVALID_ARGUMENT', { items: [entry] }]),
  ...[undefined, null, 7, '', 'a\0b', 'a\ud800', {}].map((key): Case => [`the key ${JSON.stringify(key)}`, 'STORAGE_INVALID_KEY', item({ key })]),
  ['an item under __proto__', 'STORAGE_INVALID_KEY', { items: [underProto(KEPT)] }],
  ['a key of 33 bytes', 'STORAGE_KEY_LENGTH_OVERFLOW', item({ key: '€'.repeat(11) })],
  ['a key twice', 'STORAGE_DUPLICATE_KEY', { items: [KEPT, KEPT] }],
  ['41 items', 'STORAGE_METADATA_ITEM_EXCEED_LIMITATION', { items: many(41) }],
]
const values: readonly Case[] = [
  ...[undefined, null, 7, true, {}, ['x'], 'a\ud800', Buffer.from('x')].map((value): Case => [`the value ${JSON.stringify(value)}`, 'STORAGE_INVALID_VALUE', item({ value })]),
  ['a value of 1,001 bytes', 'STORAGE_VALUE_LENGTH_OVERFLOW', item({ value: `x${'€'.repeat(334)}` })],
  ['too much at once', 'STORAGE_METADATA_LENGTH_OVERFLOW', { items: many(3, 'x'.repeat(700)) }],
  ['no items', 'STORAGE_INVALID_ARGUMENT', {}],
  ['an empty list', 'STORAGE_INVALID_ARGUMENT', { items: [] }],
  ['all of it under __proto__', 'STORAGE_INVALID_ARGUMENT', underProto({ items: [KEPT] })],
]

const REQUESTS: Readonly<Record<string, readonly Case[]>> = {
  setUserMetadata: [
    ...[...payloads, ...named, ...lists, ...revisions, ...values],
    ['40 items to the one that is there', 'STORAGE_METADATA_ITEM_EXCEED_LIMITATION', { items: many(40) }],
    ['too much for what is there', 'STORAGE_METADATA_LENGTH_OVERFLOW', { items: [...many(1, 'x'.repeat(1_000)), { key: 'z', value: 'x'.repeat(991) }] }],
    ['another revision', 'STORAGE_OUTDATED_REVISION', item({ revision: 7 })],
    ['another major revision', 'STORAGE_OUTDATED_REVISION', { items: [KEPT], majorRevision: 7 }],
    ['an item that is there, as a new one', 'STORAGE_OUTDATED_REVISION', item({ revision: 0 })],
  ],
  updateUserMetadata: [
    ...[...payloads, ...named, ...lists, ...revisions, ...values],
    ['an item that is not there', 'STORAGE_INVALID_METADATA_ITEM', { items: [{ ...KEPT, value: 'x' }, { key: 'Age', value: '1' }] }],
    ['an item called __proto__', 'STORAGE_INVALID_METADATA_ITEM', item({ key: '__proto__' })],
  ],
  removeUserMetadata: [
    ...[...payloads, ...named, ...lists, ...revisions],
    ['keys', 'STORAGE_INVALID_ARGUMENT', { keys: ['Name'] }],
    ['data', 'STORAGE_INVALID_ARGUMENT', { data: [{ key: 'Name' }] }],
    ['all of it under __proto__', 'STORAGE_INVALID_ARGUMENT', underProto({ items: [KEPT] })],
    ['another major revision', 'STORAGE_OUTDATED_REVISION', { majorRevision: 7 }],
  ],
  getUserMetadata: [...payloads, ...named],
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
      expect([what, reply]).toEqual([what, { ok: false, error: { code, errorCode, operation: expect.any(String), reason: expect.stringMatching(/^.{1,300}$/), retryable } }])
    }
    expect(ada.socket.id).toBe(id)
  })
})

describe('what looks like trouble and is none', () => {
  test('keys, values and users of any characters are themselves, over the wire and through the SDK', async () => {
    const keys = [...ODD_NAMES.filter((name) => Buffer.byteLength(name) <= 32), 'hasOwnProperty', 'toJSON', 'length']
    for (const user of ['__proto__', 'constructor', '{room}', '麦位']) {
      const client = await connect(scope, user, cluster.b)
      await client.storage.setUserMetadata(keys.map((key) => ({ key, value: `${key}\0"😀` })))
      const { metadata, totalCount } = await client.storage.getUserMetadata()
      expect(totalCount).toBe(keys.length)
      expect(Object.keys(metadata).sort()).toEqual([...keys].sort())
      for (const key of keys) expect(metadata[key]).toMatchObject({ value: `${key}\0"😀`, authorUid: user })
      await client.storage.removeUserMetadata({ data: keys.slice(1).map((key) => ({ key })) })
      expect(Object.keys((await client.storage.getUserMetadata()).metadata)).toEqual(keys.slice(0, 1))
      await client.storage.removeUserMetadata()
    }
    expect(({} as { value?: unknown }).value).toBeUndefined()
  })

  test('40 items and 2,000 bytes are allowed, and may be replaced by as much', async () => {
    const bob = await connect(scope, 'bob', cluster.a)
    await bob.storage.setUserMetadata(many(40))
    await bob.storage.removeUserMetadata()
    const full = [{ key: 'ab', value: 'x'.repeat(998) }, { key: 'cd', value: '€'.repeat(332) + 'xx' }]
    await bob.storage.setUserMetadata(full)
    await expect(bob.storage.setUserMetadata([{ key: 'e', value: '' }])).rejects.toMatchObject({ errorCode: -12006, operation: 'storageSetUserMetadata' })
    await bob.storage.updateUserMetadata(full)
    expect((await bob.storage.getUserMetadata()).totalCount).toBe(2)
  })

  test('calls have the rate limit of all others', async () => {
    const node = await startNode(scope, { redisUrl: cluster.redis.url, limits: { callsPerSecond: 3 } })
    const eager = await connectPlain(scope, 'eager', node)
    const replies = await Promise.all(Array.from({ length: 8 }, () => eager.send('getUserMetadata', {})))
    const refused = replies.flatMap((reply) => (reply.ok ? [] : [reply.error.errorCode]))
    expect(refused.length).toBeGreaterThanOrEqual(2)
    expect(new Set(refused)).toEqual(new Set([-10021]))
  })
})
