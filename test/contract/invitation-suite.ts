import { describe, expect, test } from '@jest/globals'

import { begun, following, postedInvitation, type InvitationEvent, type InvitationRecord } from '../../src/presence/invitation.js'
import type { InvitationOutcome, InvitationStep } from '../../src/presence/invitations.js'
import { StoreRefusedError } from '../../src/presence/store.js'
import { userChannel, type Timer } from '../../src/presence/types.js'
import { isOpen } from '../../src/protocol/invitations.js'
import type { RedisStore } from '../../src/store/index.js'
import { elapse, eventually } from '../support/wait.js'
import type { Setup } from './setups.js'
import { HEARTBEAT_MS, TestNode } from './test-node.js'
import { useSetup } from './use-setup.js'

const APP = 'test'
const RULES = { open: 3, all: 6, periodMs: HEARTBEAT_MS }
const LONG_MS = 60_000
/** Later than any clock. */
const EVER = 9e15

const YES: InvitationEvent = { kind: 'accept', session: 'session-of-bob', response: 'yes' }

class HomeNode extends TestNode {
  constructor(
    id: string,
    override readonly store: RedisStore,
    partition: number,
  ) {
    super(id, store, partition)
  }
}

/** What a store has to do about invitations: steps that are taken whole or not at all, by whoever was first. */
export function invitationSuite(setup: Setup): void {
  describe(`invitations on ${setup.name}`, () => {
    const redis = useSetup(setup)
    const { scope } = redis

    async function homeNode(callee = 'bob'): Promise<HomeNode> {
      const store = await redis.running.open(scope, 'a')
      const node = new HomeNode('a', store, store.partitionOf(userChannel(APP, callee)))
      await node.beat()
      return node
    }

    const start = (id: string, fields: Partial<InvitationRecord> = {}) =>
      begun({ id, caller: 'ann', callee: 'bob', session: 'session-of-ann', content: 'hello', channelId: '', ...fields })
    const put = (node: HomeNode, to: InvitationRecord, timerMs = LONG_MS, app = APP) => node.store.invitations.step(app, { from: 0, to, wasOpen: false, timerMs }, RULES)

    async function move(node: HomeNode, from: InvitationRecord, event: InvitationEvent, more: Partial<InvitationStep> = {}): Promise<InvitationOutcome> {
      const to = following(from, event)
      if (to === null) throw new Error('nothing follows')
      return node.store.invitations.step(APP, { from: from.revision, to, wasOpen: isOpen(from), timerMs: LONG_MS, ...more }, RULES)
    }

    const read = async (node: HomeNode, id: string, callee = 'bob') => (await node.store.invitations.read(APP, [{ userId: callee, id }]))[0]
    const timers = async (node: HomeNode): Promise<readonly Timer[]> => (await node.store.dueCandidates(node.partition, EVER, EVER, 100)).timers
    const keys = async (node: HomeNode, what: string) => (await redis.running.command('KEYS', `rollcall:{${node.partition}}:${what}*`)) as string[]

    async function onlyTimer(node: HomeNode): Promise<Timer> {
      const [timer, ...others] = await timers(node)
      if (timer === undefined || others.length > 0) throw new Error(`${others.length} timers more than one, or none`)
      return timer
    }

    test('a step leaves record, timer and post for both users, stamped with the time of Redis', async () => {
      const node = await homeNode()
      const posts: InvitationRecord[] = []
      const to: string[][] = []
      await node.store.subscribePost(node.partition, (post) => {
        posts.push(postedInvitation(post.fields))
        to.push([post.kind, post.app, ...post.to])
      })
      const sent = start('call-0001')
      const first = await put(node, sent)
      expect(first).toEqual({ outcome: 'done', timestamp: expect.any(Number) })
      const record = await read(node, sent.id)
      expect(record).toEqual({ ...sent, timestamp: first.outcome === 'done' ? first.timestamp : 0 })
      expect(Math.abs(Date.now() - (record?.timestamp ?? 0))).toBeLessThan(5_000)
      const timer = await onlyTimer(node)
      expect(timer).toMatchObject({ kind: 'invitation', channel: userChannel(APP, 'bob'), id: sent.id })
      expect((timer.at - (await node.beat()).clock) / 1000).toBeCloseTo(LONG_MS, -3)
      expect((await move(node, sent, { kind: 'receive' })).outcome).toBe('done')
      expect((await move(node, { ...sent, state: 'RECEIVED', revision: 2 }, YES)).outcome).toBe('done')
      await eventually('three posts', () => posts.length >= 3)
      expect(posts.map(({ state, revision, response }) => [state, revision, response])).toEqual([['SENT', 1, ''], ['RECEIVED', 2, ''], ['ACCEPTED', 3, 'yes']])
      expect(new Set(to.map((line) => line.join(' ')))).toEqual(new Set([`invitation ${APP} bob ann`]))
      expect(posts.at(-1)).toEqual(await read(node, sent.id))
      await onlyTimer(node)
    })

    test('of two steps from one revision the first is taken, and the other changes nothing and finds what has become of it', async () => {
      const node = await homeNode()
      const sent = start('call-0001')
      await put(node, sent)
      expect(await put(node, { ...sent, content: 'another' })).toEqual({ outcome: 'conflict', found: await read(node, sent.id) })
      const [one, two] = await Promise.all([move(node, sent, YES), move(node, sent, { kind: 'cancel' })])
      expect([one.outcome, two.outcome].sort()).toEqual(['conflict', 'done'])
      const record = await read(node, sent.id)
      expect(record?.revision).toBe(2)
      for (const outcome of [one, two]) if (outcome.outcome === 'conflict') expect(outcome.found).toEqual(record)
      const timer = await onlyTimer(node)
      expect(await move(node, sent, { kind: 'receive' })).toEqual({ outcome: 'conflict', found: record })
      expect(await onlyTimer(node)).toEqual(timer)
      expect(await move(node, start('call-0002'), YES)).toEqual({ outcome: 'conflict', found: null })
      expect(await timers(node)).toEqual([timer])
    })

    test('a step that is due to a timer is taken only when that is as it was seen, and over', async () => {
      const node = await homeNode()
      const sent = start('call-0001')
      await put(node, sent)
      const due = await onlyTimer(node)
      const up: InvitationEvent = { kind: 'timeUp', calleeThere: false }
      expect(await move(node, sent, up, { due })).toEqual({ outcome: 'early' })
      expect(await move(node, sent, up, { due: { ...due, at: due.at - 1 } })).toEqual({ outcome: 'early' })
      expect(await node.store.moveTimer(node.partition, due, 1)).toBe(true)
      expect((await move(node, sent, up, { due: { ...due, at: 1 } })).outcome).toBe('done')
      expect(await read(node, sent.id)).toMatchObject({ state: 'FAILED', reason: 'PEER_OFFLINE' })
      expect((await onlyTimer(node)).at).toBeGreaterThan(due.at - LONG_MS * 1000)
    })

    test('a step that comes too late, by the time of Redis, is not taken; what it finds is said all the same', async () => {
      const node = await homeNode()
      const sent = start('call-0001')
      const { timestamp } = (await put(node, sent)) as { readonly timestamp: number }
      for (const until of [0, timestamp]) expect(await move(node, sent, YES, { until })).toEqual({ outcome: 'late' })
      expect(await read(node, sent.id)).toMatchObject({ state: 'SENT', revision: 1 })
      expect((await move(node, sent, YES, { until: timestamp + LONG_MS })).outcome).toBe('done')
      expect(await move(node, sent, YES, { until: 0 })).toMatchObject({ outcome: 'conflict', found: { state: 'ACCEPTED' } })
    })

    test('a timer that another node has set is among those that are due when its time has come', async () => {
      const node = await homeNode()
      await put(node, start('call-0001'), 200)
      const other = new TestNode('b', await redis.running.open(scope, 'b'), node.partition)
      await elapse(200)
      await eventually('it is due', async () => {
        const { clock, nextDue } = await other.beat()
        return nextDue !== null && nextDue <= clock && (await other.store.dueCandidates(node.partition, clock, clock, 10)).timers.length === 1
      })
    })

    test('what has ended is forgotten with its timer, and nothing is left', async () => {
      const node = await homeNode()
      const sent = start('call-0001')
      await put(node, sent)
      await move(node, sent, YES, { timerMs: 1 })
      const ref = { userId: 'bob', id: sent.id }
      const timer = await onlyTimer(node)
      await elapse(10)
      await node.store.invitations.forget(APP, ref, 1, timer, RULES)
      await node.store.invitations.forget(APP, ref, 2, { ...timer, at: timer.at - 1 }, RULES)
      expect(await read(node, sent.id)).toMatchObject({ state: 'ACCEPTED' })
      await node.store.invitations.forget(APP, ref, 2, timer, RULES)
      expect([await read(node, sent.id), await timers(node)]).toEqual([null, []])
      expect(await keys(node, 'invitations')).toEqual([])
    })

    test('a timer without a record goes too', async () => {
      const node = await homeNode()
      await put(node, start('call-0001'), 1)
      const [key = ''] = await keys(node, 'invitations')
      await redis.running.command('DEL', key)
      const timer = await onlyTimer(node)
      await elapse(10)
      await node.store.invitations.forget(APP, { userId: 'bob', id: 'call-0001' }, 0, timer, RULES)
      expect(await timers(node)).toEqual([])
    })

    test('timers that were lost are missed, and only what lacks one gets another', async () => {
      const node = await homeNode()
      const [sent, other] = [start('call-0001'), start('call-0002')]
      await put(node, sent)
      await put(node, sent, LONG_MS, 'other')
      expect((await node.beat()).dueLost).toBe(false)
      expect((await node.beat()).nextDue).toBe((await timers(node))[0]?.at)
      await redis.running.command('DEL', `rollcall:{${node.partition}}:timers`)
      await put(node, other)
      const untouched = await onlyTimer(node)
      expect((await node.beat()).dueLost).toBe(true)
      await node.do({ kind: 'search' })
      const found: string[] = []
      for await (const page of node.store.invitations.kept(node.partition)) {
        for (const { app, record } of page) {
          found.push(`${app} ${record.callee} ${record.id}`)
          await node.store.invitations.rearm(app, { userId: record.callee, id: record.id }, 7)
        }
      }
      expect(found.sort()).toEqual(['other bob call-0001', 'test bob call-0001', 'test bob call-0002'])
      expect((await timers(node)).map(({ channel, id, at }) => [channel.app, id, at])).toEqual([['other', sent.id, 7], [APP, sent.id, 7], [APP, other.id, untouched.at]])
      expect((await node.beat()).dueLost).toBe(true)
      await node.do({ kind: 'searched' })
      expect((await node.beat()).dueLost).toBe(false)
    })

    test('timers that are lost again while somebody looks for lost ones are missed again', async () => {
      const node = await homeNode()
      await redis.running.command('DEL', `rollcall:{${node.partition}}:timers`)
      await node.do({ kind: 'search' })
      await redis.running.command('DEL', `rollcall:{${node.partition}}:timers`)
      await node.do({ kind: 'searched' })
      expect((await node.beat()).dueLost).toBe(true)
    })

    test('so many are open at once, and so many there with those that have ended', async () => {
      const node = await homeNode()
      const sent = [1, 2, 3].map((n) => start(`call-000${n}`, { caller: `caller-${n}` }))
      for (const one of sent) expect((await put(node, one)).outcome).toBe('done')
      const [first = start('none'), second = start('none')] = sent
      expect(await put(node, start('call-0004'))).toEqual({ outcome: 'full' })
      expect(await put(node, first)).toMatchObject({ outcome: 'conflict' })
      await move(node, first, { kind: 'receive' })
      expect(await put(node, start('call-0004'))).toEqual({ outcome: 'full' })
      await move(node, second, YES)
      expect((await put(node, start('call-0004'))).outcome).toBe('done')
      for (const n of [5, 6]) {
        await move(node, start(`call-000${n - 1}`), YES)
        expect((await put(node, start(`call-000${n}`))).outcome).toBe('done')
      }
      await move(node, start('call-0006'), YES)
      expect(await put(node, start('call-0007'))).toEqual({ outcome: 'full' })
      expect((await node.store.invitations.sentTo(APP, ['bob', 'nobody'])).map(({ id }) => id).sort()).toEqual([1, 2, 3, 4, 5, 6].map((n) => `call-000${n}`))
    })

    test('who is blocked invites nobody, friends and strangers do', async () => {
      const node = await homeNode()
      const roster = `rollcall:{${node.partition}}:roster:${APP}:bob`
      await redis.running.command('HSET', roster, 'eve', '17 b', 'ann', '18 f')
      expect(await put(node, start('call-0001', { caller: 'eve' }))).toEqual({ outcome: 'blocked' })
      expect((await put(node, start('call-0002'))).outcome).toBe('done')
      expect((await put(node, start('call-0003', { caller: 'stranger' }))).outcome).toBe('done')
      expect(await read(node, 'call-0001')).toBeNull()
    })

    test('a login is told that some may wait, until they are forgotten', async () => {
      const node = await homeNode()
      const login = async (session: string) => (await node.do({ channel: userChannel(APP, 'bob'), userId: session, session, kind: 'join', attach: null, timeoutMs: 1_000 }))[0]?.waiting
      expect(await login('one')).toBeUndefined()
      await put(node, start('call-0001'))
      expect(await login('two')).toEqual({ messages: false, invitations: true })
    })

    test('names, ids and texts of any characters are themselves, and apps apart', async () => {
      const callee = '}{:{0}\n*"__proto__'
      const node = await homeNode(callee)
      const sent = start('__proto__--', { caller: '麦位 ann', callee, content: 'a\0b "😀"\n', channelId: '{room}' })
      const heard: InvitationRecord[] = []
      await node.store.subscribePost(node.partition, (post) => heard.push(postedInvitation(post.fields)))
      await put(node, sent)
      expect(await read(node, sent.id, callee)).toMatchObject({ ...sent, timestamp: expect.any(Number) })
      expect(await onlyTimer(node)).toMatchObject({ channel: userChannel(APP, callee), id: sent.id })
      await eventually('it is heard', () => heard.length > 0)
      expect(heard[0]).toEqual(await read(node, sent.id, callee))
      expect(await node.store.invitations.read('other', [{ userId: callee, id: sent.id }])).toEqual([null])
      expect(await node.store.invitations.sentTo('other', [callee])).toEqual([])
    })

    test('every key of them expires by itself, later than the timer', async () => {
      const node = await homeNode()
      const sent = start('call-0001')
      await put(node, sent)
      const [key = ''] = await keys(node, 'invitations')
      const ttl = async () => Number(await redis.running.command('TTL', key))
      expect(await ttl()).toBeGreaterThan(LONG_MS / 1000)
      const before = await ttl()
      await move(node, sent, { kind: 'receive' }, { timerMs: 1 })
      expect(await ttl()).toBeGreaterThanOrEqual(before - 2)
      expect(Number(await redis.running.command('TTL', (await keys(node, 'timers'))[0] ?? ''))).toBeGreaterThan(LONG_MS / 1000)
    })

    test('when memory is short, nobody is invited and who was can answer', async () => {
      const node = await homeNode()
      const sent = start('call-0001')
      await put(node, sent)
      await redis.running.command('CONFIG', 'SET', 'maxmemory', '1')
      try {
        await expect(put(node, start('call-0002'))).rejects.toThrow(/OOM/)
        expect((await move(node, sent, { kind: 'receive' })).outcome).toBe('done')
        expect((await move(node, { ...sent, state: 'RECEIVED', revision: 2 }, YES)).outcome).toBe('done')
      } finally {
        await redis.running.command('CONFIG', 'SET', 'maxmemory', '0')
      }
    })

    test('without a clock in the partition nothing is done', async () => {
      const node = await homeNode()
      await redis.running.flush()
      await expect(put(node, start('call-0001'))).rejects.toThrow(StoreRefusedError)
      expect(await redis.running.command('KEYS', 'rollcall:{*')).toEqual([])
    })
  })
}
