import { describe, expect, test } from '@jest/globals'
import { Broadcasts, type StatusReach, type Telling, type ToldTo } from '../../src/presence/broadcasts.js'
import type { Post } from '../../src/presence/post.js'
import type { EdgeChange, Writer } from '../../src/presence/roster.js'
import { userChannel } from '../../src/presence/types.js'
import type { RedisStore } from '../../src/store/index.js'
import { eventually } from '../support/wait.js'
import { PARTITIONS, type Setup } from './setups.js'
import { TestNode } from './test-node.js'
import { useSetup } from './use-setup.js'

const MOST = 5
/** Where the time is in what is posted, of statuses and of rosters. */
const TIME_FIELD = 2

/** What a store has to do about friends, and about statuses that users tell each other. */
export function rosterSuite(setup: Setup): void {
  describe(`rosters on ${setup.name}`, () => {
    const redis = useSetup(setup)
    const { scope } = redis

    async function world() {
      const store = await redis.running.open(scope, 'a')
      const nodes = await Promise.all(Array.from({ length: PARTITIONS }, async (_, partition) => {
        const node = new TestNode('a', store, partition)
        await node.beat()
        return node
      }))
      const posts: Post[] = []
      await Promise.all(nodes.map(({ partition }) => store.subscribePost(partition, (post) => posts.push(post))))
      return { ...actions(store, nodes), store, nodes, posts: () => heard(store, posts) }
    }

    function actions(store: RedisStore, nodes: readonly TestNode[]) {
      const { roster } = store
      const nodeOf = (userId: string): TestNode => nodes[store.partitionOf(userChannel('test', userId))]!
      const login = async (userId: string, attach = 1): Promise<Writer> => {
        await nodeOf(userId).do({ channel: userChannel('test', userId), userId: 's', session: 's', kind: 'join', attach, timeoutMs: 60_000 })
        return { userId, id: 's', attach }
      }
      const write = (writer: Writer, peer: string, change: EdgeChange) => roster.write('test', writer, peer, change, MOST)
      const generationOf = async (writer: Writer, peer: string, change: EdgeChange): Promise<number> => {
        const written = await write(writer, peer, change)
        if (!('generation' in written)) throw new Error(`refused: ${written.outcome}`)
        return written.generation
      }
      const tell = (userId: string, from: string, change: EdgeChange, generation: number, message = '') => roster.tell('test', userId, { from, change, generation, message }, MOST)
      const add = async (writer: Writer, peer: string, message = '') => tell(peer, writer.userId, 'friend', await generationOf(writer, peer, 'friend'), message)
      const reach = async (userIds: readonly string[], to: ToldTo, telling: Partial<Telling> = {}) => {
        const whole = { from: 'ann', id: 'i1', offline: false, fields: '{}', ...telling }
        const parts = new Map(userIds.map((userId) => [store.partitionOf(userChannel('test', userId)), [] as string[]]))
        for (const userId of userIds) parts.get(store.partitionOf(userChannel('test', userId)))!.push(userId)
        return (await Promise.all([...parts].map(([partition, some]) => roster.reach(partition, 'test', some, to, whole)))).flat()
      }
      return { login, write, generationOf, tell, add, reach, roster, nodeOf }
    }

    /** Everything that has been posted so far: what a probe of each partition overtakes has arrived. */
    async function heard(store: RedisStore, posts: readonly Post[]): Promise<readonly string[]> {
      for (let partition = 0; partition < PARTITIONS; partition += 1) await store.probe(partition)
      return posts.map(({ kind, to, fields }) => `${kind} to ${[...to].sort().join(',')}: ${fields.filter((_, i) => i !== TIME_FIELD).join('|')}`)
    }

    test('an edge is its owner\'s: written once, with a higher number each time that it changes', async () => {
      const { login, write, generationOf, roster } = await world()
      const ann = await login('ann')
      const first = await generationOf(ann, 'bob', 'friend')
      expect(await write(ann, 'bob', 'friend')).toEqual({ outcome: 'same', generation: first })
      expect(await roster.edges('test', 'ann')).toEqual(new Map([['bob', { kind: 'friend', generation: first }]]))
      const second = await generationOf(ann, 'bob', 'blocked')
      expect(second).toBeGreaterThan(first)
      expect(await roster.blocks('test', 'ann', 'bob')).toBe(true)
      expect(await roster.blocks('test', 'bob', 'ann')).toBe(false)
      const third = await generationOf(ann, 'bob', 'removed')
      expect(third).toBeGreaterThan(second)
      expect(await roster.edges('test', 'ann')).toEqual(new Map())
      expect(await generationOf(ann, 'bob', 'friend')).toBeGreaterThan(third)
      expect(await roster.edgesTo('test', 'ann', ['carl', 'bob'])).toEqual([null, { kind: 'friend', generation: expect.any(Number) }])
    })

    test('what was sent over an earlier connection, or by a node that the session is not with, changes nothing', async () => {
      const { login, write, roster, nodeOf } = await world()
      const before = await login('ann', 1)
      const now = await login('ann', 2)
      expect(await write(before, 'bob', 'friend')).toEqual({ outcome: 'stale' })
      expect(await write({ ...now, attach: 3 }, 'bob', 'friend')).toEqual({ outcome: 'unvouched' })
      expect(await write({ ...now, id: 'other' }, 'bob', 'friend')).toEqual({ outcome: 'unvouched' })
      expect(await write({ ...now, userId: 'carl' }, 'bob', 'friend')).toEqual({ outcome: 'unvouched' })
      await nodeOf('ann').do({ channel: userChannel('test', 'ann'), userId: 's', session: 's', kind: 'suspend', attach: 2, timeoutMs: 60_000 })
      expect(await write(now, 'bob', 'friend')).toEqual({ outcome: 'unvouched' })
      expect((await roster.edges('test', 'ann')).size).toBe(0)
      expect(await write(await login('ann', 3), 'bob', 'friend')).toMatchObject({ outcome: 'done' })
    })

    test('there are only so many, friends and blocked ones together; those that are there can be changed', async () => {
      const { login, write } = await world()
      const ann = await login('ann')
      for (let i = 0; i < MOST; i += 1) expect(await write(ann, `u${i}`, i % 2 === 0 ? 'friend' : 'blocked')).toMatchObject({ outcome: 'done' })
      expect(await write(ann, 'more', 'friend')).toEqual({ outcome: 'full' })
      expect(await write(ann, 'more', 'blocked')).toEqual({ outcome: 'full' })
      expect(await write(ann, 'u0', 'blocked')).toMatchObject({ outcome: 'done' })
      expect(await write(ann, 'u0', 'removed')).toMatchObject({ outcome: 'done' })
      expect(await write(ann, 'more', 'friend')).toMatchObject({ outcome: 'done' })
    })

    test('a request is told once, with its message, and is there until it is answered', async () => {
      const { login, generationOf, tell, roster, posts, store } = await world()
      const generation = await generationOf(await login('ann'), 'bob', 'friend')
      const message = 'hi \0 NUL {} 😀\n'
      for (let again = 0; again < 2; again += 1) expect(await tell('bob', 'ann', 'friend', generation, message)).toBeNull()
      expect(await posts()).toEqual([`roster to bob: REQUEST|ann|${message.replace('\0', '|')}`])
      expect(await roster.asking('test', 'bob')).toEqual([{ from: 'ann', generation, message }])
      expect(await roster.edgesBack(store.partitionOf(userChannel('test', 'bob')), 'test', ['bob'], 'ann')).toEqual([{ edge: null, told: generation }])
    })

    test('both hear of a friendship once, whoever tells them and however often', async () => {
      const { login, generationOf, tell, posts } = await world()
      const [ann, bob] = [await login('ann'), await login('bob')]
      const [annsEdge, bobsEdge] = [await generationOf(ann, 'bob', 'friend'), await generationOf(bob, 'ann', 'friend')]
      // Both have added the other before either tells: each node does it for both.
      for (let node = 0; node < 2; node += 1) {
        expect(await tell('bob', 'ann', 'friend', annsEdge)).toEqual({ kind: 'friend', generation: bobsEdge })
        expect(await tell('ann', 'bob', 'friend', bobsEdge)).toEqual({ kind: 'friend', generation: annsEdge })
      }
      expect([...(await posts())].sort()).toEqual(['roster to ann: FRIENDS|bob|', 'roster to bob: FRIENDS|ann|'])
    })

    test('a friendship that began anew is told anew', async () => {
      const { login, add, generationOf, tell, posts } = await world()
      const [ann, bob] = [await login('ann'), await login('bob')]
      await add(ann, 'bob')
      await add(bob, 'ann')
      await tell('ann', 'bob', 'removed', await generationOf(bob, 'ann', 'removed'))
      await add(ann, 'bob')
      await add(bob, 'ann')
      expect(await posts()).toEqual(['roster to bob: REQUEST|ann|', 'roster to ann: FRIENDS|bob|', 'roster to ann: REMOVED|bob|', 'roster to bob: REQUEST|ann|', 'roster to ann: FRIENDS|bob|'])
    })

    test('a removal takes the other\'s edge away as well and is told once; a newer edge and a block stay', async () => {
      const { login, add, generationOf, tell, roster, posts } = await world()
      const [ann, bob] = [await login('ann'), await login('bob')]
      await add(ann, 'bob')
      await add(bob, 'ann')
      const removal = await generationOf(ann, 'bob', 'removed')
      for (let again = 0; again < 2; again += 1) expect(await tell('bob', 'ann', 'removed', removal)).toBeNull()
      expect((await posts()).filter((post) => post.includes('REMOVED'))).toEqual(['roster to bob: REMOVED|ann|'])
      expect(await roster.asking('test', 'bob')).toEqual([])
      // The removal once more, late: bob has asked again by now.
      await add(bob, 'ann')
      expect(await tell('bob', 'ann', 'removed', removal)).toMatchObject({ kind: 'friend' })
      expect((await roster.edges('test', 'bob')).get('ann')?.kind).toBe('friend')
      await generationOf(bob, 'ann', 'blocked')
      expect(await tell('bob', 'ann', 'removed', await generationOf(ann, 'bob', 'removed'))).toMatchObject({ kind: 'blocked' })
      expect((await posts()).filter((post) => post.includes('REMOVED'))).toHaveLength(1)
    })

    test('what is older than what the user was told is not told; who has blocked somebody hears nothing of them', async () => {
      const { login, generationOf, tell, roster, posts } = await world()
      const [ann, bob] = [await login('ann'), await login('bob')]
      const first = await generationOf(ann, 'bob', 'friend')
      const block = await generationOf(ann, 'bob', 'blocked')
      for (let again = 0; again < 2; again += 1) await tell('bob', 'ann', 'blocked', block)
      await tell('bob', 'ann', 'friend', first, 'late')
      expect(await posts()).toEqual(['roster to bob: BLOCKED|ann|'])
      expect(await roster.asking('test', 'bob')).toEqual([])

      await generationOf(bob, 'ann', 'blocked')
      await tell('bob', 'ann', 'friend', await generationOf(ann, 'bob', 'friend'), 'please')
      expect(await posts()).toHaveLength(1)
      expect(await roster.asking('test', 'bob')).toEqual([])
    })

    test('of requests that are too many nothing is told or put down; an answer to one makes room', async () => {
      const { login, tell, roster, posts } = await world()
      const bob = await login('bob')
      for (let i = 0; i <= MOST; i += 1) await tell('bob', `u${i}`, 'friend', 10 + i)
      expect(await roster.asking('test', 'bob')).toHaveLength(MOST)
      expect(await posts()).toHaveLength(MOST)
      await roster.write('test', bob, 'u0', 'removed', MOST)
      await tell('bob', 'more', 'friend', 20)
      expect((await roster.asking('test', 'bob')).map(({ from }) => from).sort()).toEqual(['more', 'u1', 'u2', 'u3', 'u4'])
    })

    test('what is put down of an edge that is gone is forgotten, unless there is news', async () => {
      const { tell, roster } = await world()
      await tell('bob', 'ann', 'friend', 10)
      await roster.forget('test', 'bob', [{ from: 'ann', generation: 9, message: '' }])
      expect(await roster.asking('test', 'bob')).toHaveLength(1)
      await roster.forget('test', 'bob', [{ from: 'ann', generation: 10, message: '' }])
      expect(await roster.asking('test', 'bob')).toEqual([])
    })

    test('friends who are there are told, in one post a partition; strangers, who has blocked the sender, and who is away are not', async () => {
      const { login, add, generationOf, reach, posts, store } = await world()
      const friends = Array.from({ length: 8 }, (_, i) => `friend${i}`)
      for (const name of [...friends, 'blocker']) await add(await login(name), 'ann')
      await login('stranger')
      await generationOf(await login('blocker'), 'ann', 'blocked')
      const asked = (await posts()).length
      expect(await reach([...friends, 'stranger', 'blocker', 'nobody'], 'friends', { fields: '{"show":1}' })).toEqual([])
      const told = (await posts()).slice(asked)
      const partitions = new Set(friends.map((name) => store.partitionOf(userChannel('test', name))))
      expect(told).toHaveLength(partitions.size)
      expect(told.flatMap((post) => /^status to (\S*): ann\|i1\|\|\{"show":1\}$/.exec(post)?.[1]?.split(',') ?? ['?']).sort()).toEqual(friends)
    })

    test('anybody is told who is known and has not blocked the sender; who is known and away is no failure', async () => {
      const { login, tell, generationOf, reach, posts, nodeOf } = await world()
      for (const name of ['here', 'left', 'blocker']) await login(name)
      await generationOf({ userId: 'blocker', id: 's', attach: 1 }, 'ann', 'blocked')
      await nodeOf('left').do({ channel: userChannel('test', 'left'), userId: 's', session: 's', kind: 'leave', attach: 1 })
      await tell('listed', 'blocker', 'friend', 10)
      const before = (await posts()).length
      const unreached = await reach(['here', 'left', 'listed', 'nobody', 'blocker'], 'anybody')
      expect([...unreached].sort((a, b) => (a.userId < b.userId ? -1 : 1))).toEqual([{ userId: 'blocker', why: 'blocked' }, { userId: 'nobody', why: 'unknown' }])
      expect((await posts()).slice(before)).toEqual(['status to here: ann|i1||{}'])
    })

    test('one\'s own sessions are told what the server says; nobody is told while nobody is there', async () => {
      const { login, reach, posts } = await world()
      await reach(['ann'], 'self', { offline: true })
      expect(await posts()).toEqual([])
      await login('ann')
      await reach(['ann'], 'self', { offline: true })
      expect(await posts()).toEqual(['status to ann: ann|i1|1|{}'])
    })

    test('nothing is decided on a server that no heartbeat has looked at; after a loss nobody is taken to be away or unknown', async () => {
      const { login, write, tell, reach, posts, nodes, nodeOf } = await world()
      const ann = await login('ann')
      await redis.running.flush()
      for (const call of [() => write(ann, 'bob', 'friend'), () => tell('bob', 'ann', 'friend', 10), () => reach(['bob'], 'anybody')]) await expect(call()).rejects.toThrow(/no heartbeat/)
      for (const node of nodes) await node.beat()
      expect(await write(ann, 'bob', 'friend')).toEqual({ outcome: 'unvouched' })
      expect(await reach(['bob'], 'anybody')).toEqual([])
      expect(await posts()).toEqual(['status to bob: ann|i1||{}'])
      await eventually('what was lost has been put back', async () => {
        await nodeOf('bob').beat()
        return (await reach(['bob'], 'anybody')).length === 1
      })
    })

    test('names and messages of any characters come back as they were', async () => {
      const { login, add, generationOf, tell, roster, reach, posts } = await world()
      const odd = ['__proto__', 'us:er {1}', '1 f', ' ', '☀️']
      for (const name of odd) {
        await add(await login(name), 'ann', ` 1 f ${name} 12345678901234567890`)
        await tell(name, 'ann', 'friend', await generationOf(await login('ann'), 'x', 'removed'))
      }
      expect((await roster.asking('test', 'ann')).map(({ from, message }) => `${from}=${message}`).sort()).toEqual(odd.map((name) => `${name}= 1 f ${name} 12345678901234567890`).sort())
      for (const name of odd) expect(await roster.edges('test', name)).toEqual(new Map([['ann', { kind: 'friend', generation: expect.any(Number) }]]))
      const before = (await posts()).length
      expect(await reach(odd, 'friends')).toEqual([])
      expect((await posts()).slice(before).flatMap((post) => /^status to (.*): ann\|/.exec(post)?.[1]?.split(',') ?? []).sort()).toEqual([...odd].sort())
    })

    test('when memory is short, a friendship can be ended, anybody blocked, and statuses are told; what grows says that it was refused', async () => {
      const { login, add, write, tell, reach, posts } = await world()
      const [ann, bob] = [await login('ann'), await login('bob')]
      await add(bob, 'ann')
      await add(ann, 'bob')
      await redis.running.command('CONFIG', 'SET', 'maxmemory', '1')
      try {
        await expect(write(ann, 'carl', 'friend')).rejects.toThrow(/OOM/)
        await expect(tell('carl', 'ann', 'friend', 10)).rejects.toThrow(/OOM/)
        await reach(['bob'], 'friends')
        expect((await posts()).at(-1)).toBe('status to bob: ann|i1||{}')
        const removed = await write(ann, 'bob', 'removed')
        expect(await tell('bob', 'ann', 'removed', 'generation' in removed ? removed.generation : 0)).toBeNull()
        const blocked = await write(ann, 'carl', 'blocked')
        expect(await tell('carl', 'ann', 'blocked', 'generation' in blocked ? blocked.generation : 0)).toBeNull()
        expect((await posts()).at(-1)).toMatch(/BLOCKED/)
      } finally {
        await redis.running.command('CONFIG', 'SET', 'maxmemory', '0')
      }
    })

    /** ann and bob are friends, and ann has gone: what is to be done about it. */
    async function annHasGone() {
      const there = await world()
      const [ann, bob] = [await there.login('ann'), await there.login('bob')]
      await there.add(ann, 'bob')
      await there.add(bob, 'ann')
      const node = there.nodeOf('ann')
      const left = await node.do({ channel: userChannel('test', 'ann'), userId: 's', session: 's', kind: 'leave', attach: 1 })
      expect(left).toMatchObject([{ status: 'ok', farewell: true }])
      const timersAt = async (clock: number) => (await there.store.dueCandidates(node.partition, clock, clock, 10)).timers
      const [timer] = await timersAt(node.clock)
      expect(timer).toEqual({ kind: 'farewell', channel: userChannel('test', 'ann'), id: expect.any(String), at: expect.any(Number) })
      const told = async () => (await there.posts()).filter((post) => post.startsWith('status'))
      return { ...there, node, timer: timer!, timersAt, told, farewell: `status to bob: ann|${timer?.id}|1|{}` }
    }
    const broadcastsOf = (store: RedisStore, reach: StatusReach = store.roster) => new Broadcasts(store, store.roster, reach, 'test', () => 'id')

    test('of who is gone friends are told once, however many nodes know that it is to be done', async () => {
      const { store, node, timer, timersAt, told, farewell } = await annHasGone()
      const other = await redis.running.open(scope, 'b')
      await Promise.all([store, other, store, other].map((each) => broadcastsOf(each).farewell(node.partition, timer, node.clock)))
      expect(await told()).toEqual([farewell])
      expect(await timersAt(node.clock + 60_000_000)).toEqual([])
    })

    test('a node that stopped in the middle of telling is followed by another one, which tells the same; the user is told last, if back', async () => {
      const { store, login, node, timer, timersAt, told, farewell } = await annHasGone()
      const { roster } = store
      const unable: StatusReach = {
        reach: (...args) => (args[3] === 'self' ? Promise.reject(new Error('killed')) : roster.reach(...args)),
      }
      await expect(broadcastsOf(store, unable).farewell(node.partition, timer, node.clock)).rejects.toThrow('killed')
      // For some seconds it is the first node's to do.
      await broadcastsOf(store).farewell(node.partition, timer, node.clock)
      expect(await timersAt(node.clock)).toEqual([])
      expect(await told()).toEqual([farewell])

      await login('ann', 2)
      const [again] = await timersAt(node.clock + 60_000_000)
      await broadcastsOf(store).farewell(node.partition, again!, node.clock + 60_000_000)
      expect(await told()).toEqual([farewell, farewell, farewell.replace('bob', 'ann')])
      expect(await timersAt(node.clock + 120_000_000)).toEqual([])
    })

    test('a user without a roster, and one who has another session, says no farewell', async () => {
      const { login, add, nodeOf, store } = await world()
      await add(await login('ann'), 'bob')
      await nodeOf('ann').do({ channel: userChannel('test', 'ann'), userId: 't', session: 't', kind: 'join', attach: 1, timeoutMs: 60_000 })
      await login('carl')
      for (const [userId, session] of [['ann', 's'], ['carl', 's']] as const) {
        const [left] = await nodeOf(userId).do({ channel: userChannel('test', userId), userId: session, session, kind: 'leave', attach: 1 })
        expect(left).toMatchObject({ status: 'ok' })
        expect(left?.farewell).toBeUndefined()
        const { partition, clock } = nodeOf(userId)
        expect((await store.dueCandidates(partition, clock, clock, 10)).timers).toEqual([])
      }
    })
  })
}
