import type { Breach } from './evidence.js'
import type { Edge } from './roster-model.js'
import type { SentInvitation, SentMessage, TalkEvidence, TalkRules, ToldRoster } from './talk.js'

type Kin = 'friend' | 'asked' | 'request' | 'blocked' | 'none'

/**
 * Who has whom (`docs/reliability.md`):
 *
 * - R4: what each user is told of a change, and in the end of the own roster, follows from some order of what was asked for, in which nothing
 *   comes before what had been answered when it was asked for; and it is one order for both of two users. Unless Redis lost friends.
 * - B1: of what is asked for after a block has been acknowledged nothing comes to the other one, and it is refused; and nothing is refused so
 *   where there is no block.
 */
export function checkRosters(evidence: TalkEvidence, { friendsLost }: TalkRules): readonly Breach[] {
  return friendsLost ? [] : [...checkAnswers(evidence), ...checkTold(evidence), ...checkBlocks(evidence)]
}

function checkAnswers({ rosters }: TalkEvidence): readonly Breach[] {
  return rosters.contradictions().map(({ one, other, what }) => ({ invariant: 'R4', where: `the rosters of ${one} and ${other}`, what: `no order explains this: ${what}`, log: rosters.print(one, other) }))
}

/** Each pair of whom at least one was told. */
function checkTold({ rosters, toldRosters, hearers }: TalkEvidence): readonly Breach[] {
  const users = [...new Set(hearers.map(({ user }) => user))].sort()
  return users.flatMap((one, index) =>
    users.slice(index + 1).flatMap((other): readonly Breach[] => {
      const mine = toldRosters.filter(({ user }) => user === one).map((told) => ({ at: told.at, kin: kinOf(told, other) }))
      const theirs = toldRosters.filter(({ user }) => user === other).map((told) => ({ at: told.at, kin: kinOf(told, one) }))
      const times = [...mine, ...theirs].map(({ at }) => at)
      if (times.length === 0) return []
      const isSo = (held: Edge, back: Edge): boolean => mine.every(({ kin }) => kin === kinBy(held, back)) && theirs.every(({ kin }) => kin === kinBy(back, held))
      if (rosters.may(one, other, isSo, Math.min(...times), Math.max(...times))) return []
      const what = [...mine.map(({ kin }) => `${one} is told: ${kin}`), ...theirs.map(({ kin }) => `${other} is told: ${kin}`)].join(', ')
      return [{ invariant: 'R4', where: `the rosters of ${one} and ${other}`, what, log: rosters.print(one, other) }]
    }),
  )
}

function checkBlocks({ rosters, hearers, sent, invited }: TalkEvidence): readonly Breach[] {
  const breaches: Breach[] = []
  const check = (what: string, one: string, other: string, { asked, answered, isBlocked }: SentMessage | SentInvitation, heard: readonly number[]): void => {
    const say = (how: string) => breaches.push({ invariant: 'B1', where: `between ${one} and ${other}`, what: `${what}, asked for at ${asked}, ${how}`, log: rosters.print(one, other) })
    const came = heard.find((at) => rosters.areApart(one, other, asked, at))
    if (came !== undefined) say(`comes at ${came}, and there is a block`)
    if (answered === undefined) return
    if (isBlocked === true && !rosters.mayBeApart(one, other, asked, answered)) say('is refused, and there is no block')
    if (isBlocked !== true && rosters.areApart(one, other, asked, answered)) say('is taken, and there is a block')
  }
  for (const message of sent) {
    const heard = hearers.filter(({ user }) => user === message.to).flatMap(({ messages }) => messages.filter(({ text }) => text === message.text))
    check(`the message ${JSON.stringify(message.text)}`, message.from, message.to, message, heard.map(({ at }) => at))
  }
  for (const call of invited) {
    const rung = hearers.filter(({ user }) => user === call.callee).flatMap(({ invitations }) => invitations.filter(({ invitation }) => invitation.id === call.id))
    check(`the invitation ${call.id}`, call.caller, call.callee, call, rung.map(({ at }) => at))
  }
  return breaches
}

function kinOf({ friends, asked, requests, blocked }: ToldRoster, peer: string): Kin {
  if (friends.includes(peer)) return 'friend'
  if (asked.includes(peer)) return 'asked'
  if (requests.some(({ userId }) => userId === peer)) return 'request'
  return blocked.includes(peer) ? 'blocked' : 'none'
}

/** As the one who holds `held` is told it. */
function kinBy(held: Edge, back: Edge): Kin {
  if (held === 'none') return back === 'friend' ? 'request' : 'none'
  if (held === 'blocked') return 'blocked'
  return back === 'friend' ? 'friend' : 'asked'
}
