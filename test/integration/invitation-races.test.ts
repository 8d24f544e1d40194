import { describe, expect, test } from '@jest/globals'

import type { RollcallClient } from '../../src/client/index.js'
import type { Invitation } from '../../src/protocol/invitations.js'
import { connect, createClient, uniqueChannel as unique } from '../support/client.js'
import { http } from '../support/http.js'
import { InvitationLog } from '../support/invitation-log.js'
import { useCluster } from '../support/node.js'
import { connectPlain } from '../support/plain.js'
import { useTestScope } from '../support/scope.js'
import { elapse, eventually } from '../support/wait.js'

const RECEIPT_MS = 1_500
const ANSWER_MS = 1_500
const ROUNDS = 15
const cluster = useCluster({ limits: { invitationReceiptMs: RECEIPT_MS, invitationAnswerMs: ANSWER_MS, callsPerSecond: 1_000, invitations: 1_000 } })
const scope = useTestScope()

interface Seat {
  readonly client: RollcallClient
  readonly log: InvitationLog
}

async function seat(user: string, where: 'a' | 'b'): Promise<Seat> {
  const client = await connect(scope, user, cluster[where])
  return { client, log: new InvitationLog(client) }
}

/** A caller with two tabs and a callee with two, one of each on each node. */
async function seats() {
  const [ann, bob] = [unique('ann'), unique('bob')]
  const [ann1, ann2, bob1, bob2] = await Promise.all([seat(ann, 'a'), seat(ann, 'b'), seat(bob, 'b'), seat(bob, 'a')])
  return { ann1, ann2, bob1, bob2, all: [ann1, ann2, bob1, bob2], callee: bob }
}

async function ring({ ann1, bob1, callee }: Awaited<ReturnType<typeof seats>>): Promise<string> {
  const { id } = await ann1.client.invitations.send(callee)
  for (const { log } of [ann1, bob1]) for (const state of ['SENT', 'RECEIVED'] as const) await log.next(id, state)
  return id
}

/** What each of several calls came to: the state, or the error's code. */
async function outcomes(...calls: readonly Promise<Invitation>[]): Promise<readonly string[]> {
  const settled = await Promise.allSettled(calls)
  return settled.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value.state : ((outcome.reason as { code?: string }).code ?? String(outcome.reason))))
}

/** Everybody has heard of one end, the same one, once, and of nothing after it. */
async function oneEnd(id: string, all: readonly Seat[]): Promise<Invitation> {
  const ends = await Promise.all(all.map(({ log }) => log.end(id)))
  const [first] = ends
  if (first === undefined) throw new Error('nobody is there')
  for (const end of ends) expect(end).toEqual(first)
  for (const { client, log } of all) {
    expect(log.of(id).at(-1)).toEqual(first)
    expect(client.invitations.get(id)).toEqual(first)
    const revisions = log.of(id).map(({ revision }) => revision)
    expect(revisions).toEqual([...new Set(revisions)].sort())
  }
  return first
}

/** How often this node has brought an invitation to a state. */
async function counted(port: number, state: string): Promise<number> {
  const line = (await http(port, '/metrics')).text.split('\n').find((row) => row.startsWith('rollcall_invitations_total') && row.includes(`state="${state}"`))
  return Number(line?.split(' ')[1] ?? 0)
}

describe('of those that answer at once one is heard', () => {
  test('two sessions accept: one wins, the other\'s call fails, and it hears who has won', async () => {
    const room = await seats()
    const { bob1, bob2, all } = room
    for (let round = 0; round < ROUNDS; round++) {
      const id = await ring(room)
      const results = await outcomes(bob1.client.invitations.accept(id, 'one'), bob2.client.invitations.accept(id, 'two'))
      expect([...results].sort()).toEqual(['ACCEPTED', 'INVITATION_ENDED'])
      const winner = results[0] === 'ACCEPTED' ? bob1 : bob2
      expect(await oneEnd(id, all)).toMatchObject({ state: 'ACCEPTED', answeredBy: winner.client.sessionId, response: winner === bob1 ? 'one' : 'two', revision: 3 })
    }
  })

  test('one accepts and the other refuses', async () => {
    const room = await seats()
    for (let round = 0; round < ROUNDS; round++) {
      const id = await ring(room)
      const results = await outcomes(room.bob1.client.invitations.accept(id), room.bob2.client.invitations.refuse(id))
      expect(results.filter((result) => result === 'INVITATION_ENDED')).toHaveLength(1)
      expect(results).toContain((await oneEnd(id, room.all)).state)
    }
  })

  test('the callee accepts and the caller cancels', async () => {
    const room = await seats()
    const ends: string[] = []
    for (let round = 0; round < 2 * ROUNDS; round++) {
      const id = await ring(room)
      const canceller = round % 2 === 0 ? room.ann1 : room.ann2
      // Each is first in half of the rounds, by nothing or by more and more.
      const calls = [() => room.bob1.client.invitations.accept(id), () => canceller.client.invitations.cancel(id)] as const
      const [first, second] = round % 4 < 2 ? calls : [calls[1], calls[0]]
      const results = await outcomes(first(), elapse(round).then(second))
      expect(results.filter((result) => result === 'INVITATION_ENDED')).toHaveLength(1)
      const { state } = await oneEnd(id, room.all)
      expect(results).toContain(state)
      ends.push(state)
    }
    expect(new Set(ends)).toEqual(new Set(['ACCEPTED', 'CANCELED']))
  })

  test('the callee accepts and the calling session logs out', async () => {
    const ends: string[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const bob = await seat(unique('bob'), 'b')
      const ann = await seat(unique('ann'), 'a')
      const { id } = await ann.client.invitations.send(bob.client.userId)
      await bob.log.next(id, 'SENT')
      await ann.log.next(id, 'SENT')
      await ann.log.next(id, 'RECEIVED')
      const accepting = outcomes(bob.client.invitations.accept(id))
      await Promise.all([accepting, elapse(round % 5), ann.client.logout()])
      const { state } = await bob.log.end(id)
      expect(['ACCEPTED', 'CANCELED', 'FAILED']).toContain(state)
      expect((await accepting)[0]).toBe(state === 'ACCEPTED' ? 'ACCEPTED' : 'INVITATION_ENDED')
      ends.push(state)
    }
    expect(ends.length).toBe(ROUNDS)
  })
})

