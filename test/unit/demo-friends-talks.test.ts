import { describe, expect, test } from '@jest/globals'

import type { Invitation, InvitationReason, InvitationState } from '../../src/client/index.js'
import { Calls, endWords, ringWords } from '../../src/demo/friends/calls.js'
import { fateOf, fateWords, MOST_LINES, Talks } from '../../src/demo/friends/talks.js'

const message = (id: string, offline = false) => ({ id, from: 'ana', text: id, offline, timestamp: 1 })

describe('conversations', () => {
  test('keep each line with the friend it is with, and what became of one\'s own', () => {
    const talks = new Talks()
    const first = talks.say('ana', 'hello')
    const other = talks.say('bob', 'you too')
    talks.hear(message('m1', true))
    talks.settle('ana', first, 'kept')
    talks.settle('bob', other, 'unsent', 'too fast')
    expect(talks.with('ana')).toMatchObject([{ kind: 'own', text: 'hello', fate: 'kept' }, { kind: 'theirs', text: 'm1', isLate: true }])
    expect(talks.with('bob')).toMatchObject([{ fate: 'unsent', why: 'too fast' }])
    expect(talks.with('nobody')).toEqual([])
  })

  test('are unread until they are read, each for itself', () => {
    const talks = new Talks()
    talks.hear(message('m1'))
    talks.hear(message('m2'))
    talks.hear({ ...message('m3'), from: 'bob' })
    talks.say('ana', 'my own is no news')
    expect([talks.unread('ana'), talks.unread('bob'), talks.allUnread, ...talks.waiting]).toEqual([2, 1, 3, 'ana', 'bob'])
    talks.read('ana')
    expect([talks.unread('ana'), talks.allUnread, ...talks.waiting]).toEqual([0, 1, 'bob'])
  })

  test('forget the oldest lines', () => {
    const talks = new Talks()
    for (let i = 0; i < MOST_LINES + 5; i++) talks.hear(message(`m${i}`))
    expect([talks.with('ana').length, talks.with('ana')[0]?.text]).toEqual([MOST_LINES, 'm5'])
  })

  test.each([[true, true, 'received'], [true, false, 'received'], [false, true, 'kept'], [false, false, 'lost']] as const)('received %p, to be kept %p: %s', (received, keep, fate) => {
    expect(fateOf({ received }, keep)).toBe(fate)
    expect(fateWords({ fate, why: '' })).toContain(fate)
  })
})

function invitation(state: InvitationState, change: Partial<Invitation> = {}): Invitation {
  return { id: 'call-0001', caller: 'ana', callee: 'bob', content: '', channelId: '', response: '', state, reason: null, revision: 1, timestamp: 1, ...change }
}

describe('calls', () => {
  test('ring until they end, on both sides, and say for how long', () => {
    for (const [self, isIncoming] of [['ana', false], ['bob', true]] as const) {
      const calls = new Calls(self)
      expect(calls.learn(invitation('SENT'), 10)).toBe(false)
      expect(calls.learn(invitation('RECEIVED'), 20)).toBe(false)
      expect(calls.open).toMatchObject([{ isIncoming, since: 10 }])
      expect([calls.incoming.length, calls.find(isIncoming ? 'ana' : 'bob')?.isIncoming]).toEqual([isIncoming ? 1 : 0, isIncoming])
      expect(calls.learn(invitation('ACCEPTED'), 30)).toBe(true)
      expect(calls.open).toEqual([])
    }
  })

  test('of one id to two people are two calls', () => {
    const calls = new Calls('ana')
    calls.learn(invitation('SENT'), 1)
    calls.learn(invitation('SENT', { callee: 'cem' }), 1)
    calls.learn(invitation('REFUSED'), 2)
    expect(calls.open.map(({ peer }) => peer)).toEqual(['cem'])
  })

  test('are shown by what each side knows', () => {
    const words = (state: InvitationState, isIncoming: boolean) => ringWords({ invitation: invitation(state), peer: 'zoe', isIncoming })
    expect([words('SENT', false), words('RECEIVED', false), words('RECEIVED', true)]).toEqual(['Calling zoe…', 'It rings at zoe’s', 'zoe is calling'])
  })

  const FAILED = (reason: InvitationReason) => invitation('FAILED', { reason })
  test.each([
    [invitation('ACCEPTED', { answeredBy: 's1' }), 'bob accepted the call', 'you accepted the call'],
    [invitation('ACCEPTED', { answeredBy: 's2' }), 'bob accepted the call', 'your other device accepted the call'],
    [invitation('REFUSED', { answeredBy: 's1', response: 'later' }), 'bob refused the call: “later”', 'you refused the call: “later”'],
    [invitation('CANCELED'), 'you gave up calling', 'ana gave up calling'],
    [FAILED('PEER_OFFLINE'), 'the call ended: bob was not there', 'the call ended: ana is gone'],
    [FAILED('PEER_NO_RESPONSE'), 'the call ended: it did not ring at bob’s', 'a call from ana did not reach you in time'],
    [FAILED('EXPIRED'), 'the call ended: bob did not answer in time', 'the call ended: you did not answer in time'],
  ])('that have ended: %j', (ended, forCaller, forCallee) => {
    expect([endWords(ended, 'ana', 's1'), endWords(ended, 'bob', 's1')]).toEqual([forCaller, forCallee])
  })
})
