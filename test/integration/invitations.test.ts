import { describe, expect, test } from '@jest/globals'

import { connect, createClient, LinkLog, uniqueChannel as unique } from '../support/client.js'
import { InvitationLog } from '../support/invitation-log.js'
import { Link } from '../support/link.js'
import { useCluster } from '../support/node.js'
import { connectPlain } from '../support/plain.js'
import { useTestScope } from '../support/scope.js'
import { timersIn } from '../support/timers.js'
import { eventually, MACHINE_MS } from '../support/wait.js'

const RECEIPT_MS = 1_200
const ANSWER_MS = 2_500
const cluster = useCluster({ limits: { invitationReceiptMs: RECEIPT_MS, invitationAnswerMs: ANSWER_MS } })
const scope = useTestScope()

/** A caller on one node and a callee on the other, with what they hear. */
async function pair() {
  const [ann, bob] = await Promise.all([connect(scope, unique('ann'), cluster.a), connect(scope, unique('bob'), cluster.b)])
  return { ann, bob, annLog: new InvitationLog(ann), bobLog: new InvitationLog(bob) }
}

/** The same, when it has been received. */
async function ringing(content = '') {
  const all = await pair()
  const { id } = await all.ann.invitations.send(all.bob.userId, { content })
  for (const log of [all.annLog, all.bobLog]) for (const state of ['SENT', 'RECEIVED'] as const) await log.next(id, state)
  return { ...all, id }
}

describe('002.16 an invitation', () => {
  test('is received and accepted; each side hears each state once, in order', async () => {
    const { ann, bob, annLog, bobLog } = await pair()
    const said = { content: '{"a":"麦位 \\u0000 \\"😀\\""}\0', channelId: 'room' }
    const sent = await ann.invitations.send(bob.userId, said)
    const names = { id: sent.id, caller: ann.userId, callee: bob.userId, ...said }
    expect(sent).toMatchObject(names)
    const rung = await bobLog.next(sent.id, 'SENT')
    expect(rung).toEqual({ ...names, response: '', state: 'SENT', reason: null, revision: 1, timestamp: expect.any(Number) })
    expect(Math.abs(rung.timestamp - Date.now())).toBeLessThan(5_000)
    await annLog.next(sent.id, 'SENT')
    expect(await annLog.next(sent.id, 'RECEIVED')).toMatchObject({ ...names, revision: 2 })
    const accepted = await bob.invitations.accept(sent.id, 'ja 😀\0')
    expect(accepted).toMatchObject({ ...names, state: 'ACCEPTED', response: 'ja 😀\0', revision: 3, answeredBy: bob.sessionId })
    expect(await annLog.next(sent.id, 'ACCEPTED')).toEqual(accepted)
    await bobLog.end(sent.id)
    for (const log of [annLog, bobLog]) expect(log.of(sent.id).map(({ revision }) => revision)).toEqual([1, 2, 3])
    expect([ann.invitations.get(sent.id), bob.invitations.get(sent.id)]).toEqual([accepted, accepted])
  })

  test('is refused', async () => {
    const { bob, annLog, bobLog, id } = await ringing()
    await bob.invitations.refuse(id, 'not now')
    for (const log of [annLog, bobLog]) expect(await log.next(id, 'REFUSED')).toMatchObject({ response: 'not now', answeredBy: bob.sessionId })
  })

  test('is cancelled, whether it has been received or not', async () => {
    const { ann, annLog, bobLog, id } = await ringing('never mind')
    expect(await ann.invitations.cancel(id)).toMatchObject({ state: 'CANCELED', response: '', reason: null })
    for (const log of [annLog, bobLog]) expect(await log.next(id, 'CANCELED')).toMatchObject({ content: 'never mind', revision: 3 })
    const { id: other } = await ann.invitations.send(unique('nobody'))
    await ann.invitations.cancel(other)
    await annLog.end(other)
    expect(annLog.path(other)).toEqual(['SENT', 'CANCELED'])
  })

  test('may be cancelled in the very tick in which it is sent, under an id of one\'s own', async () => {
    const { ann, bob, annLog, bobLog } = await pair()
    const id = unique('an-id-of-my-own')
    const [sent, cancelled] = await Promise.all([ann.invitations.send(bob.userId, { id }), ann.invitations.cancel(id)])
    expect([sent.id, cancelled.state]).toEqual([id, 'CANCELED'])
    for (const log of [annLog, bobLog]) expect((await log.end(id)).state).toBe('CANCELED')
  })

  test('has ended for whoever answers or cancels it then, and for the same session nothing is wrong with saying it again', async () => {
    const { ann, bob, id } = await ringing()
    const accepted = await bob.invitations.accept(id, 'yes')
    expect(await bob.invitations.accept(id, 'again')).toEqual(accepted)
    await expect(bob.invitations.refuse(id)).rejects.toMatchObject({ code: 'INVITATION_ENDED', errorCode: -14022, operation: 'refuseInvitation' })
    await expect(ann.invitations.cancel(id)).rejects.toMatchObject({ code: 'INVITATION_ENDED', operation: 'cancelInvitation' })
    const { id: other } = await ann.invitations.send(bob.userId)
    const cancelled = await ann.invitations.cancel(other)
    expect(await ann.invitations.cancel(other)).toEqual(cancelled)
    await expect(bob.invitations.accept(other)).rejects.toMatchObject({ code: 'INVITATION_ENDED' })
  })

  test('is nobody else\'s', async () => {
    const { ann, bob, id } = await ringing()
    const eve = await connectPlain(scope, unique('eve'), cluster.a)
    for (const name of ['acceptInvitation', 'refuseInvitation']) expect(await eve.send(name, { id })).toMatchObject({ ok: false, error: { code: 'INVITATION_UNKNOWN' } })
    for (const userId of [bob.userId, eve.user]) expect(await eve.send('cancelInvitation', { userId, id })).toMatchObject({ ok: false, error: { code: 'INVITATION_UNKNOWN' } })
    expect(await eve.must('getInvitations', { sent: [{ userId: bob.userId, id }] })).toMatchObject({ invitations: [null] })
    // The callee may not take it back, nor the caller answer.
    await expect(bob.invitations.cancel(id)).rejects.toMatchObject({ code: 'INVITATION_UNKNOWN' })
    await expect(ann.invitations.accept(id)).rejects.toMatchObject({ code: 'INVITATION_UNKNOWN' })
    expect(await ann.invitations.cancel(id)).toMatchObject({ state: 'CANCELED' })
  })
})

