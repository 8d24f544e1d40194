import type { Breach } from './evidence.js'
import type { HeardStatus, Hearer, SentStatus, TalkEvidence, TalkRules } from './talk.js'

const ROWS = 40
/** A node may be ahead of the partition's clock by so much, and what is said is rounded, in milliseconds. */
const EARLY_MS = 500

type Say = (invariant: 'R1' | 'R2' | 'R3', from: string, what: string) => void

/**
 * What friends are told (`docs/reliability.md`):
 *
 * - R1: nobody gets a status of somebody who was no friend when it was told, but of the own user that it is gone. What comes was said so.
 * - R2: that somebody is gone is told once at most for each end of a last session, and in the end to every friend who was connected then and
 *   has been since. A loss of data excuses both: friends may be lost with it, and who was away, or is there again, may go again.
 * - R3: what somebody says, once that is acknowledged, has come to every friend who was connected before and has been since; where nothing but
 *   clients failed, for it is kept for nobody.
 */
export function checkStatuses(evidence: TalkEvidence, rules: TalkRules): readonly Breach[] {
  const said = new Map(evidence.statuses.map((status) => [status.text, status]))
  return evidence.hearers.flatMap((hearer): readonly Breach[] => {
    const breaches: Breach[] = []
    const say: Say = (invariant, from, what) => breaches.push({ invariant, where: `statuses of ${from}, as ${hearer.name} sees them`, what, log: logOf(hearer, from, evidence) })
    checkFriends(hearer, said, evidence, say)
    checkFarewells(hearer, evidence, rules, say)
    if (rules.complete) checkCame(hearer, evidence, say)
    return breaches
  })
}

function checkFriends(hearer: Hearer, said: ReadonlyMap<string, SentStatus>, { rosters }: TalkEvidence, say: Say): void {
  for (const notice of hearer.statuses) {
    const { at, id, from, offline, text } = notice
    const asked = offline ? goneAt(notice) : said.get(text)?.from === from ? said.get(text)?.asked : undefined
    if (asked === undefined) say('R1', from, `nobody has said this: ${JSON.stringify(text)}`)
    else if (!rosters.mayBeFriends(from, hearer.user, asked, at) && !(offline && from === hearer.user)) say('R1', from, `${offline ? 'that it is gone' : 'a status'} (${id}) is told to somebody who is no friend`)
  }
}

function checkFarewells(hearer: Hearer, { hearers, rosters, model, at }: TalkEvidence, { lostUntil, friendsLost }: TalkRules, say: Say): void {
  for (const user of new Set(hearers.map((each) => each.user))) {
    const told = hearer.statuses.filter(({ from, offline }) => offline && from === user)
    // The same told again is told once: the id says so.
    const times = new Set(told.map(({ id }) => id)).size
    const ends = model.endsOf(user)
    const most = lostUntil > -Infinity ? 2 * ends.length + model.downsOf(user) : ends.length
    if (times > most) say('R2', user, `it is told ${times} times that it is gone, and it can have gone ${most} times`)
    const since = model.goneSince(user, at)
    if (since === undefined || since <= lostUntil || friendsLost || hearer.connectedSince >= since || !rosters.areFriends(hearer.user, user, since, at)) continue
    if (!told.some((notice) => notice.at >= since)) say('R2', user, `it has been gone since ${since}, and that has not been told`)
  }
}

function checkCame(hearer: Hearer, { statuses, rosters }: TalkEvidence, say: Say): void {
  const heard = new Set(hearer.statuses.map(({ text }) => text))
  for (const { from, text, asked, answered } of statuses) {
    if (answered === undefined || hearer.connectedSince >= asked || heard.has(text) || !rosters.areFriends(from, hearer.user, asked, answered)) continue
    say('R3', from, `${JSON.stringify(text)} was said at ${asked}, and it has not come`)
  }
}

/** Its id says when the user went, by the partition's clock in microseconds. */
function goneAt({ id }: HeardStatus): number {
  return Number(id) / 1_000 - EARLY_MS
}

function logOf({ name, user, statuses, connectedSince }: Hearer, from: string, { rosters }: TalkEvidence): string {
  const rows = statuses.filter((notice) => notice.from === from).slice(-ROWS)
  return [`${name}, connected since ${connectedSince}, was told by ${from}:`, ...rows.map(({ at, id, offline, text }) => `  ${at}: ${id} ${offline ? 'offline' : JSON.stringify(text)}`), rosters.print(from, user)].join('\n')
}
