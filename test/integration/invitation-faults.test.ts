import { describe, expect, test } from '@jest/globals'

import type { Invitation } from '../../src/protocol/invitations.js'
import { connect, createClient, uniqueChannel as unique } from '../support/client.js'
import { http } from '../support/http.js'
import { InvitationLog } from '../support/invitation-log.js'
import { Link } from '../support/link.js'
import { startNode, useCluster } from '../support/node.js'
import { connectPlain } from '../support/plain.js'
import { useTestScope } from '../support/scope.js'
import { eventually, within } from '../support/wait.js'

const cluster = useCluster({ limits: { invitationReceiptMs: 4_000, invitationAnswerMs: 4_000, callsPerSecond: 1_000 } })
const scope = useTestScope()

describe('the same invitation sent again', () => {
  test('is the one that there is, as it is by now; another one of that id is refused', async () => {
    const ann = await connectPlain(scope, unique('ann'), cluster.a)
    const bob = await connect(scope, unique('bob'), cluster.b)
    const bobLog = new InvitationLog(bob)
    const request = { userId: bob.userId, id: unique('call'), content: 'hello' }
    await ann.must('invite', request)
    await bobLog.next(request.id, 'SENT')
    await bobLog.next(request.id, 'RECEIVED')
    expect((await ann.must('invite', request)).invitation).toMatchObject({ state: 'RECEIVED', revision: 2 })
    await bob.invitations.refuse(request.id)
    expect((await ann.must('invite', request)).invitation).toMatchObject({ state: 'REFUSED', revision: 3 })
    const eve = await connectPlain(scope, unique('eve'), cluster.a)
    for (const [client, again] of [[ann, { ...request, content: 'goodbye' }], [ann, { ...request, channelId: 'room' }], [eve, request]] as const) {
      expect(await client.send('invite', again)).toMatchObject({ ok: false, error: { code: 'INVITATION_EXISTS', errorCode: -14024 } })
    }
    await bobLog.end(request.id)
    expect(bobLog.path(request.id)).toEqual(['SENT', 'RECEIVED', 'REFUSED'])
  })

  test('is one, when the connection ends while it is being sent', async () => {
    const wire = await Link.open(scope, cluster.a)
    const ann = await connect(scope, unique('ann'), wire, { presenceTimeout: 5_000, transports: ['websocket'] })
    const bob = await connect(scope, unique('bob'), cluster.b)
    const bobLog = new InvitationLog(bob)
    const sending = ann.invitations.send(bob.userId, { content: 'once' })
    const { id } = await bobLog.first(ann.userId)
    // The reply has come, or is lost with the connection: the call resolves with what there is.
    wire.redirect(cluster.b)
    expect((await sending).id).toBe(id)
    await bob.invitations.accept(id)
    expect(bobLog.events.filter(({ caller, state }) => caller === ann.userId && state === 'SENT')).toHaveLength(1)
  })
})

test('an answer that has not been sent in its time is not sent any more', async () => {
  const wire = await Link.open(scope, cluster.b)
  const ann = await connect(scope, unique('ann'), cluster.a)
  const bob = await connect(scope, unique('bob'), wire, { presenceTimeout: 30_000 })
  const bobLog = new InvitationLog(bob)
  const annLog = new InvitationLog(ann)
  const { id } = await ann.invitations.send(bob.userId)
  await annLog.next(id, 'SENT')
  await annLog.next(id, 'RECEIVED')
  await eventually('bob knows', () => bob.invitations.get(id)?.state === 'RECEIVED')
  wire.cut()
  await eventually('bob has lost it', () => bob.linkState !== 'CONNECTED')
  await expect(bob.invitations.accept(id, 'yes', { withinMs: 100 })).rejects.toMatchObject({ code: 'NOT_CONNECTED' })
  wire.restore(cluster.a)
  await eventually('bob is back', () => bob.linkState === 'CONNECTED')
  expect((await bob.invitations.refuse(id)).state).toBe('REFUSED')
  await annLog.next(id, 'REFUSED')
  await bobLog.end(id)
  for (const withinMs of [0, -1, 10_001, Number.NaN, '5' as never]) await expect(bob.invitations.accept(id, '', { withinMs })).rejects.toMatchObject({ code: 'PRESENCE_INVALID_ARGUMENT' })
  expect(bobLog.path(id)).toEqual(['SENT', 'RECEIVED', 'REFUSED'])
})

test('an answer that comes after its time is not carried out, but for one that has been', async () => {
  const [ann, bob] = [await connectPlain(scope, unique('ann'), cluster.a), await connectPlain(scope, unique('bob'), cluster.b)]
  const id = unique('call')
  await ann.must('invite', { userId: bob.user, id })
  const { timestamp: now } = bob.ready
  for (const name of ['acceptInvitation', 'refuseInvitation']) expect(await bob.send(name, { id, until: now })).toMatchObject({ ok: false, error: { code: 'INVITATION_LATE', errorCode: -14026 } })
  expect((await bob.must('acceptInvitation', { id, until: now + 60_000 })).invitation).toMatchObject({ state: 'ACCEPTED' })
  expect((await bob.must('acceptInvitation', { id, until: now })).invitation).toMatchObject({ state: 'ACCEPTED' })
  expect(await bob.send('refuseInvitation', { id, until: now })).toMatchObject({ ok: false, error: { code: 'INVITATION_ENDED' } })
})

