import { afterEach, describe, expect, jest, test } from '@jest/globals'

import { InvitationsApi, type InvitationsLink } from '../../src/client/invitations-api.js'
import { RollcallError } from '../../src/protocol/errors.js'
import type { Invitation, InvitationRef, InvitationState } from '../../src/protocol/invitations.js'
import { DEFAULT_LIMITS } from '../../src/protocol/limits.js'

const LIMITS = { ...DEFAULT_LIMITS, invitations: 2, invitationReceiptMs: 1_000, invitationAnswerMs: 2_000 }

function invitation(state: InvitationState, revision: number, fields: Partial<Invitation> = {}): Invitation {
  return { id: 'call-0001', caller: 'ann', callee: 'bob', content: 'hello', channelId: '', response: '', state, reason: null, revision, timestamp: 1, ...fields }
}

/** A node that answers what it is told to. */
class FakeNode implements InvitationsLink {
  readonly limits = LIMITS
  readonly asked: string[] = []
  /** By id: what it says of each; nothing is known of others. */
  readonly known = new Map<string, Invitation>()
  refusal: RollcallError | null = null
  /** What the next requests meet with, in turn, before it answers again. */
  readonly refusals: RollcallError[] = []
  /** Of each answer to an invitation. */
  readonly untils: (number | undefined)[] = []
  /** Called when a request has been answered and before its caller hears of it. */
  onAnswered: () => void = () => undefined

  async request(name: string, payload: Partial<InvitationRef> & { readonly sent?: readonly InvitationRef[]; readonly until?: number }): Promise<never> {
    this.asked.push(`${name} ${payload.id ?? payload.sent?.map(({ userId, id }) => `${userId}/${id}`).join(' ') ?? ''}`)
    if (name === 'acceptInvitation') this.untils.push(payload.until)
    await Promise.resolve()
    const refusal = this.refusals.shift() ?? this.refusal
    if (refusal !== null) throw refusal
    const reply =
      payload.sent === undefined
        ? { ok: true, timestamp: 7, invitation: this.known.get(payload.id ?? '') ?? invitation('SENT', 1, { ...payload, ...(payload.userId === undefined ? {} : { callee: payload.userId }) }) }
        : { ok: true, timestamp: 7, invitations: payload.sent.map(({ id }) => this.known.get(id) ?? null) }
    this.onAnswered()
    return reply as never
  }
}

function setUp(userId = 'bob') {
  const node = new FakeNode()
  const told: string[] = []
  let listening = true
  const api = new InvitationsApi(userId, node, (event, heard) => {
    told.push(`${event.id} ${event.state}${event.reason === null ? '' : ` ${event.reason}`} ${event.revision}`)
    if (listening) heard()
  })
  return { node, api, told, listen: (on: boolean) => (listening = on), ask: (request: object) => node.request('getInvitations', request) }
}

afterEach(() => {
  jest.useRealTimers()
})

describe('events', () => {
  test('are told once each and in order, whatever comes again or late', () => {
    const { api, told } = setUp()
    for (const [state, revision] of [['SENT', 1], ['RECEIVED', 2], ['SENT', 1], ['RECEIVED', 2], ['CANCELED', 3], ['RECEIVED', 2], ['CANCELED', 3]] as const) api.receive(invitation(state, revision))
    expect(told).toEqual(['call-0001 SENT 1', 'call-0001 RECEIVED 2', 'call-0001 CANCELED 3'])
    expect(api.get('call-0001')).toMatchObject({ state: 'CANCELED' })
    api.end()
  })

  test('what rings is acknowledged if somebody hears of it; if nobody did, it is told again when it rings again', () => {
    const { api, told, listen } = setUp()
    const acknowledge = jest.fn()
    listen(false)
    api.receive(invitation('SENT', 1), acknowledge)
    expect(acknowledge).not.toHaveBeenCalled()
    listen(true)
    api.receive(invitation('SENT', 1), acknowledge)
    expect(told).toHaveLength(2)
    expect(acknowledge).toHaveBeenCalledTimes(1)
    api.receive(invitation('SENT', 1), acknowledge)
    expect(told).toHaveLength(2)
    expect(acknowledge).toHaveBeenCalledTimes(2)
    api.receive(invitation('RECEIVED', 2))
    api.receive(invitation('SENT', 1), acknowledge)
    expect([told.length, acknowledge.mock.calls.length]).toEqual([3, 2])
    api.end()
  })

  test('invitations of one id to two users are two; those that have ended are forgotten at last, the open ones never', () => {
    const { api, told } = setUp()
    api.receive(invitation('SENT', 1))
    api.receive(invitation('SENT', 1, { caller: 'bob', callee: 'carl' }))
    expect(told).toHaveLength(2)
    for (let n = 0; n < 300; n++) api.receive(invitation('CANCELED', 3, { id: `call-ended-${n}` }))
    expect([api.get('call-ended-0'), api.get('call-ended-299')?.state, api.get('call-0001')?.state]).toEqual([undefined, 'CANCELED', 'SENT'])
    api.end()
  })
})