describe('002.16 time', () => {
  test('who comes within the time for the receipt is rung, and may accept', async () => {
    const ann = await connect(scope, unique('ann'), cluster.a)
    const annLog = new InvitationLog(ann)
    const name = unique('bob')
    const { id } = await ann.invitations.send(name, { content: 'hello' })
    const bob = createClient(scope, name, cluster.b)
    const bobLog = new InvitationLog(bob)
    await bob.login()
    expect(await bobLog.next(id, 'SENT')).toMatchObject({ content: 'hello' })
    await bob.invitations.accept(id)
    for (const log of [annLog, bobLog]) expect((await log.end(id)).state).toBe('ACCEPTED')
    expect(annLog.path(id)).toEqual(['SENT', 'RECEIVED', 'ACCEPTED'])
  })

  test('who is not there for all of it: PEER_OFFLINE, and nothing rings who comes later', async () => {
    const ann = await connect(scope, unique('ann'), cluster.a)
    const annLog = new InvitationLog(ann)
    const name = unique('bob')
    const { id } = await ann.invitations.send(name)
    const sent = await annLog.next(id, 'SENT')
    const end = await annLog.end(id)
    expect(end).toMatchObject({ state: 'FAILED', reason: 'PEER_OFFLINE', revision: 2 })
    expect(end.timestamp - sent.timestamp).toBeGreaterThanOrEqual(RECEIPT_MS - 50)
    expect(end.timestamp - sent.timestamp).toBeLessThan(RECEIPT_MS + MACHINE_MS)
    const bob = createClient(scope, name, cluster.b)
    const bobLog = new InvitationLog(bob)
    await bob.login()
    const { id: next } = await ann.invitations.send(name)
    await bobLog.next(next, 'SENT')
    expect(bobLog.of(id)).toEqual([])
    await expect(bob.invitations.accept(id)).rejects.toMatchObject({ code: 'INVITATION_ENDED' })
  })

  test('whose client does not say that it has it: PEER_NO_RESPONSE on both sides', async () => {
    const ann = await connect(scope, unique('ann'), cluster.a)
    const annLog = new InvitationLog(ann)
    const bob = await connectPlain(scope, unique('bob'), cluster.b)
    const bobLog = new InvitationLog(bob, false)
    // Nobody in that app listens.
    const carl = await connect(scope, unique('carl'), cluster.b)
    const ids = [(await ann.invitations.send(bob.user)).id, (await ann.invitations.send(carl.userId)).id]
    for (const id of ids) {
      expect(await annLog.end(id)).toMatchObject({ state: 'FAILED', reason: 'PEER_NO_RESPONSE' })
      expect(annLog.path(id)).toEqual(['SENT', 'FAILED PEER_NO_RESPONSE'])
    }
    expect((await bobLog.end(ids[0] ?? '')).reason).toBe('PEER_NO_RESPONSE')
    await eventually('the SDK knows, told or not', () => carl.invitations.get(ids[1] ?? '')?.reason === 'PEER_NO_RESPONSE')
  })

  test('that nobody answers: EXPIRED on both sides, with the time for an answer from the receipt on', async () => {
    const { annLog, bobLog, id } = await ringing()
    for (const log of [annLog, bobLog]) expect(await log.end(id)).toMatchObject({ state: 'FAILED', reason: 'EXPIRED', revision: 3 })
    const [, received, end] = annLog.of(id)
    const ms = (end?.timestamp ?? 0) - (received?.timestamp ?? 0)
    expect(ms).toBeGreaterThanOrEqual(ANSWER_MS - 50)
    expect(ms).toBeLessThan(ANSWER_MS + MACHINE_MS)
  })
})