test('between two of whom one has blocked the other nothing passes', async () => {
  const [ann, bob] = [await connect(scope, unique('ann'), cluster.a), await connect(scope, unique('bob'), cluster.b)]
  await bob.roster.block(ann.userId)
  await expect(ann.invitations.send(bob.userId)).rejects.toMatchObject({ code: 'USER_BLOCKED', operation: 'invite' })
  await expect(bob.invitations.send(ann.userId)).rejects.toMatchObject({ code: 'USER_BLOCKED' })
  await bob.roster.remove(ann.userId)
  expect((await ann.invitations.send(bob.userId)).state).toBe('SENT')
})

test('a caller who is gone when the callee comes: it rings, and fails at once', async () => {
  const name = unique('bob')
  const ann = await connectPlain(scope, unique('ann'), cluster.a, { reconnection: false, auth: { presenceTimeout: 1_000 } })
  await ann.must('invite', { userId: name, id: unique('call') })
  ann.socket.io.engine.close()
  const watcher = await connect(scope, unique('watcher'), cluster.a)
  await eventually('the caller is OFFLINE', async () => (await watcher.peers.query([ann.user]))[ann.user] === 'OFFLINE')
  const bob = createClient(scope, name, cluster.b)
  const bobLog = new InvitationLog(bob)
  await bob.login()
  const { id } = await bobLog.first(ann.user)
  expect(await bobLog.end(id)).toMatchObject({ state: 'FAILED', reason: 'PEER_OFFLINE' })
})

test('a caller who is gone ends it once, though both nodes follow', async () => {
  const name = unique('bob')
  const logs = (await Promise.all([connect(scope, name, cluster.a), connect(scope, name, cluster.b)])).map((client) => new InvitationLog(client))
  const callers = await Promise.all(Array.from({ length: 10 }, () => connectPlain(scope, unique('ann'), cluster.a, { reconnection: false, auth: { presenceTimeout: 1_000 } })))
  const ids = await Promise.all(callers.map(async (ann) => ((await ann.must('invite', { userId: name, id: unique('call') })).invitation as Invitation).id))
  for (const log of logs) for (const id of ids) await log.next(id, 'SENT')
  for (const ann of callers) ann.socket.io.engine.close()
  for (const log of logs) for (const id of ids) expect(await log.end(id)).toMatchObject({ state: 'FAILED', reason: 'PEER_OFFLINE', revision: 3 })
  for (const id of ids) expect(logs[0]?.path(id)).toEqual(logs[1]?.path(id))
})

test('callers are followed only while something of theirs is open', async () => {
  const [ann, bob] = [await connect(scope, unique('ann'), cluster.a), await connect(scope, unique('bob'), cluster.b)]
  const bobLog = new InvitationLog(bob)
  const followed = async (port: number) => Number(/^rollcall_peers (\d+)$/m.exec((await http(port, '/metrics')).text)?.[1])
  const ids = [(await ann.invitations.send(bob.userId)).id, (await ann.invitations.send(bob.userId)).id] as const
  await bobLog.next(ids[0], 'SENT')
  await eventually('the node of the callee follows the caller', async () => (await followed(cluster.b.port)) === 1)
  expect(await followed(cluster.a.port)).toBe(0)
  await bob.invitations.accept(ids[0])
  await bobLog.end(ids[0])
  expect(await followed(cluster.b.port)).toBe(1)
  await bob.logout()
  await eventually('and nobody when the callee is gone', async () => (await followed(cluster.b.port)) === 0)
})

test('post that was missed is made up for: who was rung, and what became of it', async () => {
  const [ann, bob] = [await connect(scope, unique('ann'), cluster.a), await connect(scope, unique('bob'), cluster.b)]
  const [annLog, bobLog] = [new InvitationLog(ann), new InvitationLog(bob)]
  for (let round = 0; round < 5; round++) {
    const { id } = await ann.invitations.send(bob.userId)
    await annLog.next(id, 'SENT')
    await annLog.next(id, 'RECEIVED')
    // What happens while the nodes' subscribers are being made anew is not heard.
    const cut = cluster.redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
    const [{ id: other }] = await Promise.all([ann.invitations.send(bob.userId), bob.invitations.accept(id), cut])
    for (const log of [annLog, bobLog]) expect((await log.end(id)).state).toBe('ACCEPTED')
    await eventually('it is received', () => annLog.path(other).includes('RECEIVED'))
    await bob.invitations.refuse(other)
    await annLog.end(other)
    expect(annLog.path(other)).toEqual(['SENT', 'RECEIVED', 'REFUSED'])
  }
})