describe('calls', () => {
  test('what is told of a reply comes once, and the call resolves with what is known by then', async () => {
    const { api, node, told } = setUp('ann')
    node.onAnswered = () => api.receive(invitation('RECEIVED', 2))
    expect(await api.send('bob', { id: 'call-0001', content: 'hello' })).toMatchObject({ state: 'RECEIVED', revision: 2 })
    expect(told).toEqual(['call-0001 RECEIVED 2'])
    api.end()
  })

  test('ids are made, and no two are the same', async () => {
    const { api } = setUp('ann')
    const sent = await Promise.all(Array.from({ length: 50 }, () => api.send('bob')))
    expect(new Set(sent.map(({ id }) => id)).size).toBe(50)
    for (const { id } of sent) expect(id).toMatch(/^[a-z0-9]{32}$/)
    api.end()
  })

  test('a cancellation goes out when it is known what came of the invitation, to whoever was invited', async () => {
    const { api, node } = setUp('ann')
    node.known.set('call-0001', invitation('CANCELED', 2))
    const both = [api.send('bob', { id: 'call-0001' }), api.cancel('call-0001')]
    expect(node.asked).toEqual(['invite call-0001'])
    await Promise.all(both)
    expect(node.asked).toEqual(['invite call-0001', 'cancelInvitation call-0001'])
    await expect(api.cancel('call-0002')).rejects.toMatchObject({ code: 'INVITATION_UNKNOWN', operation: 'cancelInvitation' })
    api.end()
  })

  test('one of which nobody knows whether it was sent can be cancelled', async () => {
    const { api, node } = setUp('ann')
    for (const code of ['PRESENCE_OPERATION_TIMEOUT', 'PRESENCE_REQUEST_CANCELLED', 'INVITATION_LIMIT'] as const) {
      node.refusals.push(new RollcallError(code, 'not sent, or perhaps'))
      await expect(api.send('bob', { id: `id-${code}` })).rejects.toMatchObject({ code })
    }
    // That it could not be sent again says nothing of the first time.
    node.refusals.push(new RollcallError('NOT_CONNECTED', 'not sent'))
    await expect(api.send('bob', { id: 'id-PRESENCE_OPERATION_TIMEOUT' })).rejects.toMatchObject({ code: 'NOT_CONNECTED' })
    node.asked.length = 0
    for (const code of ['PRESENCE_OPERATION_TIMEOUT', 'PRESENCE_REQUEST_CANCELLED']) await api.cancel(`id-${code}`)
    await expect(api.cancel('id-INVITATION_LIMIT')).rejects.toMatchObject({ code: 'INVITATION_UNKNOWN' })
    expect(node.asked).toEqual(['cancelInvitation id-PRESENCE_OPERATION_TIMEOUT', 'cancelInvitation id-PRESENCE_REQUEST_CANCELLED'])
    api.end()
    await expect(api.cancel('id-PRESENCE_OPERATION_TIMEOUT')).rejects.toMatchObject({ code: 'INVITATION_UNKNOWN' })
  })

  test('one that the cluster has lost ends when it is answered or cancelled', async () => {
    const { api, node, told } = setUp()
    node.refusal = new RollcallError('INVITATION_UNKNOWN', 'there is none')
    api.receive(invitation('RECEIVED', 2))
    api.receive(invitation('RECEIVED', 2, { id: 'call-0002', caller: 'bob', callee: 'cy' }))
    await expect(api.refuse('call-0001')).rejects.toBe(node.refusal)
    await expect(api.cancel('call-0002')).rejects.toMatchObject({ code: 'INVITATION_UNKNOWN' })
    await expect(api.accept('call-0003')).rejects.toBe(node.refusal)
    expect(told.slice(2)).toEqual(['call-0001 FAILED EXPIRED 3', 'call-0002 CANCELED 3'])
    api.end()
  })

  test('an answer of which nobody knows what has come of it is sent again when it can come too late no more, and that one says', async () => {
    const [lost, late] = [new RollcallError('PRESENCE_OPERATION_TIMEOUT', 'no answer'), new RollcallError('INVITATION_LATE', 'too late')]
    const { api, node } = setUp()
    api.receive(invitation('RECEIVED', 2))
    node.known.set('call-0001', invitation('ACCEPTED', 3, { answeredBy: 'me' }))
    node.refusals.push(lost)
    expect(await api.accept('call-0001', 'yes', { withinMs: 200 })).toMatchObject({ state: 'ACCEPTED' })
    node.refusals.push(lost, late)
    await expect(api.accept('call-0001', 'yes', { withinMs: 200 })).rejects.toBe(late)
    for (const second of [lost, new RollcallError('NOT_CONNECTED', 'no connection')]) {
      node.refusals.push(lost, second)
      await expect(api.accept('call-0001', 'yes', { withinMs: 200 })).rejects.toBe(lost)
    }
    expect(node.asked).toEqual(Array.from({ length: 8 }, () => 'acceptInvitation call-0001'))
    node.refusals.push(late)
    await expect(api.accept('call-0001')).rejects.toBe(late)
    api.end()
  })

  test('an answer of which nobody knows what has come of it fails at once when the session is over', async () => {
    const lost = new RollcallError('PRESENCE_REQUEST_CANCELLED', 'the connection ended')
    const { api, node } = setUp()
    node.refusals.push(lost)
    const accepting = api.accept('call-0001')
    await Promise.resolve()
    api.end()
    await expect(accepting).rejects.toBe(lost)
    expect(node.asked).toHaveLength(1)
  })

  test('until when it may be carried out is said by Redis\'s clock, as far as it is known, and never after the time that it may take', async () => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask'] })
    const { api, node } = setUp()
    await api.accept('call-0001', '', { withinMs: 1_000 })
    api.noteTime(50_000)
    await api.accept('call-0001', '', { withinMs: 1_000 })
    jest.advanceTimersByTime(100)
    await api.accept('call-0001', '', { withinMs: 1_000 })
    // What was long under way says less, and what is nearer to the truth says more.
    api.receive(invitation('RECEIVED', 2, { timestamp: 49_000 }))
    await api.accept('call-0001', '', { withinMs: 1_000 })
    api.receive(invitation('RECEIVED', 2, { timestamp: 50_150 }))
    await api.accept('call-0001', '', { withinMs: 1_000 })
    // Of others' users, whose data may be on another Redis, it says nothing.
    api.receive(invitation('SENT', 1, { callee: 'carl', caller: 'bob', timestamp: 70_000 }))
    await api.accept('call-0001', '', { withinMs: 1_000 })
    jest.advanceTimersByTime(200_000)
    api.receive(invitation('RECEIVED', 2, { timestamp: 250_100 }))
    await api.accept('call-0001', '', { withinMs: 1_000 })
    expect(node.untils).toEqual([undefined, 50_800, 50_900, 50_900, 50_950, 50_950, 250_900])
    api.end()
  })

  test.each([
    ['a user who is none', ['.'], 'INVALID_USER_ID'],
    ['an id that is none', ['bob', { id: 'x' }], 'PRESENCE_INVALID_ARGUMENT'],
    ['too much', ['bob', { content: 'x'.repeat(8_193) }], 'INVITATION_TOO_LARGE'],
    ['no options', ['bob', null], 'PRESENCE_INVALID_ARGUMENT'],
  ])('%s is refused without asking', async (_, args, code) => {
    const { api, node } = setUp('ann')
    await expect(api.send(...(args as [string]))).rejects.toMatchObject({ code, operation: 'invite' })
    await expect(api.accept('x')).rejects.toMatchObject({ code: 'PRESENCE_INVALID_ARGUMENT', operation: 'acceptInvitation' })
    await expect(api.refuse('call-0001', 'x'.repeat(8_193))).rejects.toMatchObject({ code: 'INVITATION_TOO_LARGE', operation: 'refuseInvitation' })
    expect(node.asked).toEqual([])
  })
})