describe('002.16 the caller is gone', () => {
  test('by logging out: it is cancelled for the callee, and here; others of the session that stays are not', async () => {
    const { ann, bob, annLog, bobLog, id } = await ringing()
    const tab = await connect(scope, ann.userId, cluster.b)
    const { id: other } = await tab.invitations.send(bob.userId)
    await ann.logout()
    for (const log of [annLog, bobLog]) expect((await log.end(id)).state).toBe('CANCELED')
    expect(await bob.invitations.accept(other)).toMatchObject({ state: 'ACCEPTED' })
    expect(ann.invitations.get(id)).toBeUndefined()
  })

  test('for good, after its connection was lost: PEER_OFFLINE when its time is over', async () => {
    const bob = await connect(scope, unique('bob'), cluster.b)
    const bobLog = new InvitationLog(bob)
    const ann = await connectPlain(scope, unique('ann'), cluster.a, { reconnection: false, auth: { presenceTimeout: 1_000 } })
    await ann.must('invite', { userId: bob.userId, id: unique('call') })
    const { id, timestamp } = await bobLog.first(ann.user)
    ann.socket.io.engine.close()
    const end = await bobLog.end(id)
    expect(end).toMatchObject({ state: 'FAILED', reason: 'PEER_OFFLINE' })
    expect(end.timestamp - timestamp).toBeGreaterThanOrEqual(950)
    expect(end.timestamp - timestamp).toBeLessThan(ANSWER_MS)
  })

  test('by logging out before the callee has come: it does not ring', async () => {
    const name = unique('bob')
    const [ann, stays] = [await connect(scope, unique('ann'), cluster.a), await connect(scope, unique('stays'), cluster.a)]
    const { id } = await ann.invitations.send(name)
    const { id: other } = await stays.invitations.send(name)
    await ann.logout()
    await eventually('it is cancelled', async () => (await stays.peers.query([ann.userId]))[ann.userId] === 'OFFLINE')
    const bob = createClient(scope, name, cluster.b)
    const bobLog = new InvitationLog(bob)
    await bob.login()
    await bobLog.next(other, 'SENT')
    expect(bobLog.of(id)).toEqual([])
  })
})

