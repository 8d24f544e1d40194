import { describe, expect, test } from '@jest/globals'

import ArRTM, { type LocalInvitation } from '../../src/client/compat/ar-rtm/index.js'
import { uniqueChannel } from '../support/client.js'
import { http } from '../support/http.js'
import { Link } from '../support/link.js'
import { startNode, useCluster } from '../support/node.js'
import { RedisServer } from '../support/redis.js'
import { CallLog, LOCAL_EVENTS, RtmUser } from '../support/rtm.js'
import { useTestScope } from '../support/scope.js'
import { TcpProxy } from '../support/tcp-proxy.js'
import { connectPlain } from '../support/plain.js'
import { eventually } from '../support/wait.js'

const RECEIPT_MS = 1_500
const ANSWER_MS = 2_000
const cluster = useCluster({ limits: { invitationReceiptMs: RECEIPT_MS, invitationAnswerMs: ANSWER_MS } })
const scope = useTestScope()
const someone = (): string => uniqueChannel('user')

interface Calling {
  readonly call: LocalInvitation
  readonly log: CallLog
}

/** Calls, with what is told of it. */
function ring(caller: RtmUser, callee: string, content = 'join me'): Calling {
  const call = caller.client.createLocalInvitation(callee)
  expect(call.state).toBe('IDLE')
  const log = new CallLog(call, LOCAL_EVENTS)
  call.content = content
  call.channelId = 'room 1'
  call.send()
  expect(call.state).toBe('SENT_TO_REMOTE')
  return { call, log }
}

/** A caller and a callee on different nodes. */
async function two(): Promise<readonly [RtmUser, RtmUser]> {
  return [await RtmUser.login(scope, someone(), cluster.a), await RtmUser.login(scope, someone(), cluster.b)]
}

