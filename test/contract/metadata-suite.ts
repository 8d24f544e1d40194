import { describe, expect, test } from '@jest/globals'
import type { MetadataBounds, MetadataChange, MetadataOutcome, MetadataStore } from '../../src/presence/metadata.js'
import type { Setup } from './setups.js'
import { useSetup } from './use-setup.js'

const BOUNDS: MetadataBounds = { metadataItems: 5, metadataBytes: 100 }

type Item = readonly [key: string, value: string, revision?: number]

/** What any store has to do with what lasts, whatever Redis it runs on. */
export function metadataSuite(setup: Setup): void {
  describe(`users' metadata on ${setup.name}`, () => {
    const redis = useSetup(setup)
    const { scope } = redis

    async function store() {
      const { metadata } = await redis.running.open(scope, 'a')
      const change = (kind: MetadataChange['kind'], items: readonly Item[], { majorRevision = -1, userId = 'ann', author = 'ann', bounds = BOUNDS } = {}) =>
        metadata.change('test', userId, { kind, author, majorRevision, items: items.map(([key, value, revision = -1]) => ({ key, value, revision })) }, bounds)
      return { metadata, change, values: () => valuesOf(metadata) }
    }

    test('what is set is there with its revision, its time and its author, and others stay', async () => {
      const { metadata, change } = await store()
      expect(await metadata.read('test', 'ann')).toEqual({ majorRevision: 0, items: new Map() })
      const first = revisionOf(await change('set', [['Name', 'Ann'], ['Age', '40']]))
      const second = revisionOf(await change('set', [['Age', '41'], ['Town', '']], { author: 'bob' }))
      expect(second).toBeGreaterThan(first)

      const { majorRevision, items } = await metadata.read('test', 'ann')
      expect(majorRevision).toBe(second)
      expect(Object.fromEntries(items)).toEqual({
        Name: { value: 'Ann', revision: first, authorUid: 'ann', updated: expect.any(Number) },
        Age: { value: '41', revision: second, authorUid: 'bob', updated: expect.any(Number) },
        Town: { value: '', revision: second, authorUid: 'bob', updated: expect.any(Number) },
      })
      const [seconds] = (await redis.running.command('TIME')) as string[]
      expect(Math.abs((items.get('Age')?.updated ?? 0) - Number(seconds) * 1_000)).toBeLessThan(60_000)
    })

    test('it is there for another client, has no lifetime, and is nobody else\'s', async () => {
      const { metadata, change } = await store()
      await change('set', [['Name', 'Ann']])
      const other = await redis.running.open(scope, 'b')
      expect(await valuesOf(other.metadata)).toEqual({ Name: 'Ann' })
      expect((await metadata.read('test', 'bob')).items.size).toBe(0)
      expect((await metadata.read('other', 'ann')).items.size).toBe(0)
      const [key] = (await redis.running.command('KEYS', 'rollcall:{*}:meta:test:ann')) as string[]
      expect(await redis.running.command('TTL', key ?? '')).toBe(-1)
    })

    test('a revision that is not the present one refuses the whole change', async () => {
      const { metadata, change, values } = await store()
      const first = revisionOf(await change('set', [['Name', 'Ann']]))
      const second = revisionOf(await change('set', [['Age', '40']]))
      const before = await metadata.read('test', 'ann')

      for (const kind of ['set', 'update', 'remove'] as const) {
        expect(await change(kind, [['Name', 'x'], ['Age', 'x', first]])).toEqual({ outcome: 'outdated', key: 'Age' })
        expect(await change(kind, [['Name', 'x', first], ['Town', 'x', first]])).toEqual({ outcome: 'outdated', key: 'Town' })
        expect(await change(kind, [['Name', 'x', 0]])).toEqual({ outcome: 'outdated', key: 'Name' })
        expect(await change(kind, [['Name', 'x', first]], { majorRevision: first })).toEqual({ outcome: 'outdated', key: null })
        expect(await change(kind, [['Name', 'x']], { majorRevision: 0 })).toEqual({ outcome: 'outdated', key: null })
      }
      expect(await change('remove', [], { majorRevision: first })).toEqual({ outcome: 'outdated', key: null })
      expect(await metadata.read('test', 'ann')).toEqual(before)

      revisionOf(await change('set', [['Name', 'Anna', first], ['Town', 'Rome', 0]], { majorRevision: second }))
      expect(await values()).toEqual({ Name: 'Anna', Age: '40', Town: 'Rome' })
    })

    test('nothing yet is revision 0, of an item and of all', async () => {
      const { change, values } = await store()
      revisionOf(await change('set', [['Name', 'Ann', 0]], { majorRevision: 0 }))
      expect(await change('set', [['Name', 'Bea', 0]])).toEqual({ outcome: 'outdated', key: 'Name' })
      expect(await values()).toEqual({ Name: 'Ann' })
    })

    test('of many that race for one revision, one wins', async () => {
      const { change, metadata } = await store()
      const { metadata: other } = await redis.running.open(scope, 'b')
      let revision = revisionOf(await change('set', [['n', '0']]))
      for (let round = 0; round < 20; round++) {
        const race = Array.from({ length: 8 }, (_, index) =>
          [metadata, other][index % 2]!.change('test', 'ann', { kind: 'update', author: `w${index}`, majorRevision: -1, items: [{ key: 'n', value: `${round}.${index}`, revision }] }, BOUNDS),
        )
        const outcomes = await Promise.all(race)
        const winners = outcomes.flatMap((outcome, index) => (outcome.outcome === 'done' ? [index] : []))
        expect(winners).toHaveLength(1)
        const now = (await metadata.read('test', 'ann')).items.get('n')
        expect(now).toMatchObject({ value: `${round}.${winners[0]}`, authorUid: `w${winners[0]}` })
        revision = now?.revision ?? 0
      }
    })

    test('an update of what is not there changes nothing', async () => {
      const { change, values } = await store()
      revisionOf(await change('set', [['Name', 'Ann']]))
      expect(await change('update', [['Name', 'Bea'], ['Age', '1']])).toEqual({ outcome: 'missing', key: 'Age' })
      revisionOf(await change('update', [['Name', 'Bea']]))
      expect(await values()).toEqual({ Name: 'Bea' })
    })

    test('a removal takes what it names, or all, and says nothing of what is gone already', async () => {
      const { change, values } = await store()
      const set = revisionOf(await change('set', [['a', '1'], ['b', '2'], ['c', '3']]))
      const removed = revisionOf(await change('remove', [['a', ''], ['nothing', '']]))
      expect(removed).toBeGreaterThan(set)
      expect(await values()).toEqual({ b: '2', c: '3' })
      expect(revisionOf(await change('remove', [['a', '']]))).toBe(removed)
      revisionOf(await change('remove', []))
      expect(await values()).toEqual({})
    })

    test('when the last item is gone the revision stays for a day; and none is given out twice, then or later', async () => {
      const { change, metadata } = await store()
      revisionOf(await change('set', [['a', '1']]))
      for (const named of [[['a', '']], []] as Item[][]) {
        const removed = revisionOf(await change('remove', named))
        expect(await metadata.read('test', 'ann')).toEqual({ majorRevision: removed, items: new Map() })
        const [key = ''] = (await redis.running.command('KEYS', 'rollcall:{*}:meta:*')) as string[]
        expect(await redis.running.command('TTL', key)).toBeGreaterThan(86_000)
        expect(revisionOf(await change('remove', []))).toBe(removed)
        expect(revisionOf(await change('set', [['a', '1']]))).toBeGreaterThan(removed)
        expect(await redis.running.command('TTL', key)).toBe(-1)
      }
      const last = (await metadata.read('test', 'ann')).majorRevision
      const [key = ''] = (await redis.running.command('KEYS', 'rollcall:{*}:meta:*')) as string[]
      await redis.running.command('DEL', key)
      expect(revisionOf(await change('set', [['a', '1']]))).toBeGreaterThan(last)
      expect(revisionOf(await change('remove', [], { userId: 'nobody' }))).toBe(0)
      expect(await redis.running.command('KEYS', 'rollcall:{*}:meta:*')).toHaveLength(1)
    })

    test('bounds hold for what would be there, are counted in bytes, and nothing is changed past them', async () => {
      const { change, values, metadata } = await store()
      revisionOf(await change('set', [['a', 'x'.repeat(49)], ['b', 'x'.repeat(49)]]))
      const before = await metadata.read('test', 'ann')
      expect(await change('set', [['a', '€'.repeat(17)]])).toEqual({ outcome: 'bytes' })
      expect(await change('set', [['c', '']])).toEqual({ outcome: 'bytes' })
      expect(await change('update', [['a', 'x'.repeat(50)]])).toEqual({ outcome: 'bytes' })
      expect(await metadata.read('test', 'ann')).toEqual(before)

      revisionOf(await change('set', [['a', '€'.repeat(16)], ['b', 'x'.repeat(48)]]))
      revisionOf(await change('update', [['a', ''], ['b', '']]))
      expect(await change('set', [['c', ''], ['d', ''], ['e', ''], ['f', '']])).toEqual({ outcome: 'items' })
      revisionOf(await change('set', [['c', ''], ['d', ''], ['e', ''], ['a', '1']]))
      expect(await change('set', [['f', '']])).toEqual({ outcome: 'items' })
      revisionOf(await change('remove', [['e', '']]))
      revisionOf(await change('set', [['f', '']]))
      expect(Object.keys(await values()).sort()).toEqual(['a', 'b', 'c', 'd', 'f'])
    })

    test('what is more than bounds that were lowered since can be made less, and not more', async () => {
      const { change, values } = await store()
      revisionOf(await change('set', [['a', 'x'.repeat(40)], ['b', 'x'.repeat(40)], ['c', '']]))
      const bounds = { metadataItems: 2, metadataBytes: 10 }
      revisionOf(await change('set', [['a', 'x'.repeat(39)]], { bounds }))
      revisionOf(await change('remove', [['b', '']], { bounds }))
      expect(await change('set', [['a', 'x'.repeat(40)]], { bounds })).toEqual({ outcome: 'bytes' })
      expect(Object.keys(await values()).sort()).toEqual(['a', 'c'])
    })

    test('thousands of items in one change, where that is allowed', async () => {
      const { change, metadata } = await store()
      const bounds = { metadataItems: 2_500, metadataBytes: 100_000 }
      const items = (value: string) => Array.from({ length: 2_500 }, (_, index): Item => [`k${index}`, value])
      const set = revisionOf(await change('set', items('a'), { bounds }))
      revisionOf(await change('update', items('b').map(([key, value]): Item => [key, value, set]), { bounds }))
      const { items: found } = await metadata.read('test', 'ann')
      expect([...found].map(([key, { value }]) => `${key}=${value}`).sort()).toEqual(items('b').map(([key, value]) => `${key}=${value}`).sort())
      revisionOf(await change('remove', items('').slice(1), { bounds }))
      expect(await valuesOf(metadata)).toEqual({ k0: 'b' })
    })

    test('keys, values and users of any characters come back as they were', async () => {
      const { metadata } = await store()
      const userId = 'us:er {1}\u0001'
      const items = ['__proto__', 'constructor', 'toJSON', '-1', '0', '{0}:x', ' ', 'a\nb', '☀️'].map((key, index) => ({ key, value: `${index}\0 \n"\\ {}[] 12345678901234567890 😀`, revision: -1 }))
      const bounds = { metadataItems: 100, metadataBytes: 10_000 }
      revisionOf(await metadata.change('test', userId, { kind: 'set', author: 'a b:c ☀️', majorRevision: -1, items }, bounds))
      const found = await metadata.read('test', userId)
      expect([...found.items].map(([key, { value, authorUid }]) => [key, value, authorUid]).sort()).toEqual(items.map(({ key, value }) => [key, value, 'a b:c ☀️']).sort())
      revisionOf(await metadata.change('test', userId, { kind: 'remove', author: 'x', majorRevision: -1, items: items.map((item) => ({ ...item, value: '' })) }, bounds))
      expect((await metadata.read('test', userId)).items.size).toBe(0)
    })

    test('when memory is short, removing works and setting says that it was refused', async () => {
      const { change, values } = await store()
      revisionOf(await change('set', [['a', '1']]))
      await redis.running.command('CONFIG', 'SET', 'maxmemory', '1')
      try {
        await expect(change('set', [['b', '2']])).rejects.toThrow(/OOM/)
        revisionOf(await change('remove', [['a', '']]))
      } finally {
        await redis.running.command('CONFIG', 'SET', 'maxmemory', '0')
      }
      expect(await values()).toEqual({})
    })
  })
}

function revisionOf(outcome: MetadataOutcome): number {
  if (outcome.outcome !== 'done') throw new Error(`refused: ${JSON.stringify(outcome)}`)
  return outcome.majorRevision
}

async function valuesOf(metadata: MetadataStore): Promise<Record<string, string>> {
  const { items } = await metadata.read('test', 'ann')
  return Object.fromEntries([...items].map(([key, { value }]) => [key, value]))
}
