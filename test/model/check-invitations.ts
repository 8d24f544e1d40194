import { isOpen, type Invitation } from '../../src/protocol/invitations.js'
import type { Breach } from './evidence.js'
import { invitationKey, type Answer, type HeardInvitation, type Hearer, type SentInvitation, type TalkEvidence, type TalkRules } from './talk.js'

/** A node may be ahead of the partition's clock by so much, and a timestamp is rounded, in milliseconds. */
const EARLY_MS = 150
const RANKS = { SENT: 1, RECEIVED: 2, ACCEPTED: 3, REFUSED: 3, CANCELED: 3, FAILED: 3 } as const

/**
 * Invitations (`docs/reliability.md`):
 *
 * - V1: each ends, and those of both sides who are there see the same end. What is said of it was so: it was received, answered or cancelled
 *   by somebody, or its time was over. When Redis has lost it, the two sides may see different ends, but both see one.
 * - V2: at each session its states go forward, and end; and one revision of it is the same for all. Of those who answer it or take it back
 *   one at most is told that it is so, and then it ends so.
 */
export function checkInvitations({ hearers, invited, answers }: TalkEvidence, { lostUntil, receiptMs, answerMs }: TalkRules): readonly Breach[] {
  const heard = byInvitation(hearers)
  const answered = new Set(answers.map(answerKey))
  return invited.flatMap((sent): readonly Breach[] => {
    const logs = heard.get(invitationKey(sent)) ?? []
    const breaches: Breach[] = []
    const say = (invariant: 'V1' | 'V2', what: string, who?: Hearer) =>
      breaches.push({ invariant, where: `invitation ${sent.id} of ${sent.by} to ${sent.callee}${who === undefined ? '' : `, as ${who.name} sees it`}`, what, log: logOf(sent, logs) })
    const isKept = sent.asked > lostUntil
    checkEnds(logs, isKept, say)
    checkForward(logs, say)
    if (!isKept) return breaches
    checkRevisions(logs, say)
    checkWinner(sent, answers, logs, say)
    const told = logs.flatMap(({ entries }) => entries.filter(({ isLocal }) => !isLocal).map(({ invitation }) => invitation))
    checkCauses(sent, told, { isHeard: logs.some(({ hearer }) => hearer.user === sent.callee), answered }, (what) => say('V1', what))
    checkTimes(told, { receiptMs, answerMs }, (what) => say('V1', what))
    return breaches
  })
}

/** What one client was told of one invitation. */
interface Log {
  readonly hearer: Hearer
  readonly entries: readonly HeardInvitation[]
}

type Say = (invariant: 'V1' | 'V2', what: string, who?: Hearer) => void

/** Of those who have a connection, and have heard of it in the session that they have now. */
function checkEnds(logs: readonly Log[], isKept: boolean, say: Say): void {
  const ends = new Map<string, Hearer>()
  for (const { hearer, entries } of logs) {
    const last = entries.filter(({ session, isLocal }) => session === hearer.session && !isLocal).at(-1)
    if (last === undefined || hearer.connectedSince === Infinity) continue
    if (isOpen(last.invitation)) say('V1', `it is still ${last.invitation.state}`, hearer)
    else ends.set(endOf(last.invitation), hearer)
  }
  if (isKept && ends.size > 1) say('V1', `it has ended in several ways: ${[...ends].map(([end, { name }]) => `${end} for ${name}`).join(', ')}`)
}

function checkForward(logs: readonly Log[], say: Say): void {
  for (const { hearer, entries } of logs) {
    const last = new Map<number, Invitation>()
    for (const { session, invitation } of entries) {
      const before = last.get(session)
      if (before !== undefined && (RANKS[invitation.state] <= RANKS[before.state] || invitation.revision <= before.revision)) {
        say('V2', `${endOf(invitation)} @${invitation.revision} comes after ${endOf(before)} @${before.revision}`, hearer)
      }
      last.set(session, invitation)
    }
  }
}

function checkRevisions(logs: readonly Log[], say: Say): void {
  const known = new Map<number, string>()
  for (const { hearer, entries } of logs) {
    for (const { invitation, isLocal } of entries) {
      if (isLocal) continue
      const [before, state] = [known.get(invitation.revision), outcomeOf(invitation)]
      if (before !== undefined && before !== state) say('V2', `revision ${invitation.revision} is ${state}, and ${before} for somebody else`, hearer)
      known.set(invitation.revision, state)
    }
  }
}

