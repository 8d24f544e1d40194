import { describe, expect, test } from '@jest/globals'

import type { Invitation, InvitationState } from '../../src/protocol/invitations.js'
import { checkTalk, print } from './checker.js'
import { PresenceModel } from './presence-model.js'
import { RosterModel, type RosterChange, type RosterOutcome } from './roster-model.js'
import type { Answer, HeardInvitation, HeardMessage, HeardStatus, Hearer, SentInvitation, SentMessage, TalkEvidence, TalkRules, ToldRoster } from './talk.js'

const NOW = 10_000
const RULES: TalkRules = { lostUntil: -Infinity, friendsLost: false, complete: true, receiptMs: 1_000, answerMs: 2_000 }
/** Redis lost something up to here; the story is older. */
const LOST = { ...RULES, lostUntil: 9_000 }
const ANN = 'ann/0'
const CALL = 'call-0001'

function hearer(name: string, more: Partial<Hearer> = {}): Hearer {
  const [user = ''] = name.split('/')
  return { name, user, isPlain: false, messages: [], statuses: [], invitations: [], session: 1, sessionSince: 0, connectedSince: 0, ...more }
}

/** What ann says to bob, in this order. */
function saying(text: string, more: Partial<SentMessage> = {}): SentMessage {
  return { by: ANN, from: 'ann', session: 1, to: 'bob', text, waits: false, asked: 1_000, received: true, ...more }
}

function heard(text: string, more: Partial<HeardMessage> = {}): HeardMessage {
  return { at: 1_010, session: 1, connection: 1, id: `s:${text}:ann`, from: 'ann', text, ...more }
}

/** The id is a time in microseconds. */
const gone = (id: string, at: number, from = 'carl'): HeardStatus => ({ at, id, from, offline: true, text: '' })
const here = (text = 'here', from = 'ann'): HeardStatus => ({ at: 510, id: `s-${text}`, from, offline: false, text })

/** What somebody asks of the roster, from one moment to another; without an end, nobody knows what came of it. */
type Asking = readonly [what: RosterChange, by: string, to: string, asked: number, answered?: number, outcome?: RosterOutcome, isFriend?: boolean]

const FRIENDS: readonly Asking[] = [
  ['add', 'ann', 'bob', 110, 120, 'done', false],
  ['add', 'bob', 'ann', 130, 140, 'done', true],
  ['add', 'ann', 'carl', 150, 160],
  ['add', 'carl', 'ann', 170, 180],
]

function rosters(...askings: readonly Asking[]): RosterModel {
  const model = new RosterModel()
  const steps = [...FRIENDS, ...askings].flatMap(([what, by, to, asked, answered, outcome = 'done', isFriend]) => {
    let answer: ReturnType<RosterModel['asking']> = () => undefined
    return [
      { at: asked, run: () => void (answer = model.asking(what, by, to, asked)) },
      ...(answered === undefined ? [] : [{ at: answered, run: () => answer(outcome, answered, isFriend) }]),
    ]
  })
  for (const { run } of steps.sort((a, b) => a.at - b.at)) run()
  return model
}

const told = (user: string, more: Partial<ToldRoster> = {}): ToldRoster => ({ user, at: NOW, friends: [], asked: [], requests: [], blocked: [], ...more })
const TOLD = [told('ann', { friends: ['bob', 'carl'] }), told('bob', { friends: ['ann'] }), told('carl', { friends: ['ann'] }), told('dora')] as const

/** As ann's and bob's clients are told it. */
function call(state: InvitationState, revision: number, timestamp: number, more: Partial<Invitation> = {}): Invitation {
  return { id: CALL, caller: 'ann', callee: 'bob', content: 'hello', channelId: '', response: '', state, reason: null, revision, timestamp, ...more }
}

const log = (...invitations: readonly Invitation[]): readonly HeardInvitation[] => invitations.map((invitation) => ({ at: invitation.timestamp, session: 1, invitation, isLocal: false }))

const RANG = [call('SENT', 1, 3_000), call('RECEIVED', 2, 3_010)] as const
const ACCEPTED = call('ACCEPTED', 3, 3_500, { response: 'yes', answeredBy: 'b' })
const EXPIRED = call('FAILED', 3, 5_010, { reason: 'EXPIRED' })
const INVITED: SentInvitation = { by: ANN, caller: 'ann', callee: 'bob', id: CALL, content: 'hello', asked: 2_990 }