describe('002.16 a client that was away', () => {
  test('hears once what has become of what it has sent; logged out on another node it has cancelled what is open', async () => {
    // It moves to the node that the callee is not on, and that has heard nothing of it.
    const wire = await Link.open(scope, cluster.b)
    const ann = await connect(scope, unique('ann'), wire, { presenceTimeout: 5_000 })
    const [annLog, link] = [new InvitationLog(ann), new LinkLog('ann', ann)]
    const bob = await connect(scope, unique('bob'), cluster.b)
    const bobLog = new InvitationLog(bob)
    const [{ id }, { id: open }] = await Promise.all([ann.invitations.send(bob.userId), ann.invitations.send(bob.userId)])
    await annLog.next(open, 'SENT')
    await annLog.next(open, 'RECEIVED')
    await annLog.next(id, 'SENT')
    await annLog.next(id, 'RECEIVED')
    wire.cut()
    await link.until('CONNECTING')
    await bob.invitations.accept(id, 'yes')
    wire.restore(cluster.a)
    expect(await annLog.next(id, 'ACCEPTED')).toMatchObject({ response: 'yes' })
    expect(annLog.of(id)).toHaveLength(3)
    await ann.logout()
    expect((await bobLog.end(open)).state).toBe('CANCELED')
  })

  test('as the callee: may answer what it had received, and hears of what was cancelled, on another node', async () => {
    const wire = await Link.open(scope, cluster.b)
    const ann = await connect(scope, unique('ann'), cluster.a)
    const annLog = new InvitationLog(ann)
    const bob = await connect(scope, unique('bob'), wire, { presenceTimeout: 5_000 })
    const [bobLog, link] = [new InvitationLog(bob), new LinkLog('bob', bob)]
    const ids = [(await ann.invitations.send(bob.userId)).id, (await ann.invitations.send(bob.userId)).id] as const
    for (const id of ids) await annLog.next(id, 'SENT')
    for (const id of ids) await annLog.next(id, 'RECEIVED')
    wire.cut()
    await link.until('CONNECTING')
    await ann.invitations.cancel(ids[0])
    const { id: missed } = await ann.invitations.send(bob.userId)
    wire.restore(cluster.a)
    await bobLog.next(missed, 'SENT')
    expect((await bobLog.end(ids[0])).state).toBe('CANCELED')
    await bob.invitations.accept(ids[1])
    expect((await annLog.end(ids[1])).state).toBe('ACCEPTED')
    await annLog.next(missed, 'SENT')
    await annLog.next(missed, 'RECEIVED')
    for (const id of [...ids, missed]) expect(new Set(bobLog.of(id).map(({ revision }) => revision)).size).toBe(bobLog.of(id).length)
  })

  test('a second tab that comes while it rings is rung too, and may answer', async () => {
    const { bob, annLog, bobLog, id } = await ringing()
    const tab = createClient(scope, bob.userId, cluster.a)
    const tabLog = new InvitationLog(tab)
    await tab.login()
    await tabLog.next(id, 'RECEIVED')
    await tab.invitations.accept(id)
    for (const log of [annLog, bobLog, tabLog]) expect(await log.end(id)).toMatchObject({ state: 'ACCEPTED', answeredBy: tab.sessionId })
  })

  test('whose session is over locally has nothing open: what it was sent has failed for it, and rings again at the next login', async () => {
    const { ann, bob, annLog, bobLog, id } = await ringing()
    await bob.logout()
    expect(await bobLog.end(id)).toMatchObject({ state: 'FAILED', reason: 'EXPIRED' })
    await bob.login()
    await eventually('it rings again', () => bobLog.of(id).length === 4)
    expect(bobLog.path(id)).toEqual(['SENT', 'RECEIVED', 'FAILED EXPIRED', 'RECEIVED'])
    await bob.invitations.refuse(id)
    expect((await annLog.end(id)).state).toBe('REFUSED')
    await ann.logout()
  })
})

test('nothing is left of them in Redis once their time is over', async () => {
  const { bob, annLog, id } = await ringing()
  await bob.invitations.accept(id)
  await annLog.end(id)
  await eventually('they are forgotten', async () => {
    // What has ended is remembered for two minutes. They are over here when the timers say so.
    for (const { key, timer } of await timersIn(cluster.redis)) await cluster.redis.command('ZADD', key, 'XX', '1', timer)
    return (await cluster.redis.keys('rollcall:{*}:invitations*')).length === 0 && (await timersIn(cluster.redis)).length === 0
  }, { everyMs: 100 })
})