test('who logs out in the very moment in which it invites leaves nothing that rings', async () => {
  const user = unique('ann')
  const stays = await connectPlain(scope, user, cluster.b)
  for (let round = 0; round < ROUNDS; round++) {
    const ann = await connectPlain(scope, user, cluster.a, { transports: ['websocket'], reconnection: false })
    const name = { userId: unique('bob'), id: unique('call') }
    ann.socket.emit('invite', name, () => undefined)
    if (round % 3 > 0) await elapse(round % 3)
    ann.socket.disconnect()
    // It was not carried out any more, or is cancelled; in between lies a moment.
    const [found] = await eventually('it is decided', async () => {
      const { invitations } = (await stays.must('getInvitations', { sent: [name] })) as { invitations?: [Invitation | null] }
      return invitations?.[0]?.state === 'SENT' ? undefined : invitations
    })
    expect([undefined, 'CANCELED']).toContain(found?.state)
  }
})

describe('an answer that comes as the time ends', () => {
  test('is accepted or too late, and both sides see the same', async () => {
    const room = await seats()
    const rounds = Array.from({ length: 2 * ROUNDS }, async (_, round) => {
      const id = unique('call')
      await room.ann1.client.invitations.send(room.callee, { id })
      await room.bob1.log.next(id, 'SENT')
      await room.bob1.log.next(id, 'RECEIVED')
      // The first at once, the others from somewhat before the end to somewhat after it.
      if (round > 0) await elapse(ANSWER_MS - 120 + 10 * round)
      const [result] = await outcomes(room.bob1.client.invitations.accept(id))
      const end = await oneEnd(id, room.all)
      expect([result, end.state, end.reason]).toEqual(end.state === 'ACCEPTED' ? ['ACCEPTED', 'ACCEPTED', null] : ['INVITATION_ENDED', 'FAILED', 'EXPIRED'])
      return end.state
    })
    expect(new Set(await Promise.all(rounds))).toEqual(new Set(['ACCEPTED', 'FAILED']))
  })

  test('who comes as the time for the receipt ends is rung, or it has failed; both sides see the same', async () => {
    const ann = await seat(unique('ann'), 'a')
    const states = await Promise.all(
      Array.from({ length: ROUNDS }, async (_, round) => {
        const bob = createClient(scope, unique('bob'), cluster.b)
        const bobLog = new InvitationLog(bob)
        const { id } = await ann.client.invitations.send(bob.userId)
        if (round > 0) await elapse(RECEIPT_MS - 150 + 20 * round)
        await bob.login()
        const end = await ann.log.end(id)
        expect(end.state).toBe('FAILED')
        const received = ann.log.path(id).includes('RECEIVED')
        expect(['PEER_OFFLINE', 'PEER_NO_RESPONSE', 'EXPIRED']).toContain(end.reason)
        expect(end.reason === 'EXPIRED').toBe(received)
        if (bobLog.of(id).length > 0) expect(await bobLog.end(id)).toEqual(end)
        else expect(received).toBe(false)
        return end.reason
      }),
    )
    expect(states).toContain('EXPIRED')
    expect(states.some((reason) => reason !== 'EXPIRED')).toBe(true)
  })
})

test('what any node may do one does: of many whose time is over at once each ends once', async () => {
  const room = await seats()
  const before = (await counted(cluster.a.port, 'FAILED')) + (await counted(cluster.b.port, 'FAILED'))
  const ids = Array.from({ length: 40 }, () => unique('call'))
  await Promise.all(ids.map((id) => room.ann1.client.invitations.send(room.callee, { id })))
  for (const id of ids) expect(await oneEnd(id, room.all)).toMatchObject({ state: 'FAILED', reason: 'EXPIRED', revision: 3 })
  expect((await counted(cluster.a.port, 'FAILED')) + (await counted(cluster.b.port, 'FAILED'))).toBe(before + ids.length)
})