test('an invitation that Redis has lost ends on both sides, with nobody to say so', async () => {
  const [ann, bob] = [await connect(scope, unique('ann'), cluster.a), await connect(scope, unique('bob'), cluster.b)]
  const [annLog, bobLog] = [new InvitationLog(ann), new InvitationLog(bob)]
  const { id } = await ann.invitations.send(bob.userId)
  await annLog.next(id, 'SENT')
  await annLog.next(id, 'RECEIVED')
  await cluster.redis.command('FLUSHALL')
  for (const log of [annLog, bobLog]) expect(await log.end(id, 15_000)).toMatchObject({ state: 'FAILED', reason: 'EXPIRED' })
  await expect(bob.invitations.accept(id)).rejects.toMatchObject({ code: 'INVITATION_UNKNOWN' })
  await eventually('the next one is served', async () => (await ann.invitations.send(bob.userId)).state === 'SENT')
})

test('V1: an invitation of an app whose nodes are all gone ends by those of another app on the same Redis', async () => {
  const node = await startNode(scope, { redisUrl: cluster.redis.url, appId: 'another', limits: { invitationReceiptMs: 1_000 } })
  const ann = await connectPlain(scope, unique('ann'), node, { reconnection: false, auth: { appId: 'another' } })
  const { userId, id } = { userId: unique('nobody'), id: unique('call') }
  await ann.must('invite', { userId, id })
  await node.close()
  const [key = ''] = await cluster.redis.keys(`rollcall:{*}:invitations:another:${userId}`)
  await eventually('it has failed', async () => (await cluster.redis.hash(key))[id]?.includes('"FAILED"'))
})

describe('a client that reads nothing', () => {
  const MUCH = 'x'.repeat(800_000)

  /** A callee with two sessions on a node of its own, one of which reads nothing; and a way to have it owed something. */
  async function frozen(invitations: number) {
    // It is not to be noticed by its ping.
    const node = await startNode(scope, { redisUrl: cluster.redis.url, pingIntervalMs: 60_000, limits: { invitations, invitationBytes: MUCH.length, backlogBytes: 20_000, callsPerSecond: 1_000 } })
    const wire = await Link.open(scope, node)
    const name = unique('bob')
    const slow = await connectPlain(scope, name, wire, { transports: ['websocket'], reconnection: false })
    const quick = await connect(scope, name, node)
    const ann = await connect(scope, unique('ann'), node)
    const [slowLog, quickLog] = [new InvitationLog(slow, false), new InvitationLog(quick)]
    wire.freeze()
    const count = async (metric: string) => Number((await http(node.port, '/metrics')).text.split('\n').find((line) => line.startsWith(`${metric} `))?.split(' ')[1] ?? 0)
    const ring = async (): Promise<string> => {
      const { id } = await ann.invitations.send(name, { content: MUCH })
      await quickLog.next(id, 'SENT')
      await quick.invitations.refuse(id)
      await quickLog.end(id)
      return id
    }
    return { wire, slow, slowLog, ring, count }
  }

  test('costs nobody else anything, and when it reads it is told of each what has become of it', async () => {
    const { wire, slowLog, ring, count } = await frozen(20)
    const ids: string[] = []
    while (ids.length < 60 && (await count('rollcall_skipped_total')) === 0) ids.push(await ring())
    const owed = [await ring(), await ring()]
    wire.thaw()
    for (const id of [...ids, ...owed]) expect((await slowLog.end(id)).state).toBe('REFUSED')
    for (const id of owed) expect(slowLog.path(id)).toEqual(['REFUSED'])
  })

  test('and is owed more than the node keeps is sent away', async () => {
    const { wire, slow, ring, count } = await frozen(10)
    const gone = new Promise((resolve) => slow.socket.once('disconnect', resolve))
    for (let rounds = 0; rounds < 38 && (await count('rollcall_dropped_total{reason="unread"}')) === 0; rounds++) await ring()
    expect(await count('rollcall_dropped_total{reason="unread"}')).toBe(1)
    wire.thaw()
    await within(gone, 15_000, 'its connection is closed')
  })
})

test('a caller who is away and is replaced by another login of the same user has cancelled', async () => {
  const replacing = { redisUrl: cluster.redis.url, login: 'replace' as const }
  const [here, there] = [await startNode(scope, replacing), await startNode(scope, replacing)]
  const wire = await Link.open(scope, here)
  const ann = await connect(scope, unique('ann'), wire, { presenceTimeout: 60_000 })
  const bob = await connect(scope, unique('bob'), there)
  const [annLog, bobLog] = [new InvitationLog(ann), new InvitationLog(bob)]
  const { id } = await ann.invitations.send(bob.userId)
  await bobLog.next(id, 'SENT')
  await annLog.next(id, 'SENT')
  wire.cut()
  await eventually('nobody has a connection of hers', async () => (await bob.peers.query([ann.userId]))[ann.userId] === 'UNREACHABLE')
  await connect(scope, ann.userId, here)
  expect(await bobLog.end(id)).toMatchObject({ state: 'CANCELED' })
  wire.restore()
  expect(await annLog.end(id)).toMatchObject({ state: 'CANCELED' })
})