describe('what cannot be heard', () => {
  test('a new connection is asked for those that are open, in pieces; what nobody knows any more has failed', async () => {
    const { api, node, told, ask } = setUp()
    for (const id of ['call-0001', 'call-0002', 'call-0003']) api.receive(invitation('SENT', 1, { id }))
    api.receive(invitation('REFUSED', 3, { id: 'call-ended' }))
    told.length = 0
    node.known.set('call-0001', invitation('SENT', 1)).set('call-0002', invitation('CANCELED', 2, { id: 'call-0002' }))
    await api.resume(ask)
    expect(node.asked).toEqual(['getInvitations bob/call-0001 bob/call-0002', 'getInvitations bob/call-0003'])
    expect(told).toEqual(['call-0002 CANCELED 2', 'call-0003 FAILED EXPIRED 2'])
    api.end()
  })

  test('with nothing open nothing is asked; a refusal is no reason to give the connection up, its loss is', async () => {
    const { api, node, ask } = setUp()
    await api.resume(ask)
    expect(node.asked).toEqual([])
    api.receive(invitation('SENT', 1))
    node.refusal = new RollcallError('PRESENCE_OPERATION_FAILED', 'no')
    await api.resume(ask)
    await expect(api.resume(() => Promise.reject(new Error('the connection ended')))).rejects.toThrow('the connection ended')
    expect(api.get('call-0001')).toMatchObject({ state: 'SENT' })
    api.end()
  })

  test('one that should have ended by now is asked for, again and again until there is an answer', async () => {
    jest.useFakeTimers({ now: 0 })
    const { api, node, told } = setUp()
    api.receive(invitation('SENT', 1))
    api.receive(invitation('RECEIVED', 2))
    node.refusal = new RollcallError('PRESENCE_OPERATION_FAILED', 'no')
    await jest.advanceTimersByTimeAsync(4_800)
    expect(node.asked).toEqual([])
    await jest.advanceTimersByTimeAsync(400)
    expect(node.asked).toHaveLength(1)
    node.refusal = null
    await jest.advanceTimersByTimeAsync(3_000)
    expect(node.asked).toHaveLength(2)
    expect(told.at(-1)).toBe('call-0001 FAILED EXPIRED 3')
    await jest.advanceTimersByTimeAsync(60_000)
    expect(node.asked).toHaveLength(2)
  })

  test('one that is open still, by a clock that stood still, is asked for later', async () => {
    jest.useFakeTimers({ now: 0 })
    const { api, node, told } = setUp()
    api.receive(invitation('SENT', 1))
    node.known.set('call-0001', invitation('SENT', 1))
    await jest.advanceTimersByTimeAsync(10_100)
    expect(node.asked).toHaveLength(3)
    expect(told).toEqual(['call-0001 SENT 1'])
    api.end()
    await jest.advanceTimersByTimeAsync(60_000)
    expect(node.asked).toHaveLength(3)
  })

  test('the end of the session ends what is open: one\'s own is cancelled, the others\' have failed; and all is forgotten', () => {
    const { api, told } = setUp()
    api.receive(invitation('RECEIVED', 2))
    api.receive(invitation('SENT', 1, { id: 'call-own-1', caller: 'bob', callee: 'carl' }))
    api.receive(invitation('REFUSED', 3, { id: 'call-ended' }))
    told.length = 0
    api.end()
    expect(told).toEqual(['call-0001 FAILED EXPIRED 3', 'call-own-1 CANCELED 2'])
    expect(api.get('call-0001')).toBeUndefined()
    api.receive(invitation('RECEIVED', 2))
    expect(told.at(-1)).toBe('call-0001 RECEIVED 2')
    api.end()
  })
})
