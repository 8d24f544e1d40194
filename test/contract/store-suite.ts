import { describe, expect, test } from '@jest/globals'
import { userChannel, type Membership } from '../../src/presence/types.js'
import type { Setup } from './setups.js'
import { Ear, first, of, room, states, TestNode, whenDue } from './test-node.js'
import { useSetup } from './use-setup.js'

/** What any store has to do, whatever Redis it runs on. */
export function storeSuite(setup: Setup): void {
  describe(`the store on ${setup.name}`, () => {
    const redis = useSetup(setup)
    const { scope } = redis
    const lobby = room('lobby')

    async function cluster<const N extends string>(...ids: N[]): Promise<Record<N, TestNode>> {
      const nodes: Record<string, TestNode> = {}
      for (const id of ids) {
        const store = await redis.running.open(scope, id)
        const node = new TestNode(id, store, store.partitionOf(lobby))
        await node.beat()
        nodes[id] = node
      }
      return nodes
    }

    test('a join is one change with the next version, and the snapshot shows it', async () => {
      const { a } = await cluster('a')
      const ear = await Ear.on(a.store, lobby)
      const joined = await a.join(lobby, 'ann')
      await ear.expect('join ann')
      expect(joined.status).toBe('ok')
      expect(ear.events[0]?.previous).toBe(0)
      expect(ear.events[0]?.changes[0]?.version).toBe(joined.version)
      const snapshot = await a.store.snapshot(lobby)
      expect(snapshot.version).toBe(joined.version)
      expect(snapshot.channelLife).toBe(joined.channelLife)
      expect([...snapshot.members.keys()]).toEqual(['ann'])
      expect(await a.store.channelsOf('test', 'ann')).toEqual([lobby])
    })

    test('a batch is one event: a leave and a re-join in it are two changes, and the states died between them', async () => {
      const { a } = await cluster('a')
      const ear = await Ear.on(a.store, lobby)
      await a.join(lobby, 'ann')
      await a.do({ ...of(lobby, 'ann'), kind: 'state', attach: 1, base: 0, states: states({ mood: 'happy' }) })
      await a.do({ ...of(lobby, 'ann'), kind: 'leave', attach: 1 }, { ...of(lobby, 'ann'), kind: 'join', attach: 1, timeoutMs: 1_000 })
      await ear.expect('join ann', 'state ann', 'leave ann', 'join ann')
      expect(ear.events).toHaveLength(3)
      expect(ear.events.map((event) => event.previous).slice(1)).toEqual([ear.events[0]?.changes[0]?.version, ear.events[1]?.changes[0]?.version])
      expect((await a.store.member(lobby, 'ann'))?.states).toEqual(states({}))
    })

    test('I4: a second session adds no join, and closing one of two gives no leave', async () => {
      const { a, b } = await cluster('a', 'b')
      const ear = await Ear.on(a.store, lobby)
      await a.join(lobby, 'ann', { session: 'one' })
      await b.join(lobby, 'ann', { session: 'two' })
      await a.do({ channel: lobby, userId: 'ann', session: 'one', kind: 'leave', attach: 1 })
      await b.do({ channel: lobby, userId: 'ann', session: 'two', kind: 'leave', attach: 1 })
      await ear.expect('join ann', 'leave ann')
    })

    test('the last leave takes every key of the channel and of the user with it', async () => {
      const { a } = await cluster('a')
      const before = await redis.running.command('DBSIZE')
      await a.join(lobby, 'ann')
      await a.do({ ...of(lobby, 'ann'), kind: 'leave', attach: 1 })
      expect(await redis.running.command('DBSIZE')).toBe(before)
      expect(await a.store.channelsOf('test', 'ann')).toEqual([])
    })

    test('states: a change names the revision that it is based on; a second one on the same is told what is there', async () => {
      const { a } = await cluster('a')
      const { member } = await a.join(lobby, 'ann')
      const base = member?.revision ?? 0
      const [done, conflict] = await a.do(
        { ...of(lobby, 'ann'), kind: 'state', attach: 1, base, states: states({ mood: 'happy' }) },
        { ...of(lobby, 'ann'), kind: 'state', attach: 1, base, states: states({ mic: 'on' }) },
      )
      expect(done?.status).toBe('ok')
      expect(conflict?.status).toBe('conflict')
      expect(conflict?.member?.states).toEqual(states({ mood: 'happy' }))
    })

    test('names and states of any characters come back as they were', async () => {
      const { a } = await cluster('a')
      const channel = { ...lobby, name: '{0}:x*?[a]\n"\\ ☀️' }
      const node = new TestNode('a', a.store, a.store.partitionOf(channel))
      node.number = 100
      await node.beat({ seal: true })
      const ear = await Ear.on(a.store, channel)
      const wanted = states({ __proto__x: '1', a: 'line\nbreak \u0001 "quoted" 😀', b: '[]', c: '12345678901234567890' })
      await node.join(channel, 'us:er {1}\u0001')
      await node.do({ ...of(channel, 'us:er {1}\u0001'), kind: 'state', attach: 1, base: 0, states: wanted })
      await ear.expect('join us:er {1}\u0001', 'state us:er {1}\u0001')
      expect((await a.store.member(channel, 'us:er {1}\u0001'))?.states).toEqual(wanted)
      expect((await a.store.snapshot(channel)).members.get('us:er {1}\u0001')?.states).toEqual(wanted)
      expect(await a.store.channelsOf('test', 'us:er {1}\u0001')).toEqual([channel])
    })

    test('I6: an older attach does nothing, and a newer one takes the session from the other node', async () => {
      const { a, b } = await cluster('a', 'b')
      const ear = await Ear.on(a.store, lobby)
      await a.join(lobby, 'ann', { attach: 1 })
      const taken = await b.join(lobby, 'ann', { attach: 2 })
      expect(taken.status).toBe('same')
      expect(taken.superseded).toBe('a')
      const stale = await a.do(
        { ...of(lobby, 'ann'), kind: 'leave', attach: 1 },
        { ...of(lobby, 'ann'), kind: 'suspend', attach: 1, timeoutMs: 1 },
        { ...of(lobby, 'ann'), kind: 'state', attach: 1, base: 0, states: states({ late: 'yes' }) },
        { ...of(lobby, 'ann'), kind: 'join', attach: 1, timeoutMs: 1 },
      )
      expect(stale.map((result) => result.status)).toEqual(['stale', 'stale', 'stale', 'stale'])
      await ear.expect('join ann')
      expect((await a.store.ownership.owned(a.partition, 'a')).memberships).toEqual([])
      expect((await a.store.ownership.owned(a.partition, 'b')).memberships).toEqual([of(lobby, 'ann')])
    })

    test('a USER channel gives out attach numbers that only rise', async () => {
      const { a } = await cluster('a')
      const channel = userChannel('test', 'ann')
      const node = new TestNode('a', a.store, a.store.partitionOf(channel))
      node.number = 100
      await node.beat({ seal: true })
      const login = { channel, userId: 's1', session: 's1', kind: 'join', attach: null, timeoutMs: 1_000 } as const
      const attaches = (await node.do(login, login, login)).map((result) => result.attach ?? 0)
      expect(attaches[1]).toBeGreaterThan(attaches[0] ?? 0)
      expect(attaches[2]).toBeGreaterThan(attaches[1] ?? 0)
    })

    test('I6: a batch that comes after a later call is refused, and so is a late heartbeat', async () => {
      const { a } = await cluster('a')
      const late = a.number + 1
      a.number += 1
      await a.join(lobby, 'ann')
      const reply = await a.store.commit(a.partition, {
        node: 'a',
        number: late,
        life: a.life,
        periodMs: 500,
        ops: [{ ...of(lobby, 'ann'), kind: 'leave', attach: 1 }],
      })
      expect(reply).toEqual({ outcome: 'refused', why: 'number' })
      expect((await a.beat({ number: late })).outcome).toBe('late')
      expect(await a.store.member(lobby, 'ann')).not.toBeNull()
    })

    test('a suspended session ends at its deadline, not before, as a timeout', async () => {
      const { a } = await cluster('a')
      const ear = await Ear.on(a.store, lobby)
      await a.join(lobby, 'ann')
      await a.suspend(lobby, 'ann', 300)
      expect(first(await a.do({ ...of(lobby, 'ann'), kind: 'expire' })).status).toBe('early')
      expect((await whenDue(a, { ...of(lobby, 'ann'), kind: 'expire' })).status).toBe('ok')
      await ear.expect('join ann', 'timeout ann')
    })

    test('a resume within the time takes it out again, on another node too', async () => {
      const { a, b } = await cluster('a', 'b')
      const ear = await Ear.on(a.store, lobby)
      await a.join(lobby, 'ann')
      await a.suspend(lobby, 'ann', 50)
      await b.join(lobby, 'ann', { attach: 2 })
      expect((await whenDue(a, { ...of(lobby, 'ann'), kind: 'expire' })).status).toBe('missing')
      await ear.expect('join ann')
    })

    test('I7: racing sweepers end a member once', async () => {
      const { a, b } = await cluster('a', 'b')
      const ear = await Ear.on(a.store, lobby)
      await a.join(lobby, 'ann')
      await a.suspend(lobby, 'ann', 10)
      await whenDue(a, { ...of(lobby, 'nobody'), kind: 'expire' })
      const all = await Promise.all([a, b].map((node) => whenDue(node, { ...of(lobby, 'ann'), kind: 'expire' })))
      expect(all.map((result) => result.status).sort()).toEqual(['missing', 'ok'])
      await ear.expect('join ann', 'timeout ann')
    })

    test('a node that stops beating: its memberships become due with their own grace, and its list keeps its mark', async () => {
      const { a, b } = await cluster('a', 'b')
      const ear = await Ear.on(b.store, lobby)
      await a.join(lobby, 'ann', { timeoutMs: 200 })
      expect(first(await b.do({ kind: 'endLease', node: 'a' })).status).toBe('early')
      expect((await whenDue(b, { kind: 'endLease', node: 'a' })).status).toBe('ok')
      expect(first(await b.do({ ...of(lobby, 'ann'), kind: 'orphan', node: 'a' })).status).toBe('ok')
      expect(first(await b.do({ kind: 'dropLease', node: 'a' })).status).toBe('ok')
      expect(ear.changes).toEqual(['join ann'])
      expect((await whenDue(b, { ...of(lobby, 'ann'), kind: 'expire' })).status).toBe('ok')
      await ear.expect('join ann', 'timeout ann')
      expect(await b.store.ownership.owned(b.partition, 'a')).toEqual({ memberships: [], intact: true })
    })

    test('a node whose lease was ended is refused until its next heartbeat, which says so', async () => {
      const { a, b } = await cluster('a', 'b')
      await whenDue(b, { kind: 'endLease', node: 'a' })
      expect(await a.commit({ ...of(lobby, 'ann'), kind: 'join', attach: 1, timeoutMs: 1_000 })).toEqual({ outcome: 'refused', why: 'lease' })
      expect((await a.beat()).outcome).toBe('taken')
      expect((await a.join(lobby, 'ann')).status).toBe('ok')
    })

    test('a flush begins another life: batches of the old one are refused, versions go on rising', async () => {
      const { a } = await cluster('a')
      const before = await a.join(lobby, 'ann')
      const life = a.life
      await redis.running.flush()
      expect(await a.commit({ ...of(lobby, 'ann'), kind: 'leave', attach: 1 })).toEqual({ outcome: 'refused', why: 'life' })
      const beat = await a.beat()
      expect(beat).toMatchObject({ outcome: 'taken', owned: null })
      expect(beat.life).not.toBe(life)
      const known = before.member
      const after = first(await a.do({ ...of(lobby, 'ann'), kind: 'assert', attach: 1, timeoutMs: 1_000, ...(known === undefined ? {} : { known }) }))
      expect(after.version).toBeGreaterThan(before.version)
      expect((await a.store.member(lobby, 'ann'))?.joinedAt).toBe(known?.joinedAt)
    })

    test('after a loss: a leave waits for other sessions to be asserted, and a placeholder gives way to one', async () => {
      const { a, b } = await cluster('a', 'b')
      await a.join(lobby, 'ann')
      await b.join(lobby, 'bob')
      await redis.running.flush()
      await a.beat({ seal: true })
      await b.beat({ seal: true })
      const ear = await Ear.on(b.store, lobby)
      const known = { revision: 5, joinedAt: 1_000, states: states({ mood: 'kept' }) }
      await b.do({ kind: 'placeholder', channel: lobby, userId: 'ann', timeoutMs: 60_000, seen: b.clock, known })
      await a.do({ ...of(lobby, 'ann'), kind: 'assert', attach: 1, timeoutMs: 1_000, known: { ...known, revision: 4, states: states({ mood: 'older' }) } })
      expect((await a.store.member(lobby, 'ann'))?.states).toEqual(states({ mood: 'kept' }))
      expect(await a.store.ownership.sessions(a.partition, [of(lobby, 'ann')])).toEqual([[{ session: 'session-of-ann', attach: 1, timeoutMs: 1_000, node: 'a' }]])
      await a.do({ ...of(lobby, 'ann'), kind: 'leave', attach: 1 })
      expect(await a.store.member(lobby, 'ann')).not.toBeNull()
      await whenDue(a, { ...of(lobby, 'ann'), kind: 'expire' })
      await ear.expect('assert ann', 'leave ann')
    })

    test('a channel with one of its keys gone is said to be lost, and an assert begins it anew', async () => {
      const { a } = await cluster('a')
      const joined = await a.join(lobby, 'ann')
      await redis.running.command('DEL', `rollcall:{${a.partition}}:members:test:MESSAGE:lobby`)
      expect((await a.store.audit(a.partition, { channels: [lobby], app: 'test', users: ['ann'], renew: false })).rows).toEqual(['damaged'])
      expect((await a.join(lobby, 'bob')).status).toBe('lost')
      const known = joined.member
      await a.do({ ...of(lobby, 'ann'), kind: 'assert', attach: 1, timeoutMs: 1_000, ...(known === undefined ? {} : { known }) })
      const [row] = (await a.store.audit(a.partition, { channels: [lobby], app: 'test', users: ['ann'], renew: false })).rows
      expect(row).toMatchObject({ occupancy: 1 })
      expect(row !== null && row !== 'damaged' && row?.channelLife).not.toBe(joined.channelLife)
    })

    test.each(['members', 'sessions'] as const)('whoever ends in a channel with only its %s key left leaves nothing behind there', async (left) => {
      const { a } = await cluster('a')
      await a.join(lobby, 'ann')
      await a.join(lobby, 'bob')
      const other = left === 'members' ? 'sessions' : 'members'
      await redis.running.command('DEL', `rollcall:{${a.partition}}:${other}:test:MESSAGE:lobby`)
      const fields = async (): Promise<unknown> => redis.running.command('HKEYS', `rollcall:{${a.partition}}:${left}:test:MESSAGE:lobby`)
      expect(first(await a.do({ ...of(lobby, 'ann'), kind: 'leave', attach: 1 })).status).toBe('lost')
      expect(await fields()).toEqual(expect.arrayContaining(['', 'bob']))
      expect(await fields()).not.toContain('ann')
      expect(first(await a.do({ ...of(lobby, 'bob'), kind: 'suspend', attach: 1, timeoutMs: 1_000 })).status).toBe('lost')
      expect(await fields()).toEqual([])
      expect((await a.store.ownership.owned(a.partition, 'a')).memberships).toEqual([])
    })

    test('nobody is put back into a channel, or one that is empty by now, in which somebody ended since it was looked at', async () => {
      const { a } = await cluster('a')
      await a.join(lobby, 'ann')
      await a.join(lobby, 'bob')
      const placeholder = { kind: 'placeholder', channel: lobby, timeoutMs: 60_000, known: { revision: 5, joinedAt: 1_000, states: states({}) } } as const
      const looked = await a.store.snapshot(lobby)
      await a.do({ ...of(lobby, 'bob'), kind: 'leave', attach: 1 })
      expect(first(await a.do({ ...placeholder, userId: 'bob', seen: looked.version })).status).toBe('conflict')
      const again = await a.store.snapshot(lobby)
      await a.do({ ...of(lobby, 'ann'), kind: 'leave', attach: 1 })
      expect(first(await a.do({ ...placeholder, userId: 'ann', seen: again.version })).status).toBe('conflict')
      const empty = await a.store.snapshot(lobby)
      expect(first(await a.do({ ...placeholder, userId: 'eve', seen: empty.version })).status).toBe('ok')
    })

    test('in a channel that was repaired just now a leave waits, for another tab may not have been put back yet', async () => {
      const { a } = await cluster('a')
      const { member } = await a.join(lobby, 'ann', { session: 'tab-1' })
      await a.join(lobby, 'ann', { session: 'tab-2' })
      await redis.running.command('DEL', `rollcall:{${a.partition}}:members:test:MESSAGE:lobby`)
      const tab = (session: string) => ({ channel: lobby, userId: 'ann', session, attach: 1 })
      await a.do({ ...tab('tab-1'), kind: 'assert', timeoutMs: 1_000, ...(member && { known: member }) })
      await a.do({ ...tab('tab-1'), kind: 'leave' })
      expect(await a.store.member(lobby, 'ann')).not.toBeNull()
      await a.do({ ...tab('tab-2'), kind: 'assert', timeoutMs: 1_000, ...(member && { known: member }) })
      expect((await whenDue(a, { channel: lobby, userId: 'ann', session: 'tab-1', kind: 'expire' })).status).toBe('ok')
      expect(await a.store.member(lobby, 'ann')).not.toBeNull()
    })

    test('deadlines that were lost are noticed by a heartbeat, and whoever is away gets another one', async () => {
      const { a } = await cluster('a')
      await a.join(lobby, 'ann')
      await a.join(lobby, 'bob')
      await a.suspend(lobby, 'ann', 1)
      expect((await a.beat()).dueLost).toBe(false)
      await redis.running.command('DEL', `rollcall:{${a.partition}}:due`)
      expect((await a.beat()).dueLost).toBe(true)
      await a.do({ kind: 'search' })
      expect(await unvouched(a)).toEqual([of(lobby, 'ann')])
      expect(await a.do({ ...of(lobby, 'ann'), kind: 'remind' }, { ...of(lobby, 'bob'), kind: 'remind' }, { kind: 'searched' })).toMatchObject([{ status: 'ok' }, { status: 'same' }, { status: 'ok' }])
      expect((await a.beat()).dueLost).toBe(false)
      expect((await whenDue(a, { ...of(lobby, 'ann'), kind: 'expire' })).status).toBe('ok')
      expect(await a.store.member(lobby, 'bob')).not.toBeNull()
    })

    test('whoever begins another life looks for those who have no deadline, and for those of nodes that have no lease', async () => {
      const { a, b } = await cluster('a', 'b')
      await b.join(lobby, 'bob')
      await redis.running.command('DEL', `rollcall:{${a.partition}}:clock`)
      await redis.running.command('DEL', `rollcall:{${a.partition}}:leases`)
      expect((await a.beat()).dueLost).toBe(true)
      expect((await a.beat()).dueLost).toBe(true)
      await a.do({ kind: 'search' })
      expect(await unvouched(a)).toEqual([of(lobby, 'bob')])
      expect(await a.do({ ...of(lobby, 'bob'), kind: 'remind' }, { kind: 'searched' })).toMatchObject([{ status: 'ok' }, { status: 'ok' }])
      expect((await a.beat()).dueLost).toBe(false)
      expect((await whenDue(a, { ...of(lobby, 'bob'), kind: 'expire' })).status).toBe('ok')
    })

    test('deadlines are looked for by one node at a time, and again when some are lost meanwhile', async () => {
      const { a, b } = await cluster('a', 'b')
      await a.join(lobby, 'ann')
      await a.suspend(lobby, 'ann', 1)
      await redis.running.command('DEL', `rollcall:{${a.partition}}:due`)
      expect(first(await a.do({ kind: 'search' })).status).toBe('ok')
      expect((await b.beat()).dueLost).toBe(true)
      expect(first(await b.do({ kind: 'search' })).status).toBe('early')
      await a.do({ ...of(lobby, 'ann'), kind: 'remind' })
      await redis.running.command('DEL', `rollcall:{${a.partition}}:due`)
      expect(first(await b.do({ kind: 'search' })).status).toBe('ok')
      await a.do({ kind: 'searched' })
      expect((await a.beat()).dueLost).toBe(true)
      await b.do({ ...of(lobby, 'ann'), kind: 'remind' }, { kind: 'searched' })
      expect((await a.beat()).dueLost).toBe(false)
    })

    test('after a loss a snapshot says when it is conclusive: somebody has gone, and all had their time to be put back', async () => {
      const { a } = await cluster('a')
      await a.join(lobby, 'ann')
      await a.join(lobby, 'bob')
      await redis.running.command('HSET', `rollcall:{${a.partition}}:clock`, 'replid', 'of-another-server')
      await a.beat()
      expect(await a.store.snapshot(lobby)).toMatchObject({ conclusive: false })
      expect((await a.store.snapshot(lobby)).settlesInMs).toBeGreaterThan(0)
      await a.do({ ...of(lobby, 'ann'), kind: 'leave', attach: 1 })
      expect(await a.store.snapshot(lobby)).toMatchObject({ conclusive: false })
      await whenDue(a, { ...of(lobby, 'ann'), kind: 'expire' })
      expect(await a.store.snapshot(lobby)).toMatchObject({ conclusive: true, settlesInMs: 0 })
    })

    test('I2 I8: a server whose clock is ahead takes over, and nobody has less time to come back', async () => {
      const { a } = await cluster('a')
      await a.join(lobby, 'ann')
      await a.suspend(lobby, 'ann', 20_000)
      const [clock, due, behind] = [`rollcall:{${a.partition}}:clock`, `rollcall:{${a.partition}}:due`, 3_600_000_000]
      // As if all had been written by a server that was an hour behind.
      for (const field of ['now', 'time', 'hold', 'fresh', 'born']) await redis.running.command('HINCRBY', clock, field, String(-behind))
      const [member] = (await redis.running.command('ZRANGE', due, '0', '-1')) as string[]
      await redis.running.command('ZINCRBY', due, String(-behind), member ?? '')
      await redis.running.command('HSET', clock, 'replid', 'of-another-server')
      const beat = await a.beat()
      expect(beat.clock).toBeGreaterThan(Date.now() * 1_000 - 60_000_000)
      const leftMs = ((beat.nextDue ?? 0) - beat.clock) / 1_000
      expect(leftMs).toBeGreaterThan(15_000)
      expect(leftMs).toBeLessThanOrEqual(20_000)
      expect((await a.store.member(lobby, 'ann'))?.revision).toBeGreaterThan(0)
    })

    test('a list of channels that was lost is noticed by the audit, and an assert puts it back', async () => {
      const { a } = await cluster('a')
      await a.join(lobby, 'ann')
      const look = { channels: [lobby], app: 'test', users: ['ann'], renew: false }
      expect((await a.store.audit(a.partition, look)).unlisted).toEqual([])
      await redis.running.command('DEL', `rollcall:{${a.partition}}:where:test:ann`)
      expect((await a.store.audit(a.partition, look)).unlisted).toEqual(['ann'])
      await a.do({ ...of(lobby, 'ann'), kind: 'assert', attach: 1, timeoutMs: 1_000 })
      expect(await a.store.channelsOf('test', 'ann')).toEqual([lobby])
    })

    test('I10: every key but the partition count has a lifetime', async () => {
      const { a } = await cluster('a')
      await a.join(lobby, 'ann')
      await a.join(lobby, 'bob')
      await a.suspend(lobby, 'bob', 60_000)
      const keys = (await redis.running.command('KEYS', '*')) as string[]
      const staying = await Promise.all(keys.map(async (key) => ((await redis.running.command('TTL', key)) === -1 ? [key] : [])))
      expect(staying.flat()).toEqual(['rollcall:partitions'])
    })

    test('a node with another partition count refuses to run', async () => {
      await cluster('a')
      await redis.running.command('SET', 'rollcall:partitions', '7')
      await expect(redis.running.open(scope, 'b')).rejects.toThrow(/set up with 7/)
    })

    test('a probe comes back behind everything that was published before it', async () => {
      const { a } = await cluster('a')
      const ear = await Ear.on(a.store, lobby)
      await a.join(lobby, 'ann')
      await a.store.probe(a.partition)
      expect(ear.changes).toEqual(['join ann'])
    })

    test('scripts that the server forgot are sent again', async () => {
      const { a } = await cluster('a')
      await redis.running.command('SCRIPT', 'FLUSH')
      expect((await a.join(lobby, 'ann')).status).toBe('ok')
    })
  })
}

/** Whom nobody vouches for in the partition, as a search finds them. */
async function unvouched({ store, partition }: TestNode): Promise<readonly Membership[]> {
  const found: Membership[] = []
  for await (const page of store.ownership.unvouched(partition)) found.push(...page)
  return found
}
