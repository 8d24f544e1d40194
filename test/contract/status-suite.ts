import { describe, expect, test } from '@jest/globals'
import { userChannel } from '../../src/presence/types.js'
import { eventually } from '../support/wait.js'
import type { Setup } from './setups.js'
import { states, TestNode, whenDue } from './test-node.js'
import { useSetup } from './use-setup.js'

/** What a store has to do about users: who is online, and whom a login puts an end to. */
export function statusSuite(setup: Setup): void {
  describe(`the statuses of users on ${setup.name}`, () => {
    const redis = useSetup(setup)
    const { scope } = redis

    const home = userChannel('test', 'ann')
    const login = (session: string, attach: number | null = null) => ({ channel: home, userId: session, session, kind: 'join', attach, timeoutMs: 100 }) as const
    const session = (id: string) => ({ channel: home, userId: id, session: id })

    async function homeNode(id: string): Promise<TestNode> {
      const store = await redis.running.open(scope, id)
      const node = new TestNode(id, store, store.partitionOf(home))
      await node.beat()
      return node
    }

    async function statusOf(node: TestNode, userId = 'ann') {
      const { rows } = await node.store.statuses(node.partition, 'test', ['nobody', userId])
      expect(rows[0]).toEqual({ status: 'OFFLINE', lastSeen: null })
      return rows[1]
    }

    test('follow from the sessions, and each change is told once with the next version', async () => {
      const node = await homeNode('a')
      const told: string[] = []
      const versions: [number, number][] = []
      await node.store.subscribeStatuses(node.partition, ({ previous, changes }) => {
        for (const { userId, status, version } of changes) {
          told.push(`${userId} ${status}`)
          versions.push([previous, version])
        }
      })
      const [one] = await node.do(login('one'))
      await node.do(login('two'))
      expect(await statusOf(node)).toEqual({ status: 'ONLINE', lastSeen: null })
      await node.do({ ...session('two'), kind: 'suspend', attach: (await node.do(login('two')))[0]?.attach ?? 0, timeoutMs: 60_000 })
      expect(await statusOf(node)).toEqual({ status: 'ONLINE', lastSeen: null })
      await node.do({ ...session('one'), kind: 'suspend', attach: one?.attach ?? 0, timeoutMs: 100 })
      expect(await statusOf(node)).toEqual({ status: 'UNREACHABLE', lastSeen: null })
      await node.do({ ...session('two'), kind: 'evict', reason: 'enough' })
      expect((await whenDue(node, { ...session('one'), kind: 'expire' })).status).toBe('ok')
      expect(await statusOf(node)).toMatchObject({ status: 'OFFLINE' })
      await eventually('three changes are heard', () => told.length >= 3)
      expect(told).toEqual(['ann ONLINE', 'ann UNREACHABLE', 'ann OFFLINE'])
      expect(versions.slice(1).map(([previous]) => previous)).toEqual(versions.slice(0, -1).map(([, version]) => version))
      expect((await node.beat()).statusVersion).toBe(versions.at(-1)?.[1])
      expect((await node.store.statuses(node.partition, 'test', [])).version).toBe(versions.at(-1)?.[1])
    })

    test('003.2: when the last session is gone a key says so for seven days, and a login takes it away', async () => {
      const node = await homeNode('a')
      const [one] = await node.do(login('one'))
      const [two] = await node.do(login('two'))
      const seen = `rollcall:{${node.partition}}:seen:test:ann`
      await node.do({ ...session('one'), kind: 'leave', attach: one?.attach ?? 0 })
      expect(await redis.running.command('GET', seen)).toBeNull()
      await node.do({ ...session('two'), kind: 'leave', attach: two?.attach ?? 0 })
      expect(await redis.running.command('GET', seen)).toBe('0')
      expect(Number(await redis.running.command('TTL', seen))).toBeGreaterThan(604_790)
      expect(Math.abs(Date.now() - ((await statusOf(node))?.lastSeen ?? 0))).toBeLessThan(5_000)
      await node.do(login('three'))
      expect(await redis.running.command('GET', seen)).toBeNull()
      const [late] = await node.do({ ...session('two'), kind: 'leave', attach: two?.attach ?? 0 })
      expect(late?.status).toBe('missing')
      expect(await statusOf(node)).toEqual({ status: 'ONLINE', lastSeen: null })
    })

    test('a session that was ended for good may not return, and is told why; one whose time was over may', async () => {
      const node = await homeNode('a')
      await node.do(login('one'))
      const [evicted] = await node.do({ ...session('one'), kind: 'evict', reason: 'the shift is over' })
      expect(evicted).toMatchObject({ status: 'ok', removed: [{ node: 'a', session: 'one' }] })
      const [back] = await node.do({ ...login('one', 1_000), again: true })
      expect(back).toMatchObject({ status: 'gone', reason: 'kicked the shift is over' })
      const [other] = await node.do({ ...login('two', 1_000), again: true })
      expect(other?.status).toBe('ok')
    })

    test('whom a login puts an end to: its tag, whoever has no connection, then the oldest; and when it is refused', async () => {
      const node = await homeNode('a')
      const tagged = (id: string, tag: string, mode: 'multi' | 'replace' | 'reject', most = 0) =>
        node.do({ ...login(id), known: { revision: 0, joinedAt: 0, states: states({ tag }) }, policy: { mode, most } })
      const removedBy = async (...args: Parameters<typeof tagged>) => (await tagged(...args))[0]?.removed?.map((removed) => removed.session) ?? []
      expect(await removedBy('one', 'phone', 'multi')).toEqual([])
      expect(await removedBy('two', 'laptop', 'multi')).toEqual([])
      expect(await removedBy('three', 'phone', 'multi')).toEqual(['one'])
      expect((await tagged('four', 'tv', 'reject', 2))[0]?.status).toBe('refused')
      expect(await removedBy('four', 'tv', 'replace', 2)).toEqual(['two'])
      const [four] = await node.do(login('four'))
      await node.do({ ...session('four'), kind: 'suspend', attach: four?.attach ?? 0, timeoutMs: 60_000 })
      expect(await removedBy('five', 'watch', 'reject', 2)).toEqual(['four'])
      expect(await removedBy('six', '', 'replace')).toEqual(expect.arrayContaining(['three', 'five']))
    })
  })
}