describe('002.16 an invitation', () => {
  test('is received, and accepted with a response', async () => {
    const [caller, callee] = await two()
    const { call, log } = ring(caller, callee.uid)
    const { call: remote, log: remoteLog } = await callee.rings()
    expect(remote).toMatchObject({ callerId: caller.uid, content: 'join me', channelId: 'room 1', state: 'INVITATION_RECEIVED' })
    await log.expect('LocalInvitationReceivedByPeer')
    expect(call.state).toBe('RECEIVED_BY_REMOTE')
    remote.response = 'on my way'
    remote.accept()
    expect(remote.state).toBe('ACCEPT_SENT_TO_LOCAL')
    await log.expect('LocalInvitationReceivedByPeer', 'LocalInvitationAccepted on my way')
    await remoteLog.expect('RemoteInvitationAccepted')
    expect([call.state, call.response, remote.state]).toEqual(['ACCEPTED_BY_REMOTE', 'on my way', 'ACCEPTED'])
    call.cancel()
    remote.refuse()
    expect([call.state, remote.state]).toEqual(['ACCEPTED_BY_REMOTE', 'ACCEPTED'])
  })

  test('is refused with a response', async () => {
    const [caller, callee] = await two()
    const { call, log } = ring(caller, callee.uid)
    const { call: remote, log: remoteLog } = await callee.rings()
    remote.response = 'not now'
    remote.refuse()
    await log.expect('LocalInvitationReceivedByPeer', 'LocalInvitationRefused not now')
    await remoteLog.expect('RemoteInvitationRefused')
    expect([call.state, call.response, remote.state]).toEqual(['REFUSED_BY_REMOTE', 'not now', 'REFUSED'])
  })

  test('is canceled by the caller', async () => {
    const [caller, callee] = await two()
    const { call, log } = ring(caller, callee.uid)
    const { call: remote, log: remoteLog } = await callee.rings()
    await log.expect('LocalInvitationReceivedByPeer')
    call.cancel()
    await log.expect('LocalInvitationReceivedByPeer', 'LocalInvitationCanceled')
    await remoteLog.expect('RemoteInvitationCanceled join me')
    expect([call.state, remote.state]).toEqual(['CANCELED', 'CANCELED'])
  })

  test('to somebody who is offline fails when its time is over; to one who comes in time it rings', async () => {
    const caller = await RtmUser.login(scope, someone(), cluster.a)
    const missing = ring(caller, someone())
    const late = someone()
    const arrives = ring(caller, late)
    const callee = await RtmUser.login(scope, late, cluster.b)
    const { call } = await callee.rings()
    call.refuse()
    await arrives.log.expect('LocalInvitationReceivedByPeer', 'LocalInvitationRefused')
    await missing.log.expect('LocalInvitationFailure PEER_OFFLINE')
    expect(missing.call.state).toBe('FAILURE')
  })

  test('to somebody whose client does not answer for it fails for want of a response', async () => {
    const caller = await RtmUser.login(scope, someone(), cluster.a)
    const deaf = await connectPlain(scope, someone(), cluster.b)
    const { log } = ring(caller, deaf.user)
    await log.expect('LocalInvitationFailure PEER_NO_RESPONSE')
  })

  test('that nobody answers expires on both sides', async () => {
    const [caller, callee] = await two()
    const { call, log } = ring(caller, callee.uid)
    const { call: remote, log: remoteLog } = await callee.rings()
    await log.expect('LocalInvitationReceivedByPeer', 'LocalInvitationFailure INVITATION_EXPIRE')
    await remoteLog.expect('RemoteInvitationFailure INVITATION_EXPIRE')
    expect([call.state, remote.state]).toEqual(['FAILURE', 'FAILURE'])
  })

  test('ends when one of the two logs out', async () => {
    const [caller, callee] = await two()
    const { log } = ring(caller, callee.uid)
    const { log: remoteLog } = await callee.rings()
    await log.expect('LocalInvitationReceivedByPeer')
    await caller.client.logout()
    await log.expect('LocalInvitationReceivedByPeer', 'LocalInvitationFailure NOT_LOGGEDIN')
    await remoteLog.expect('RemoteInvitationCanceled join me')

    const again = await RtmUser.login(scope, someone(), cluster.a)
    const second = ring(again, callee.uid)
    const { log: ringing } = await callee.rings()
    await second.log.expect('LocalInvitationReceivedByPeer')
    await callee.client.logout()
    await ringing.expect('RemoteInvitationFailure PEER_OFFLINE')
    await second.log.expect('LocalInvitationReceivedByPeer', 'LocalInvitationFailure INVITATION_EXPIRE')
  })

  test('ends when the application ends the session of one of the two', async () => {
    const kick = (uid: string): Promise<unknown> => http(cluster.a.port, `/v1/users/${uid}/disconnect`, { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } })
    const [caller, callee] = await two()
    const first = ring(caller, callee.uid)
    const { log: ringing } = await callee.rings()
    await first.log.expect('LocalInvitationReceivedByPeer')
    await kick(caller.uid)
    await first.log.expect('LocalInvitationReceivedByPeer', 'LocalInvitationFailure NOT_LOGGEDIN')
    await eventually('it rings no more', () => ringing.events.length === 1)

    const again = await RtmUser.login(scope, someone(), cluster.a)
    ring(again, callee.uid)
    const { log: second } = await callee.rings()
    await kick(callee.uid)
    await second.expect('RemoteInvitationFailure PEER_OFFLINE')
  })

  test('that is answered twice at once is answered once', async () => {
    const [caller, callee] = await two()
    const { log } = ring(caller, callee.uid)
    const { call, log: remote } = await callee.rings()
    call.refuse()
    call.accept()
    await log.expect('LocalInvitationReceivedByPeer', 'LocalInvitationRefused')
    await remote.expect('RemoteInvitationRefused')
  })

  test('that is accepted while the callee\'s connection is lost fails there after 5 s, and is not accepted later', async () => {
    const options = { redisUrl: cluster.redis.url, limits: { invitationReceiptMs: RECEIPT_MS, invitationAnswerMs: 10_000 } }
    const [one, other] = [await startNode(scope, options), await startNode(scope, options)]
    const wire = await Link.open(scope, other)
    const [caller, callee] = [await RtmUser.login(scope, someone(), one), await RtmUser.login(scope, someone(), wire, { presenceTimeout: 60_000 })]
    const { log } = ring(caller, callee.uid)
    const { call: remote, log: remoteLog } = await callee.rings()
    await log.expect('LocalInvitationReceivedByPeer')
    wire.cut()
    await callee.untilStates('CONNECTING LOGIN', 'CONNECTED LOGIN_SUCCESS', 'RECONNECTING INTERRUPTED')
    remote.accept()
    await remoteLog.expect('RemoteInvitationFailure ACCEPT_FAILURE')
    wire.restore()
    await callee.untilStates('CONNECTING LOGIN', 'CONNECTED LOGIN_SUCCESS', 'RECONNECTING INTERRUPTED', 'CONNECTED LOGIN_SUCCESS')
    await log.expect('LocalInvitationReceivedByPeer', 'LocalInvitationFailure INVITATION_EXPIRE')
  })

  test('that is accepted over a line that stands still fails there after 5 s, and is not accepted when the line moves again', async () => {
    const options = { redisUrl: cluster.redis.url, limits: { invitationReceiptMs: RECEIPT_MS, invitationAnswerMs: 10_000 }, pingIntervalMs: 60_000 }
    const [one, other] = [await startNode(scope, options), await startNode(scope, options)]
    const wire = await Link.open(scope, other)
    const [caller, callee] = [await RtmUser.login(scope, someone(), one), await RtmUser.login(scope, someone(), wire)]
    const { log } = ring(caller, callee.uid)
    const { call: remote, log: remoteLog } = await callee.rings()
    await log.expect('LocalInvitationReceivedByPeer')
    wire.freeze()
    remote.accept()
    await remoteLog.expect('RemoteInvitationFailure ACCEPT_FAILURE')
    wire.thaw()
    await log.expect('LocalInvitationReceivedByPeer', 'LocalInvitationFailure INVITATION_EXPIRE')
  })

  test('to nobody who can be called is not sent', async () => {
    const user = await RtmUser.login(scope, someone(), cluster.a)
    for (const callee of ['', '..', 'x'.repeat(65), undefined as never]) {
      const call = user.client.createLocalInvitation(callee)
      expect(() => call.send()).toThrow(expect.objectContaining({ code: 2 }))
      expect(call.state).toBe('IDLE')
    }
    const call = user.client.createLocalInvitation(someone())
    call.content = '\ud800'
    expect(() => call.send()).toThrow(expect.objectContaining({ code: 2 }))
  })

  test('that has ended is not told to one who begins to listen then', async () => {
    const caller = await RtmUser.login(scope, someone(), cluster.a)
    const uid = someone()
    const late = ArRTM.createInstance('dev', { url: cluster.b.url })
    scope.defer('the late one', () => late.logout().catch(() => undefined))
    await late.login({ uid })
    const first = ring(caller, uid, 'never mind')
    await first.log.expect('LocalInvitationReceivedByPeer')
    first.call.cancel()
    await first.log.expect('LocalInvitationReceivedByPeer', 'LocalInvitationCanceled')
    // What comes to this session comes in order.
    const second = ring(caller, uid, 'once more')
    await second.log.expect('LocalInvitationReceivedByPeer')
    const heard: string[] = []
    late.on('RemoteInvitationReceived', (call) => {
      heard.push(call.content)
      call.refuse()
    })
    await second.log.expect('LocalInvitationReceivedByPeer', 'LocalInvitationRefused')
    expect(heard).toEqual(['once more'])
  })

  test('that is made as another one ends with the login fails too, and rings nowhere', async () => {
    const [peer, user] = await two()
    const first = ring(peer, user.uid)
    const { call: missed } = await user.rings()
    const outgoing = ring(user, peer.uid, 'the first')
    expect((await peer.rings()).call.content).toBe('the first')
    const made: Calling[] = []
    // An app that calls back whoever it has missed, and again whoever it did not reach.
    missed.on('RemoteInvitationFailure', () => made.push(ring(user, peer.uid, 'back')))
    outgoing.call.on('LocalInvitationFailure', () => made.push(ring(user, peer.uid, 'again')))
    await first.log.expect('LocalInvitationReceivedByPeer')

    await user.client.logout()
    expect(made).toHaveLength(2)
    for (const { log } of made) await log.expect('LocalInvitationFailure NOT_LOGGEDIN')
    await user.client.login({ uid: user.uid })
    ring(user, peer.uid, 'later')
    expect((await peer.rings()).call.content).toBe('later')
  })

  test('from one who is not logged in fails at once', async () => {
    const user = RtmUser.create(scope, someone(), cluster.a)
    const { call, log } = ring(user, someone())
    await log.expect('LocalInvitationFailure NOT_LOGGEDIN')
    expect(call.state).toBe('FAILURE')
  })

  test('rings on all of the callee\'s sessions; one may accept it, also when two do at once', async () => {
    const caller = await RtmUser.login(scope, someone(), cluster.a)
    const uid = someone()
    const sessions = [await RtmUser.login(scope, uid, cluster.a), await RtmUser.login(scope, uid, cluster.b), await RtmUser.login(scope, uid, cluster.b)]
    const { call, log } = ring(caller, uid)
    const [one, two, idle] = await Promise.all(sessions.map((session) => session.rings()))
    if (one === undefined || two === undefined || idle === undefined) throw new Error('three sessions ring')
    one.call.response = 'one'
    two.call.response = 'two'
    one.call.accept()
    two.call.accept()
    const winner = await Promise.race([one.log.expect('RemoteInvitationAccepted').then(() => one), two.log.expect('RemoteInvitationAccepted').then(() => two)].map((each) => each.catch(() => new Promise<never>(() => undefined))))
    const loser = winner === one ? two : one
    await loser.log.expect('RemoteInvitationFailure ACCEPT_FAILURE')
    await idle.log.expect('RemoteInvitationCanceled join me')
    await log.expect('LocalInvitationReceivedByPeer', `LocalInvitationAccepted ${winner.call.response}`)
    expect(call.response).toBe(winner.call.response)
  })

  test('says at most 8 KB, and so does the answer', async () => {
    const [caller, callee] = await two()
    const long = caller.client.createLocalInvitation(callee.uid)
    long.content = 'é'.repeat(4_097)
    expect(() => long.send()).toThrow(expect.objectContaining({ code: 2 }))
    const { log } = ring(caller, callee.uid, 'é'.repeat(4_096))
    const { call } = await callee.rings()
    expect(call.content).toBe('é'.repeat(4_096))
    call.response = 'x'.repeat(8_193)
    expect(() => call.accept()).toThrow(expect.objectContaining({ code: 2 }))
    call.response = 'x'.repeat(8_192)
    call.accept()
    await log.expect('LocalInvitationReceivedByPeer', `LocalInvitationAccepted ${'x'.repeat(8_192)}`)
  })
})

