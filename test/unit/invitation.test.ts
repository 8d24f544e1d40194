import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'

import { begun, following, lasts, packed, postedInvitation, REMEMBERED_MS, shown, unpacked, type InvitationEvent, type InvitationRecord } from '../../src/presence/invitation.js'
import { isOpen, type InvitationState } from '../../src/protocol/invitations.js'

const START = { id: 'call-0001', caller: 'ann', callee: 'bob', session: 'session-of-ann', content: 'hello', channelId: 'room' }
const TIMES = { invitationReceiptMs: 30_000, invitationAnswerMs: 60_000 }

const EVENTS = {
  receive: { kind: 'receive' },
  accept: { kind: 'accept', session: 'session-of-bob', response: 'yes' },
  refuse: { kind: 'refuse', session: 'session-of-bob', response: 'no' },
  cancel: { kind: 'cancel' },
  callerGone: { kind: 'callerGone' },
  timeUpThere: { kind: 'timeUp', calleeThere: true },
  timeUpGone: { kind: 'timeUp', calleeThere: false },
} as const satisfies Record<string, InvitationEvent>

const SENT = begun(START)
const RECEIVED = following(SENT, EVENTS.receive) ?? SENT

/** The state that follows, with the reason; '-' where nothing does. */
function after(record: InvitationRecord, event: InvitationEvent): string {
  const next = following(record, event)
  return next === null ? '-' : [next.state, next.reason].filter((part) => part !== null).join(' ')
}

const anyEvent = fc.oneof(
  fc.constant<InvitationEvent>({ kind: 'receive' }),
  fc.record({ kind: fc.constantFrom('accept' as const, 'refuse' as const), session: fc.constantFrom('one', 'two'), response: fc.string({ unit: 'grapheme' }) }),
  fc.constant<InvitationEvent>({ kind: 'cancel' }),
  fc.constant<InvitationEvent>({ kind: 'callerGone' }),
  fc.record({ kind: fc.constant('timeUp' as const), calleeThere: fc.boolean() }),
)

/** Every record that a history brings about, the first among them. */
function through(events: readonly InvitationEvent[]): readonly InvitationRecord[] {
  return events.reduce<readonly InvitationRecord[]>((records, event) => {
    const last = records.at(-1) ?? SENT
    return [...records, following(last, event) ?? last]
  }, [SENT])
}

describe('an invitation', () => {
  test('begins as SENT, with nothing said about its end', () => {
    expect(SENT).toEqual({ ...START, response: '', state: 'SENT', reason: null, revision: 1, timestamp: 0 })
  })

  test.each([
    ['receive', 'RECEIVED', '-'],
    ['accept', 'ACCEPTED', 'ACCEPTED'],
    ['refuse', 'REFUSED', 'REFUSED'],
    ['cancel', 'CANCELED', 'CANCELED'],
    ['callerGone', 'FAILED PEER_OFFLINE', 'FAILED PEER_OFFLINE'],
    ['timeUpThere', 'FAILED PEER_NO_RESPONSE', 'FAILED EXPIRED'],
    ['timeUpGone', 'FAILED PEER_OFFLINE', 'FAILED EXPIRED'],
  ] as const)('%s: SENT becomes %s, RECEIVED %s', (name, afterSent, afterReceived) => {
    expect([after(SENT, EVENTS[name]), after(RECEIVED, EVENTS[name])]).toEqual([afterSent, afterReceived])
  })

  test('keeps who has answered, and what', () => {
    expect(following(RECEIVED, EVENTS.accept)).toMatchObject({ response: 'yes', answeredBy: 'session-of-bob', revision: 3 })
    expect(following(SENT, EVENTS.refuse)).toMatchObject({ response: 'no', answeredBy: 'session-of-bob', revision: 2 })
    expect(following(RECEIVED, EVENTS.cancel)).not.toHaveProperty('answeredBy')
  })

  test('has as long as its state allows', () => {
    const ended = (['ACCEPTED', 'REFUSED', 'CANCELED', 'FAILED'] as const).map((state) => lasts({ state }, TIMES))
    expect([lasts(SENT, TIMES), lasts(RECEIVED, TIMES), ...ended]).toEqual([30_000, 60_000, ...Array<number>(4).fill(REMEMBERED_MS)])
  })
})

describe('whatever befalls it, in whatever order', () => {
  test('it ends once, and nothing that comes after the end changes anything', () => {
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 12 }), (events) => {
        const records = through(events)
        const end = records.findIndex((record) => !isOpen(record))
        if (end >= 0) for (const record of records.slice(end)) expect(record).toBe(records[end])
      }),
    )
  })

  test('revisions rise by one with each change, and its name and what it says stay', () => {
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 12 }), (events) => {
        const different = [...new Set(through(events))]
        expect(different.map(({ revision }) => revision)).toEqual(different.map((_, index) => index + 1))
        for (const record of different) expect(record).toMatchObject(START)
      }),
    )
  })

  test('a reason belongs to FAILED alone, an answer and who gave it to ACCEPTED and REFUSED alone', () => {
    const answered: readonly InvitationState[] = ['ACCEPTED', 'REFUSED']
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 12 }), (events) => {
        for (const { state, reason, response, answeredBy } of through(events)) {
          expect(reason !== null).toBe(state === 'FAILED')
          expect(answeredBy !== undefined).toBe(answered.includes(state))
          if (!answered.includes(state)) expect(response).toBe('')
        }
      }),
    )
  })

  test('of those that race from one state one is first, and the rest finds an end: so one end is seen whoever tries again', () => {
    fc.assert(
      fc.property(fc.array(anyEvent.filter(({ kind }) => kind !== 'receive'), { minLength: 1, maxLength: 6 }), (racing) => {
        const moved = racing.map((event) => following(RECEIVED, event))
        expect(moved.every((next) => next !== null)).toBe(true)
        const winner = moved[0]
        if (winner != null) for (const event of racing) expect(following(winner, event)).toBeNull()
      }),
    )
  })

  test('it is the same after it was kept or posted, whatever it says, and both sides see all of it but the caller\'s session', () => {
    const said = fc.record({ content: fc.string({ unit: 'binary' }), channelId: fc.string(), timestamp: fc.nat() })
    fc.assert(
      fc.property(said, fc.array(anyEvent, { maxLength: 4 }), (texts, events) => {
        const record = { ...(through(events).at(-1) ?? SENT), ...texts }
        const text = packed(record)
        expect(text).not.toMatch(/[\0-\x1f]/)
        expect(unpacked(record.revision, record.timestamp, text)).toEqual(record)
        expect(postedInvitation([String(record.revision), String(record.timestamp), text])).toEqual(record)
        const { session, ...rest } = record
        expect(session).toBe(START.session)
        expect(shown(record)).toEqual(rest)
      }),
    )
  })
})
