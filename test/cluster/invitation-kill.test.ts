import { describe, expect, test } from '@jest/globals'

import type { RollcallClient } from '../../src/client/index.js'
import { isOpen, type Invitation } from '../../src/protocol/invitations.js'
import { connect, uniqueChannel as unique } from '../support/client.js'
import { InvitationLog } from '../support/invitation-log.js'
import { spawnPair, type Pair } from '../support/pair.js'
import { connectPlain, type PlainClient } from '../support/plain.js'
import { useTestScope } from '../support/scope.js'
import { spawnNode } from '../support/spawned.js'
import { timersIn } from '../support/timers.js'
import { elapse, eventually } from '../support/wait.js'

const scope = useTestScope()

const RECEIPT_MS = 4_000
const ANSWER_MS = 5_000
/** A client keeps its place for longer than it takes to find another node, or the same one started again. */
const GRACE_MS = 12_000
const ACCEPTING = 6
const ENV = { ROLLCALL_LIMITS: JSON.stringify({ invitationReceiptMs: RECEIPT_MS, invitationAnswerMs: ANSWER_MS }) }

/** A caller who is on the first node and a callee who is on the second, and an invitation between them. */
interface Couple {
  readonly ann: RollcallClient
  readonly bob: RollcallClient
  readonly id: string
}

const endOf = ({ id }: Couple, client: RollcallClient): Invitation | undefined => {
  const known = client.invitations.get(id)
  return known === undefined || isOpen(known) ? undefined : known
}

const shortly = (invitation: Invitation | undefined): string => [invitation?.state, invitation?.reason].filter((part) => part != null).join(' ')

async function couple({ a, b }: Pair, listens: boolean): Promise<Couple> {
  const [ann, bob] = await Promise.all([
    connect(scope, unique('ann'), [a, b], { presenceTimeout: GRACE_MS }),
    connect(scope, unique('bob'), [b, a], { presenceTimeout: GRACE_MS }),
  ])
  const log = new InvitationLog(ann)
  if (listens) new InvitationLog(bob)
  const { id } = await ann.invitations.send(bob.userId, { content: 'hello' })
  await log.next(id, 'SENT')
  if (listens) await log.next(id, 'RECEIVED')
  else await eventually('it has come', () => bob.invitations.get(id) !== undefined)
  return { ann, bob, id }
}

/** One that rings and that nobody says to have, one that was received, and some that are being accepted while the nodes are killed. */
async function kill(pair: Pair, killed: readonly ('a' | 'b')[]) {
  const [sent, received, ...accepting] = await Promise.all([couple(pair, false), ...Array.from({ length: ACCEPTING + 1 }, () => couple(pair, true))])
  if (received === undefined) throw new Error('nobody was invited')
  const answers = accepting.map(async ({ bob, id }, index) => {
    await elapse(index * 2)
    return bob.invitations.accept(id, 'yes')
  })
  await elapse(ACCEPTING)
  for (const name of killed) pair[name].process.kill('SIGKILL')
  return { sent, received, accepting, answers: await Promise.allSettled(answers) }
}

/** Both ends of it, once each side has one; they are the same. */
async function matchingEnd(it: Couple): Promise<string> {
  await eventually(`${it.id} has ended on both sides`, () => endOf(it, it.ann) !== undefined && endOf(it, it.bob) !== undefined, { withinMs: 20_000 })
  const [ann, bob] = [endOf(it, it.ann), endOf(it, it.bob)]
  expect(shortly(ann)).toBe(shortly(bob))
  return shortly(ann)
}