describe('002.16 an invitation of which the caller does not know whether it was sent', () => {
  /** One rings at the callee, and the caller has not heard of that; the other has not reached the node. Both calls have waited in vain by now. */
  async function unsure() {
    const options = { redisUrl: cluster.redis.url }
    // A line that stands still in the middle of an upgrade of the transport would hold back more than it is to.
    const [here, there] = await Promise.all([startNode(scope, { ...options, transports: ['polling'] }), startNode(scope, options)])
    const wire = await TcpProxy.open(scope, here)
    const [caller, callee] = [await RtmUser.login(scope, someone(), wire, { presenceTimeout: 60_000 }), await RtmUser.login(scope, someone(), there)]
    wire.hold(['down'])
    const ringing = ring(caller, callee.uid, 'ringing')
    const rung = await callee.rings()
    wire.hold(['up', 'down'])
    const stuck = ring(caller, callee.uid, 'stuck')
    const later = expect(caller.client.sendMessageToPeer({ text: 'x' }, callee.uid)).rejects.toMatchObject({ code: 2 })
    wire.cut()
    await later
    for (const { log } of [ringing, stuck]) expect(log.events).toEqual([])
    return { wire, caller, callee, ringing, rung, stuck }
  }

  test('goes on when the connection is back', async () => {
    const { wire, caller, callee, ringing, rung, stuck } = await unsure()
    // To try again in vain says no more.
    await expect(caller.client.sendMessageToPeer({ text: 'x' }, callee.uid)).rejects.toMatchObject({ code: 2 })
    wire.heal()
    await ringing.log.expect('LocalInvitationReceivedByPeer')
    rung.call.accept()
    await rung.log.expect('RemoteInvitationAccepted')
    await ringing.log.expect('LocalInvitationReceivedByPeer', 'LocalInvitationAccepted')
    const { call } = await callee.rings()
    expect(call.content).toBe('stuck')
    call.accept()
    await stuck.log.expect('LocalInvitationReceivedByPeer', 'LocalInvitationAccepted')
  })

  test('is cancelled when the connection is back, whether it was there or not', async () => {
    const { wire, caller, callee, ringing, rung, stuck } = await unsure()
    for (const { call } of [ringing, stuck]) call.cancel()
    wire.heal()
    for (const { call, log } of [ringing, stuck]) {
      await eventually('it is cancelled', () => call.state === 'CANCELED')
      // On its way again, it may have been received first.
      expect(log.events.filter((event) => event !== 'LocalInvitationReceivedByPeer')).toEqual(['LocalInvitationCanceled'])
    }
    await rung.log.expect('RemoteInvitationCanceled ringing')
    ring(caller, callee.uid, 'the next')
    let next = await callee.rings()
    if (next.call.content === 'stuck') {
      // It was on its way again.
      await next.log.expect('RemoteInvitationCanceled stuck')
      next = await callee.rings()
    }
    expect(next.call.content).toBe('the next')
  })
})