/** Calls that were told that it has ended as they wanted. */
function checkWinner({ callee, id, hasWon }: SentInvitation, answers: readonly Answer[], logs: readonly Log[], say: Say): void {
  const winners = answers.filter((answer) => answer.callee === callee && answer.id === id && answer.hasWon === true).map(outcomeOf)
  if (hasWon === true) winners.push('CANCELED')
  if (winners.length > 1) say('V2', `several were told that they have ended it: ${winners.join(', ')}`)
  const [winner] = winners
  const ends = new Set(logs.flatMap(({ entries }) => entries.filter(({ isLocal, invitation }) => !isLocal && !isOpen(invitation)).map(({ invitation }) => outcomeOf(invitation))))
  for (const end of ends) if (winner !== undefined && end !== winner) say('V2', `somebody was told that it is ${winner}, and it is ${end}`)
}

function checkCauses(sent: SentInvitation, told: readonly Invitation[], { isHeard, answered }: { readonly isHeard: boolean; readonly answered: ReadonlySet<string> }, say: (what: string) => void): void {
  const wrong = told.find(({ content, caller }) => content !== sent.content || caller !== sent.caller)
  if (wrong !== undefined) say(`${wrong.caller} says ${JSON.stringify(wrong.content)}, and what was sent is ${JSON.stringify(sent.content)}`)
  for (const { callee, id, state, response } of new Map(told.map((invitation) => [invitation.revision, invitation])).values()) {
    if (state === 'RECEIVED' && !isHeard) say('it counts as received, and nobody has heard of it')
    if ((state === 'ACCEPTED' || state === 'REFUSED') && !answered.has(answerKey({ callee, id, state, response }))) say(`nobody has answered so: ${state} ${JSON.stringify(response)}`)
    if (state === 'CANCELED' && sent.isCanceled !== true) say('nobody has cancelled it')
  }
}

/** What ended because its time was over did not end before. All times are Redis's. */
function checkTimes(told: readonly Invitation[], { receiptMs, answerMs }: Pick<TalkRules, 'receiptMs' | 'answerMs'>, say: (what: string) => void): void {
  const at = (state: Invitation['state']): number | undefined => told.find((invitation) => invitation.state === state)?.timestamp
  const end = told.find(({ state }) => state === 'FAILED')
  const [from, ms] = end?.reason === 'PEER_NO_RESPONSE' ? [at('SENT'), receiptMs] : end?.reason === 'EXPIRED' ? [at('RECEIVED'), answerMs] : [undefined, 0]
  if (end !== undefined && from !== undefined && end.timestamp < from + ms - EARLY_MS) say(`it has FAILED (${String(end.reason)}) after ${end.timestamp - from} ms, and there are ${ms}`)
}

function byInvitation(hearers: readonly Hearer[]): ReadonlyMap<string, readonly Log[]> {
  const logs = new Map<string, Log[]>()
  for (const hearer of hearers) {
    const mine = new Map<string, HeardInvitation[]>()
    for (const entry of hearer.invitations) {
      const key = invitationKey(entry.invitation)
      const entries = mine.get(key)
      if (entries === undefined) mine.set(key, [entry])
      else entries.push(entry)
    }
    for (const [key, entries] of mine) logs.set(key, [...(logs.get(key) ?? []), { hearer, entries }])
  }
  return logs
}

function endOf({ state, reason }: Pick<Invitation, 'state' | 'reason'>): string {
  return reason === null ? state : `${state} ${reason}`
}

/** With what was answered: two may answer alike. */
function outcomeOf({ response, ...end }: Pick<Invitation, 'state' | 'response'> & { readonly reason?: Invitation['reason'] }): string {
  const state = endOf({ reason: null, ...end })
  return response === '' ? state : `${state} ${JSON.stringify(response)}`
}

function answerKey({ callee, id, state, response }: Answer): string {
  return [callee, id, state, response].join('\0')
}

function logOf({ id, callee, asked }: SentInvitation, logs: readonly Log[]): string {
  const rows = logs.flatMap(({ hearer, entries }) =>
    entries.map(({ at, session, invitation, isLocal }) => `  ${at} ${hearer.name}, session ${session}: ${endOf(invitation)} @${invitation.revision}, ${invitation.timestamp}${isLocal ? ', as it logs out' : ''}`),
  )
  return [`invitation ${id} to ${callee}, asked for at ${asked}:`, ...rows].join('\n')
}