/** Ann and both of bob's tabs are there; carl logs out at 4,000, and is a friend of ann's. Dora is nobody's. */
function story(): PresenceModel {
  const model = new PresenceModel()
  for (const session of [ANN, 'bob/0', 'bob/1', 'carl/0', 'dora/0']) model.session(session, session.split('/')[0] ?? '', 1_000, 100)
  model.ending('carl/0', 4_000)
  return model
}

function evidence(more: Partial<TalkEvidence> = {}): TalkEvidence {
  return {
    at: NOW,
    hearers: [
      hearer(ANN, { statuses: [gone('4000000', 4_010)], invitations: log(...RANG, ACCEPTED) }),
      hearer('bob/0', { messages: [heard('one'), heard('two')], statuses: [here()], invitations: log(...RANG, ACCEPTED) }),
      hearer('bob/1', { messages: [heard('one'), heard('two')], statuses: [here()], invitations: log(...RANG, ACCEPTED) }),
      hearer('carl/0', { connectedSince: Infinity }),
      hearer('dora/0'),
    ],
    sent: [saying('one'), saying('two', { waits: true })],
    statuses: [{ by: ANN, from: 'ann', text: 'here', asked: 500, answered: 520 }],
    invited: [INVITED],
    answers: [{ callee: 'bob', id: CALL, state: 'ACCEPTED', response: 'yes' }],
    rosters: rosters(),
    toldRosters: TOLD,
    model: story(),
    ...more,
  }
}

const breachesOf = (more: Partial<TalkEvidence>, rules = RULES) => checkTalk(evidence(more), rules).breaches.map(({ invariant, what }) => `${invariant} ${what}`)

/** The same story, but that these clients heard something else. */
const heardOtherwise = (...others: readonly Hearer[]): Partial<TalkEvidence> => ({ hearers: evidence().hearers.map((one) => others.find(({ name }) => name === one.name) ?? one) })
const withMessages = (name: string, messages: readonly HeardMessage[], more: Partial<Hearer> = {}) => ({ ...hearer(name), ...evidence().hearers.find((one) => one.name === name), messages, ...more })
const withStatuses = (name: string, statuses: readonly HeardStatus[], more: Partial<Hearer> = {}) => ({ ...hearer(name), ...evidence().hearers.find((one) => one.name === name), statuses, ...more })
const withCalls = (name: string, invitations: readonly HeardInvitation[], more: Partial<Hearer> = {}) => ({ ...hearer(name), ...evidence().hearers.find((one) => one.name === name), invitations, ...more })

test('a true story has no breach', () => {
  const { breaches, events } = checkTalk(evidence(), RULES)
  expect(print(breaches)).toBe('')
  expect(events).toBe(16)
})

