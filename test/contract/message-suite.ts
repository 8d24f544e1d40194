import { describe, expect, test } from '@jest/globals'
import { messageOf, type InboxPage, type Keeping, type Lack, type Outgoing, type Taken } from '../../src/presence/messages.js'
import { userChannel } from '../../src/presence/types.js'
import type { RedisStore } from '../../src/store/index.js'
import { eventually } from '../support/wait.js'
import type { Setup } from './setups.js'
import { HEARTBEAT_MS, TestNode } from './test-node.js'
import { useSetup } from './use-setup.js'

const KEEPING: Keeping = { waitingMs: 600_000, otherMs: 60_000, most: 100, periodMs: HEARTBEAT_MS }
const GRACE_MS = 30_000
const ALL: Lack = { after: 0, received: null, floor: 0 }

/** What a store has to do about messages between users. */
export function messageSuite(setup: Setup): void {
  describe(`messages on ${setup.name}`, () => {
    const redis = useSetup(setup)
    const { scope } = redis

    const home = userChannel('test', 'bob')
    const message = (sequence: number | null, more: Partial<Outgoing> = {}): Outgoing => ({
      to: 'bob',
      from: 'ann',
      session: 'annssession',
      token: String(sequence ?? 'token'),
      sequence,
      text: `text ${sequence ?? ''}`,
      waits: false,
      ...more,
    })

    async function start() {
      const store = await redis.running.open(scope, 'a')
      const node = new TestNode('a', store, store.partitionOf(home))
      await node.beat()
      const heard: string[] = []
      await store.subscribePost(node.partition, (post) => {
        const [userId = '?'] = post.to
        heard.push(post.kind === 'received' ? `received ${userId} ${post.fields.join()}` : `${userId} ${messageOf(post).message.text}`)
      })
      const login = async (session: string, timeoutMs = 10_000) => {
        const [result] = await node.do({ channel: home, userId: session, session, kind: 'join', attach: null, timeoutMs })
        return { since: result?.member?.revision ?? 0, waits: result?.waiting?.messages === true }
      }
      const take = (outgoing: Outgoing, keeping: Partial<Keeping> = {}): Promise<Taken> => store.messages.take('test', outgoing, { ...KEEPING, ...keeping })
      const acknowledge = (outgoing: Outgoing, session: string) => store.messages.acknowledge('test', outgoing, session, GRACE_MS)
      const settle = (outgoing: Outgoing) => store.messages.settle('test', outgoing)
      return { store, node, heard, login, take, acknowledge, settle, ...reading(store) }
    }

    function reading(store: RedisStore) {
      const read = (lack: Partial<Lack> = {}, bytes = 1_000_000): Promise<InboxPage> => store.messages.read('test', 'bob', { ...ALL, ...lack }, bytes)
      const texts = async (...args: Parameters<typeof read>): Promise<string[]> => (await read(...args)).messages.map(({ text }) => text)
      return { read, texts }
    }

    const keys = (kind: string) => redis.running.command('KEYS', `rollcall:{*}:${kind}:test:bob*`) as Promise<string[]>

    test('without a heartbeat nothing is taken, and nothing is read', async () => {
      const store = await redis.running.open(scope, 'a')
      await expect(store.messages.take('test', message(1), KEEPING)).rejects.toMatchObject({ name: 'StoreRefusedError' })
      await expect(store.messages.read('test', 'bob', ALL, 1)).rejects.toMatchObject({ name: 'StoreRefusedError' })
    })

    test('one to somebody who is there is kept and posted; when it is acknowledged the sender hears of it, and it is gone', async () => {
      const { login, take, acknowledge, settle, heard, read } = await start()
      const { since } = await login('one')
      expect(await take(message(1, { text: 'a\0b' }))).toMatchObject({ outcome: 'waiting', ageMs: 0 })
      const { messages } = await read()
      expect(messages).toEqual([{ id: 'annssession:1:ann', from: 'ann', text: 'a\0b', position: expect.any(Number), timestamp: expect.any(Number) }])
      expect(messages[0]?.position).toBeGreaterThan(since)
      await acknowledge(message(1), 'one')
      await acknowledge(message(1), 'one')
      expect(await settle(message(1))).toBe(true)
      await eventually('it is heard', () => heard.length >= 2)
      expect(heard).toEqual(['bob a\0b', 'received ann annssession:1:ann'])
      expect(await keys('inbox')).toEqual([])
      expect(await keys('kept')).toEqual([])
    })

    test('one to somebody who is not there is dropped, or waits for the next login', async () => {
      const { login, take, settle, heard, read } = await start()
      expect(await take(message(1))).toMatchObject({ outcome: 'unreceived' })
      expect(await keys('inbox')).toEqual([])
      expect(await take(message(2, { waits: true }))).toMatchObject({ outcome: 'unreceived' })
      expect(await settle(message(2, { waits: true }))).toBe(false)
      const { since, waits } = await login('one')
      expect(waits).toBe(true)
      const { messages } = await read({ floor: since })
      expect(messages).toMatchObject([{ text: 'text 2' }])
      expect(messages[0]?.position).toBeLessThan(since)
      expect(heard).toEqual([])
    })

    test('a repetition is not delivered again, and is answered by what became of the first', async () => {
      const { login, take, acknowledge, settle, heard, texts } = await start()
      await login('one')
      for (const sequence of [1, 2, 3, 7]) await take(message(sequence))
      await acknowledge(message(1), 'one')
      expect(await settle(message(2))).toBe(false)
      expect(await take(message(1))).toMatchObject({ outcome: 'received' })
      expect(await take(message(2))).toMatchObject({ outcome: 'unreceived' })
      expect(await take(message(3))).toMatchObject({ outcome: 'waiting' })
      // Overtaken by another one: nobody has had it, and nobody gets it.
      expect(await take(message(5))).toMatchObject({ outcome: 'unreceived' })
      expect(await texts()).toEqual(['text 3', 'text 7'])
      // An acknowledgement of one that was given up is the truth nevertheless.
      await acknowledge(message(2), 'one')
      expect(await take(message(2))).toMatchObject({ outcome: 'received' })
      // Another session's numbers are its own; and one without a number is always another one.
      expect(await take(message(1, { session: 'another1' }))).toMatchObject({ outcome: 'waiting' })
      expect(await take(message(null, { token: 'x' }))).toMatchObject({ outcome: 'waiting' })
      await eventually('all are heard', () => heard.length >= 8)
      expect(heard.filter((one) => one.startsWith('bob '))).toEqual(['bob text 1', 'bob text 2', 'bob text 3', 'bob text 7', 'bob text 1', 'bob text '])
    })

    test('a message is kept for the sessions that lack it, as long as they may come back, and until they have had it', async () => {
      const { login, take, acknowledge, texts, read } = await start()
      await login('one', 5_000)
      await login('two', 20_000)
      await login('three', 10_000)
      await take(message(1))
      await acknowledge(message(1), 'one')
      const [inbox = '-'] = await keys('inbox')
      const left = Number(await redis.running.command('PTTL', inbox))
      expect(left).toBeGreaterThan(20_000 + GRACE_MS - 5_000)
      expect(left).toBeLessThanOrEqual(20_000 + GRACE_MS)
      await acknowledge(message(1), 'three')
      const { last, life } = await read()
      // A session that comes now lacks only what nobody has had; one that says where it stood, what came after.
      expect(await texts({ floor: last })).toEqual([])
      expect((await read({ floor: last, received: { life, position: last - 1 } })).messages).toHaveLength(1)
      expect((await read({ floor: last, received: { life: 'another', position: last - 1 } })).messages).toHaveLength(0)
      await acknowledge(message(1), 'two')
      expect(await keys('inbox')).toEqual([])
    })

    test('is read in order, in pages of about so many bytes, and nothing twice', async () => {
      const { login, take, read } = await start()
      await login('one')
      for (let sequence = 1; sequence <= 25; sequence += 1) await take(message(sequence, { text: `${sequence}:${'x'.repeat(1_000)}` }))
      const seen: string[] = []
      let pages = 0
      for (let after = 0, more = true; more; pages += 1) {
        const page = await read({ after }, 4_500)
        seen.push(...page.messages.map(({ text }) => text.split(':')[0] ?? ''))
        after = page.messages.at(-1)?.position ?? 0
        more = page.more
        if (!more) expect(page.last).toBe(after)
      }
      expect(seen).toEqual(Array.from({ length: 25 }, (_, i) => String(i + 1)))
      expect(pages).toBe(7)
      // However small a page may be, it has one.
      expect((await read({}, 1)).messages).toHaveLength(1)
    })

    test('there are so many: first those go whose time is over first, and what is lost is counted', async () => {
      const { login, take, acknowledge, texts } = await start()
      await login('one')
      await login('two')
      for (let sequence = 1; sequence <= 3; sequence += 1) await take(message(sequence, { waits: true }), { most: 5 })
      await acknowledge(message(2), 'one')
      for (let sequence = 4; sequence <= 5; sequence += 1) await take(message(sequence), { most: 5 })
      // The one that was had by somebody goes first, then those that do not wait, and then the oldest.
      const dropped: (number | undefined)[] = []
      const left: string[] = []
      for (let sequence = 6; sequence <= 9; sequence += 1) {
        const taken = await take(message(sequence, { waits: true }), { most: 5 })
        dropped.push('dropped' in taken ? taken.dropped : undefined)
        left.push((await texts()).map((text) => text.slice(5)).join(''))
      }
      expect(left).toEqual(['13456', '13567', '13678', '36789'])
      expect(dropped).toEqual([0, 0, 0, 1])
    })

    test('there are so many: whoever has sent most of them loses the oldest, and pushes out nobody else', async () => {
      const { take, texts } = await start()
      const eve = { from: 'eve', session: 'evesession', waits: true }
      const put = async (outgoing: Outgoing): Promise<string> => {
        const taken = await take(outgoing, { most: 3 })
        return `${(await texts()).join(', ')}; ${'dropped' in taken ? String(taken.dropped) : '?'} dropped`
      }
      await put(message(1, { waits: true, text: 'ann 1' }))
      for (const n of [1, 2, 3]) await put(message(n, { ...eve, text: `eve ${n}` }))
      expect(await put(message(4, { ...eve, text: 'eve 4' }))).toBe('ann 1, eve 3, eve 4; 1 dropped')
      expect(await put(message(1, { from: 'fay', session: 'faysession', waits: true, text: 'fay 1' }))).toBe('ann 1, eve 4, fay 1; 1 dropped')
      // Nobody has more than others: the oldest of all.
      expect(await put(message(1, { from: 'gus', session: 'gussession', waits: true, text: 'gus 1' }))).toBe('eve 4, fay 1, gus 1; 1 dropped')
    })

    test('there is an end to each, and to what is left of it', async () => {
      const { login, take, texts } = await start()
      await login('one')
      await take(message(1), { otherMs: 150 })
      await take(message(2, { waits: true }), { waitingMs: 60_000 })
      await eventually('the first is over', async () => (await texts()).join() === 'text 2')
      await take(message(3), { otherMs: 100 })
      for (const kind of ['inbox', 'kept', 'heard']) {
        const [key = '-'] = await keys(kind)
        const left = Number(await redis.running.command('PTTL', key))
        expect([kind, left > 0 && left <= (kind === 'heard' ? 120_000 : 60_000)]).toEqual([kind, true])
      }
      // What is over has gone with the next one that was taken.
      expect(Number(await redis.running.command('HLEN', (await keys('inbox'))[0] ?? '-'))).toBe(4)
    })

    test('from somebody who is blocked it is refused', async () => {
      const { node, login, take } = await start()
      await login('one')
      const roster = `rollcall:{${node.partition}}:roster:test:bob`
      await redis.running.command('HSET', roster, 'ann', '17 b', 'eve', '18 f')
      expect(await take(message(1))).toEqual({ outcome: 'blocked' })
      expect(await take(message(2, { waits: true }))).toEqual({ outcome: 'blocked' })
      expect(await take(message(1, { from: 'eve', session: 'evesession' }))).toMatchObject({ outcome: 'waiting' })
      await redis.running.command('HDEL', roster, 'ann')
      expect(await take(message(3))).toMatchObject({ outcome: 'waiting' })
    })

    test('after Redis has lost everything nothing counts as received that was not', async () => {
      const { node, login, take, acknowledge, settle, heard } = await start()
      await login('one')
      await take(message(1))
      await take(message(2))
      await redis.running.flush()
      expect(await settle(message(1))).toBe(false)
      await node.beat()
      // Who was there may not have been put back yet.
      expect(await take(message(1))).toMatchObject({ outcome: 'waiting' })
      await login('one')
      // This one a session has had.
      await acknowledge(message(2), 'one')
      expect(await settle(message(2))).toBe(true)
      await eventually('the sender hears of it', () => heard.includes('received ann annssession:2:ann'))
    })

    test('when memory is short, nothing is taken, and what was taken can be had', async () => {
      const { login, take, acknowledge, settle, texts } = await start()
      await login('one')
      await take(message(1))
      await redis.running.command('CONFIG', 'SET', 'maxmemory', '1')
      try {
        await expect(take(message(2))).rejects.toMatchObject({ name: 'StoreRefusedError' })
        expect(await texts()).toEqual(['text 1'])
        await acknowledge(message(1), 'one')
        expect(await settle(message(1))).toBe(true)
      } finally {
        await redis.running.command('CONFIG', 'SET', 'maxmemory', '0')
      }
      expect(await take(message(2))).toMatchObject({ outcome: 'waiting' })
    })

    test('many at once: each position is another one, above the clock of every login before', async () => {
      const { login, take, read } = await start()
      const { since } = await login('one')
      await Promise.all(Array.from({ length: 80 }, (_, i) => take(message(i + 1))))
      const again = await login('two')
      await take(message(81))
      const positions = (await read()).messages.map(({ position }) => position)
      expect(new Set(positions).size).toBe(81)
      expect(positions[0]).toBeGreaterThan(since)
      expect(positions.filter((position) => position < again.since)).toHaveLength(80)
    })
  })
}