test('002.16 one that Redis has lost ends here when it is cancelled or refused', async () => {
  const redis = await RedisServer.start(scope)
  const [here, there] = await Promise.all([startNode(scope, { redisUrl: redis.url }), startNode(scope, { redisUrl: redis.url })])
  const [caller, callee] = [await RtmUser.login(scope, someone(), here), await RtmUser.login(scope, someone(), there)]
  const { call, log } = ring(caller, callee.uid)
  const { call: remote, log: remoteLog } = await callee.rings()
  await log.expect('LocalInvitationReceivedByPeer')
  await redis.command('FLUSHALL')
  call.cancel()
  remote.refuse()
  await log.expect('LocalInvitationReceivedByPeer', 'LocalInvitationCanceled')
  await remoteLog.expect('RemoteInvitationFailure INVITATION_EXPIRE')
})

test('002.16 a refusal and a cancellation that fail are tried again, for who asks for them is told of no failure', async () => {
  const redis = await RedisServer.start(scope)
  const [here, there] = await Promise.all([startNode(scope, { redisUrl: redis.url }), startNode(scope, { redisUrl: redis.url })])
  const [caller, callee] = [await RtmUser.login(scope, someone(), here), await RtmUser.login(scope, someone(), there)]
  const [refused, cancelled] = [ring(caller, callee.uid, 'refused'), ring(caller, callee.uid, 'cancelled')]
  const rung = [await callee.rings(), await callee.rings()]
  for (const { log } of [refused, cancelled]) await log.expect('LocalInvitationReceivedByPeer')
  const find = (content: string) => rung.find(({ call }) => call.content === content)!
  redis.signal('SIGSTOP')
  find('refused').call.refuse()
  cancelled.call.cancel()
  // What is asked after them fails after them.
  for (const { client } of [caller, callee]) await expect(client.queryPeersOnlineStatus([caller.uid])).rejects.toMatchObject({ code: expect.any(Number) })
  redis.signal('SIGCONT')
  await refused.log.expect('LocalInvitationReceivedByPeer', 'LocalInvitationRefused')
  await find('refused').log.expect('RemoteInvitationRefused')
  await cancelled.log.expect('LocalInvitationReceivedByPeer', 'LocalInvitationCanceled')
  await find('cancelled').log.expect('RemoteInvitationCanceled cancelled')
})

test('002.16 an answer that is too long for the node can be given again', async () => {
  const options = { redisUrl: cluster.redis.url, limits: { invitationBytes: 100 } }
  const [here, there] = await Promise.all([startNode(scope, options), startNode(scope, options)])
  const [caller, callee] = [await RtmUser.login(scope, someone(), here), await RtmUser.login(scope, someone(), there)]
  const { log } = ring(caller, callee.uid)
  const { call, log: remoteLog } = await callee.rings()
  call.response = 'x'.repeat(101)
  call.refuse()
  await eventually('it is refused with a shorter one', () => {
    call.response = 'no'
    call.refuse()
    return call.state === 'REFUSED'
  })
  await remoteLog.expect('RemoteInvitationRefused')
  await log.expect('LocalInvitationReceivedByPeer', 'LocalInvitationRefused no')
})