describe('the checker finds', () => {
  const nobodyHas = (...rows: readonly HeardMessage[]) => heardOtherwise(withMessages('bob/0', rows), withMessages('bob/1', rows))

  test('M1: a message that counts as received and has reached nobody, whatever Redis lost', () => {
    for (const rules of [RULES, LOST]) expect(breachesOf(nobodyHas(heard('two')), rules)).toEqual([expect.stringMatching(/^M1 "one" .*it has reached nobody$/)])
  })

  test('M2: a message that comes twice, also under another id; at a plain client over one connection, unless Redis lost data', () => {
    const twice = [heard('one'), heard('two'), heard('two', { connection: 2 })]
    for (const rules of [RULES, LOST]) expect(breachesOf(heardOtherwise(withMessages('bob/0', twice)), rules)).toEqual([expect.stringContaining('M2 "two" comes twice')])
    expect(breachesOf(heardOtherwise(withMessages('bob/0', [heard('one'), heard('two'), heard('two', { id: 'other' })])))).toEqual(['M2 "two" comes twice, as s:two:ann and as other'])
    expect(breachesOf(heardOtherwise(withMessages('bob/0', twice, { isPlain: true })))).toEqual([])
    const atOnce = heardOtherwise(withMessages('bob/0', [heard('one'), heard('two'), heard('two')], { isPlain: true }))
    expect(breachesOf(atOnce)).toEqual([expect.stringContaining('M2')])
    expect(breachesOf(atOnce, LOST)).toEqual([])
  })

  test('M3: messages of one session in another order; those of two sessions have none', () => {
    const turned = heardOtherwise(withMessages('bob/0', [heard('two'), heard('one')]))
    for (const rules of [RULES, LOST]) expect(breachesOf(turned, rules)).toEqual(['M3 "one" comes after "two", and was sent before it'])
    expect(breachesOf({ ...turned, sent: [saying('one'), saying('two', { session: 2 })] })).toEqual([])
    expect(breachesOf(heardOtherwise(withMessages('bob/0', [heard('two'), heard('one', { session: 2 })])))).toEqual([])
  })

  test('M4: one that waits and does not come; one that only one of two sessions gets', () => {
    const lost = { ...nobodyHas(heard('one')), sent: [saying('one'), saying('two', { waits: true, received: false })] }
    expect(breachesOf(lost)).toEqual([expect.stringMatching(/^M4 "two" .*it has not come$/)])
    expect(breachesOf(lost, LOST)).toEqual([])
    // Who does not know whether it was sent, and who need not be sent it.
    const { received, ...unknown } = saying('two', { waits: true })
    expect(received).toBe(true)
    for (const two of [unknown, saying('two', { received: false })]) expect(breachesOf({ ...lost, sent: [saying('one'), two] })).toEqual([])
    const away = { connectedSince: Infinity }
    expect(breachesOf({ ...lost, ...heardOtherwise(withMessages('bob/0', [heard('one')], away), withMessages('bob/1', [heard('one')], away)) })).toEqual([])

    const missed = (more: Partial<Hearer>) => heardOtherwise(withMessages('bob/1', [heard('one')], more))
    expect(breachesOf(missed({}))).toEqual([expect.stringMatching(/^M4 "two" .*another session has it, and this one has not$/)])
    expect(breachesOf(missed({}), LOST)).toEqual([])
    for (const more of [{ sessionSince: 1_500 }, away]) expect(breachesOf(missed(more))).toEqual([])
  })

  test('M5: a text that nobody has sent, or not this user, or not to this one', () => {
    for (const wrong of [heard('two!'), heard('two', { from: 'carl' })]) {
      expect(breachesOf(heardOtherwise(withMessages('bob/0', [heard('one'), heard('two'), wrong])))).toContainEqual(expect.stringContaining('M5 nobody has sent bob this'))
    }
    expect(breachesOf(heardOtherwise(withMessages('dora/0', [heard('two')])))).toEqual(['M5 nobody has sent dora this: "two"'])
  })

  test('R1: a status of somebody who is no friend, and that such a one is gone', () => {
    for (const rules of [RULES, LOST]) {
      expect(breachesOf(heardOtherwise(withStatuses('dora/0', [here()])), rules)).toEqual([expect.stringContaining('R1 a status (s-here) is told')])
    }
    expect(breachesOf(heardOtherwise(withStatuses('dora/0', [gone('4000000', 4_010)])))).toEqual([expect.stringContaining('R1 that it is gone (4000000) is told')])
    // The own user's last session is gone, and another one is there by now.
    expect(breachesOf(heardOtherwise(withStatuses('carl/0', [gone('4000000', 4_010)])))).toEqual([])
  })

  test('R2: somebody who is gone more often than may be', () => {
    const two = heardOtherwise(withStatuses(ANN, [gone('4000000', 4_010), gone('4000001', 4_020)]))
    expect(breachesOf(two)).toEqual(['R2 it is told 2 times that it is gone, and it can have gone 1 times'])
    expect(breachesOf(two, LOST)).toEqual([])
    expect(breachesOf(heardOtherwise(withStatuses(ANN, [gone('4000000', 4_010), gone('4000000', 4_020)])))).toEqual([])
    const bob = heardOtherwise(withStatuses(ANN, [gone('4000000', 4_010), gone('4900000', 5_000, 'bob')]))
    expect(breachesOf(bob)).toEqual(['R2 it is told 1 times that it is gone, and it can have gone 0 times'])
    // One of two tabs logs out, or is away for too long.
    const model = story()
    model.ending('bob/1', 4_900)
    expect(breachesOf({ ...bob, model })).toEqual([expect.stringContaining('R2')])
    model.down('bob/0', 6_000)
    model.session('bob/0#2', 'bob', 1_000, 7_100)
    expect(breachesOf({ ...bob, model })).toEqual([])
  })

  test('R2: somebody who is gone, and a friend who is not told', () => {
    const untold = (more: Partial<Hearer> = {}) => heardOtherwise(withStatuses(ANN, [], more))
    expect(breachesOf(untold())).toEqual(['R2 it has been gone since 4000, and that has not been told'])
    expect(breachesOf(untold({ connectedSince: 4_100 }))).toEqual([])
    expect(breachesOf(untold(), LOST)).toEqual([])
    expect(breachesOf(untold(), { ...RULES, friendsLost: true })).toEqual([])
    const model = story()
    model.session('carl/0#2', 'carl', 1_000, 4_050)
    expect(breachesOf({ ...untold(), model })).toEqual([])
    model.down('carl/0#2', 5_000)
    expect(breachesOf({ ...untold(), model })).toEqual(['R2 it has been gone since 6000, and that has not been told'])
  })

  test('R1: a status that nobody has said, and one of a friend who was none any more, or not yet', () => {
    expect(breachesOf(heardOtherwise(withStatuses('bob/0', [here(), here('there')])))).toEqual(['R1 nobody has said this: "there"'])
    expect(breachesOf({ rosters: rosters(['remove', 'bob', 'ann', 400, 450]), toldRosters: [] })).toEqual(Array(2).fill(expect.stringContaining('R1 a status (s-here) is told')))
    expect(breachesOf({ rosters: rosters(['remove', 'bob', 'ann', 400, 505]), toldRosters: [] })).toEqual([])
    expect(breachesOf({ rosters: rosters(['remove', 'carl', 'ann', 3_000, 3_100]), toldRosters: [] })).toEqual([expect.stringContaining('R1 that it is gone')])
  })

  test('R3: what was said, and has not come to a friend who was there', () => {
    const unheard = (more: Partial<Hearer> = {}) => heardOtherwise(withStatuses('bob/1', [], more))
    expect(breachesOf(unheard())).toEqual(['R3 "here" was said at 500, and it has not come'])
    for (const more of [{ connectedSince: 505 }, { connectedSince: Infinity }]) expect(breachesOf(unheard(more))).toEqual([])
    expect(breachesOf(unheard(), { ...RULES, complete: false })).toEqual([])
    expect(breachesOf({ ...unheard(), statuses: [{ by: ANN, from: 'ann', text: 'here', asked: 500 }] })).toEqual([])
    expect(breachesOf({ ...unheard(), rosters: rosters(['block', 'bob', 'ann', 510]), toldRosters: [] })).toEqual([])
  })

  test('R4: a roster that follows from no order of what was asked for, or from another one than the other side\'s', () => {
    const listed = (...others: readonly ToldRoster[]) => TOLD.map((one) => others.find(({ user }) => user === one.user) ?? one)
    const carlIsOut = { rosters: rosters(['remove', 'carl', 'ann', 5_000, 5_010]), toldRosters: listed(told('ann', { friends: ['bob'] }), told('carl')) }
    expect(breachesOf(carlIsOut)).toEqual([])
    expect(breachesOf({ ...carlIsOut, toldRosters: listed(told('carl')) })).toEqual(['R4 ann is told: friend, carl is told: none'])
    expect(breachesOf({ ...carlIsOut, rosters: rosters() })).toEqual(['R4 ann is told: none, carl is told: none'])
    // Of two that are under way at once either may be the later one, but for both sides the same.
    const atOnce = rosters(['remove', 'carl', 'ann', 5_000, 5_010], ['add', 'ann', 'carl', 5_005, 5_015])
    const both = (anns: Partial<ToldRoster>, carls: Partial<ToldRoster>) => breachesOf({ rosters: atOnce, toldRosters: listed(told('ann', { friends: ['bob'], ...anns }), told('carl', carls)) })
    expect(both({}, {})).toEqual([])
    expect(both({ asked: ['carl'] }, { requests: [{ userId: 'ann', message: '' }] })).toEqual([])
    expect(both({ asked: ['carl'] }, {})).toEqual(['R4 ann is told: asked, carl is told: none'])
    // Whose answer nobody has, it may have been done, or be done later.
    for (const carls of [told('carl', { blocked: ['ann'] }), told('carl', { friends: ['ann'] })]) {
      const anns = told('ann', carls.blocked.length > 0 ? { friends: ['bob'], asked: ['carl'] } : { friends: ['bob', 'carl'] })
      expect(breachesOf({ rosters: rosters(['block', 'carl', 'ann', 5_000]), toldRosters: listed(anns, carls) })).toEqual([])
    }
  })

  test('R4: an answer that no order explains; unless Redis lost friends', () => {
    const blocked: readonly Asking[] = [['block', 'bob', 'dora', 1_000, 1_010]]
    const added = (...asking: Asking) => ({ rosters: rosters(...blocked, asking), toldRosters: [] })
    expect(breachesOf(added('add', 'dora', 'bob', 1_020, 1_030, 'refused'))).toEqual([])
    const taken = added('add', 'dora', 'bob', 1_020, 1_030)
    expect(breachesOf(taken)).toEqual(['R4 no order explains this: dora asks at 1020 to add bob: done at 1030'])
    expect(breachesOf(taken, { ...RULES, friendsLost: true })).toEqual([])
    expect(breachesOf(added('add', 'dora', 'bob', 1_005, 1_030))).toEqual([])
    expect(breachesOf(added('add', 'dora', 'ann', 1_020, 1_030, 'refused'))).toEqual([expect.stringContaining('R4 no order explains this')])
    expect(breachesOf(added('add', 'dora', 'ann', 1_020, 1_030, 'done', true))).toEqual([expect.stringMatching(/^R4 .* is answered that they are friends$/)])
  })

  test('B1: what is sent after a block, and comes, or is taken; what is refused without one', () => {
    const block = (by: string, to: string) => ({ rosters: rosters(['block', by, to, 900, 950]), toldRosters: [] })
    const refused = { sent: [saying('one', { answered: 1_005 }), { ...saying('two'), answered: 1_005, isBlocked: true as const }], ...heardOtherwise(withMessages('bob/0', [heard('one')]), withMessages('bob/1', [heard('one')])) }
    const only = (found: readonly string[]) => found.filter((each) => each.startsWith('B1'))
    for (const [by, to] of [['ann', 'bob'], ['bob', 'ann']] as const) {
      expect(only(breachesOf(block(by, to)))).toEqual([
        'B1 the message "one", asked for at 1000, comes at 1010, and there is a block',
        'B1 the message "two", asked for at 1000, comes at 1010, and there is a block',
        `B1 the invitation ${CALL}, asked for at 2990, comes at 3000, and there is a block`,
      ])
      expect(only(breachesOf({ ...block(by, to), ...refused }))).toEqual([
        'B1 the message "one", asked for at 1000, comes at 1010, and there is a block',
        'B1 the message "one", asked for at 1000, is taken, and there is a block',
        expect.stringContaining('B1 the invitation'),
      ])
    }
    expect(only(breachesOf(refused))).toEqual(['B1 the message "two", asked for at 1000, is refused, and there is no block'])
    // Lifted meanwhile, or made only then.
    expect(only(breachesOf({ rosters: rosters(['block', 'bob', 'ann', 900, 950], ['remove', 'bob', 'ann', 990, 1_001]), toldRosters: [] }))).toEqual([])
    expect(only(breachesOf({ rosters: rosters(['block', 'bob', 'ann', 1_000, 1_002], ['remove', 'bob', 'ann', 2_900, 2_950]), toldRosters: [] }))).toEqual([])
  })

  const both = (...invitations: readonly Invitation[]) => heardOtherwise(...[ANN, 'bob/0', 'bob/1'].map((name) => withCalls(name, log(...invitations))))

  test('V1: an invitation that does not end, or not in one way', () => {
    const open = heardOtherwise(withCalls(ANN, log(...RANG)))
    for (const rules of [RULES, LOST]) expect(breachesOf(open, rules)).toEqual(['V1 it is still RECEIVED'])
    expect(breachesOf(heardOtherwise(withCalls(ANN, log(...RANG), { connectedSince: Infinity })))).toEqual([])
    expect(breachesOf(heardOtherwise(withCalls(ANN, log(...RANG), { session: 2 })))).toEqual([])
    const apart = heardOtherwise(withCalls(ANN, log(...RANG, EXPIRED)))
    expect(breachesOf(apart)).toContainEqual(expect.stringContaining('V1 it has ended in several ways: FAILED EXPIRED for ann/0, ACCEPTED for bob/1'))
    expect(breachesOf(apart, LOST)).toEqual([])
  })

  test('V1: an end that nobody brought about, or before its time', () => {
    expect(breachesOf({ answers: [] })).toEqual(['V1 nobody has answered so: ACCEPTED "yes"'])
    expect(breachesOf({ answers: [{ callee: 'bob', id: CALL, state: 'ACCEPTED', response: 'no' }] })).toEqual([expect.stringContaining('V1 nobody has answered so')])
    expect(breachesOf(heardOtherwise(withCalls('bob/0', []), withCalls('bob/1', [])))).toEqual(['V1 it counts as received, and nobody has heard of it'])
    const canceled = both(...RANG, call('CANCELED', 3, 3_600))
    expect(breachesOf(canceled)).toEqual(['V1 nobody has cancelled it'])
    expect(breachesOf({ ...canceled, invited: [{ ...INVITED, isCanceled: true }] })).toEqual([])
    expect(breachesOf(both(...RANG, EXPIRED))).toEqual([])
    expect(breachesOf(both(...RANG, { ...EXPIRED, timestamp: 4_500 }))).toEqual(['V1 it has FAILED (EXPIRED) after 1490 ms, and there are 2000'])
    expect(breachesOf(both(call('SENT', 1, 3_000), call('FAILED', 2, 3_700, { reason: 'PEER_NO_RESPONSE' })))).toEqual([expect.stringContaining('V1 it has FAILED (PEER_NO_RESPONSE) after 700 ms')])
    expect(breachesOf({ invited: [{ ...INVITED, content: 'hullo' }] })).toEqual(['V1 ann says "hello", and what was sent is "hullo"'])
  })

  test('V2: a state that goes back, an end after an end, one revision that is two things', () => {
    const back = heardOtherwise(withCalls(ANN, log(RANG[1], RANG[0], ACCEPTED)))
    for (const rules of [RULES, LOST]) expect(breachesOf(back, rules)).toEqual(['V2 SENT @1 comes after RECEIVED @2'])
    expect(breachesOf(both(...RANG, ACCEPTED, { ...EXPIRED, revision: 4, timestamp: 5_500 }))).toContainEqual('V2 FAILED EXPIRED @4 comes after ACCEPTED @3')
    const again = [...log(...RANG, call('CANCELED', 3, 3_400)).map((entry, index) => ({ ...entry, isLocal: index === 2 })), ...log(RANG[1], ACCEPTED).map((entry) => ({ ...entry, session: 2 }))]
    expect(breachesOf(heardOtherwise(withCalls('bob/0', again, { session: 2 })))).toEqual([])
    expect(breachesOf(heardOtherwise(withCalls('bob/0', log(RANG[0], call('FAILED', 2, 4_010, { reason: 'PEER_NO_RESPONSE' })))))).toContainEqual('V2 revision 2 is FAILED PEER_NO_RESPONSE, and RECEIVED for somebody else')
  })
  test('V2: two who were told that they have ended it; one who was told so, and it has ended otherwise', () => {
    const yes: Answer = { callee: 'bob', id: CALL, state: 'ACCEPTED', response: 'yes', hasWon: true }
    const { hasWon: _, ...unanswered } = yes
    const no: Answer = { callee: 'bob', id: CALL, state: 'REFUSED', response: 'no' }
    expect(breachesOf({ answers: [yes, no] })).toEqual([])
    expect(breachesOf({ answers: [yes, { ...no, hasWon: true }] })).toEqual(['V2 several were told that they have ended it: ACCEPTED "yes", REFUSED "no"'])
    expect(breachesOf({ answers: [yes, no], invited: [{ ...INVITED, isCanceled: true, hasWon: true }] })).toEqual([expect.stringContaining('V2 several were told')])
    expect(breachesOf({ answers: [unanswered, { ...no, hasWon: true }] })).toEqual(['V2 somebody was told that it is REFUSED "no", and it is ACCEPTED "yes"'])
    const other = heardOtherwise(withCalls('bob/1', log(...RANG, { ...ACCEPTED, response: 'yes!' })))
    expect(breachesOf(other)).toContainEqual('V2 revision 3 is ACCEPTED "yes!", and ACCEPTED "yes" for somebody else')
  })
})