describe('002.16 a node is killed: those who were on it are told on the other one, and both see the same', () => {
  test.each([['the caller\'s', 'a'], ['the callee\'s', 'b']] as const)('%s', async (_, name) => {
    const pair = await spawnPair(scope, ENV)
    const { sent, received, accepting, answers } = await kill(pair, [name])
    expect(answers.map(({ status }) => status)).toEqual(accepting.map(() => 'fulfilled'))
    for (const it of accepting) {
      expect(await matchingEnd(it)).toBe('ACCEPTED')
      expect(endOf(it, it.ann)).toEqual(endOf(it, it.bob))
    }
    expect(await matchingEnd(sent)).toBe('FAILED PEER_NO_RESPONSE')
    expect(await matchingEnd(received)).toBe('FAILED EXPIRED')
  })

  test('both, and they come back', async () => {
    const pair = await spawnPair(scope, ENV)
    const killing = kill(pair, ['a', 'b'])
    await eventually('they are gone', () => !pair.a.process.running && !pair.b.process.running)
    await Promise.all([spawnNode(scope, pair.env, pair.a.port), spawnNode(scope, pair.env, pair.b.port)])
    const { sent, received, accepting } = await killing
    for (const it of accepting) expect(['ACCEPTED', 'FAILED EXPIRED', 'FAILED PEER_OFFLINE']).toContain(await matchingEnd(it))
    expect(['FAILED PEER_NO_RESPONSE', 'FAILED PEER_OFFLINE', 'FAILED EXPIRED']).toContain(await matchingEnd(sent))
    expect(['FAILED EXPIRED', 'FAILED PEER_OFFLINE']).toContain(await matchingEnd(received))
  })

  test('with nobody left on it who knows of the invitation, what was set there ends it all the same', async () => {
    const pair = await spawnPair(scope, ENV)
    const ann = await connectPlain(scope, unique('ann'), pair.b, { reconnection: false })
    const log = new InvitationLog(ann)
    // The node that is killed has set the timer, and only the caller's, which had nothing to do with it, is left.
    const bob = await connect(scope, unique('bob'), pair.a)
    new InvitationLog(bob)
    const id = unique('call')
    await ann.must('invite', { userId: bob.userId, id })
    await log.next(id, 'SENT')
    await log.next(id, 'RECEIVED')
    pair.a.process.kill('SIGKILL')
    expect(await log.end(id, 20_000)).toMatchObject({ state: 'FAILED', reason: 'EXPIRED' })
  })
})

describe('002.16 a client is gone for good', () => {
  interface Plain {
    readonly ann: PlainClient
    readonly bob: PlainClient
    readonly annLog: InvitationLog
    readonly bobLog: InvitationLog
    readonly id: string
  }

  async function plain({ a, b }: Pair, phase: 'sent' | 'received' | 'accepting'): Promise<Plain> {
    const gone = { reconnection: false, auth: { presenceTimeout: 1_000 } }
    const [ann, bob] = await Promise.all([connectPlain(scope, unique('ann'), a, gone), connectPlain(scope, unique('bob'), b, gone)])
    const [annLog, bobLog] = [new InvitationLog(ann), new InvitationLog(bob, phase !== 'sent')]
    const id = unique('call')
    await ann.must('invite', { userId: bob.user, id })
    await bobLog.next(id, 'SENT')
    if (phase !== 'sent') await bobLog.next(id, 'RECEIVED')
    if (phase === 'accepting') bob.socket.emit('acceptInvitation', { id }, () => undefined)
    return { ann, bob, annLog, bobLog, id }
  }

  const cut = (...clients: readonly PlainClient[]) => {
    for (const { socket } of clients) socket.io.engine.close()
  }

  test('the caller, or the callee: the other one hears of an end', async () => {
    const pair = await spawnPair(scope, ENV)
    const [sent, received, sentToo, receivedToo] = await Promise.all([plain(pair, 'sent'), plain(pair, 'received'), plain(pair, 'sent'), plain(pair, 'received')])
    cut(sent.ann, received.ann, sentToo.bob, receivedToo.bob)
    for (const { bobLog, id } of [sent, received]) expect(shortly(await bobLog.end(id))).toBe('FAILED PEER_OFFLINE')
    expect(shortly(await sentToo.annLog.end(sentToo.id))).toBe('FAILED PEER_OFFLINE')
    expect(shortly(await receivedToo.annLog.end(receivedToo.id))).toBe('FAILED EXPIRED')
  })

  test('both: it ends, and is forgotten', async () => {
    const pair = await spawnPair(scope, ENV)
    const all = await Promise.all([plain(pair, 'sent'), plain(pair, 'received'), plain(pair, 'accepting')])
    cut(...all.flatMap(({ ann, bob }) => [ann, bob]))
    const recordOf = async ({ id }: Plain): Promise<Invitation | undefined> => {
      const keys = await pair.redis.keys('rollcall:{*}:invitations:*')
      const texts = await Promise.all(keys.map((key) => pair.redis.command('HGET', key, id)))
      const found = texts.find((text) => typeof text === 'string')
      return typeof found === 'string' ? (JSON.parse(found.slice(found.indexOf('{'))) as Invitation) : undefined
    }
    const ended = async (it: Plain): Promise<string> => {
      const record = await eventually(`${it.id} has ended`, async () => [await recordOf(it)].find((known) => known !== undefined && !isOpen(known)), { withinMs: 20_000 })
      return shortly(record)
    }
    const [sent, received, accepting] = await Promise.all(all.map(ended))
    expect(sent).toBe('FAILED PEER_OFFLINE')
    expect(received).toBe('FAILED EXPIRED')
    expect(['ACCEPTED', 'FAILED EXPIRED', 'FAILED PEER_OFFLINE']).toContain(accepting)
    expect((await timersIn(pair.redis)).filter(({ timer }) => timer.startsWith('i'))).toHaveLength(all.length)
  })
})
