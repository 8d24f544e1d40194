import type { Breach } from './evidence.js'
import type { Hearer, TalkEvidence, TalkRules } from './talk.js'

const ROWS = 40

/**
 * What friends are told (`docs/reliability.md`):
 *
 * - R1: nobody gets a status of somebody who is no friend, but of the own user that it is gone.
 * - R2: that somebody is gone is told once at most for each end of a last session, and in the end to every friend who was connected then and
 *   has been since. A loss of data excuses both: friends may be lost with it, and who was away, or is there again, may go again.
 */
export function checkStatuses({ hearers, friends, model, at }: TalkEvidence, { lostUntil, friendsLost }: TalkRules): readonly Breach[] {
  const users = new Set(hearers.map(({ user }) => user))
  return hearers.flatMap((hearer): readonly Breach[] => {
    const breaches: Breach[] = []
    const mine = friends.get(hearer.user) ?? new Set<string>()
    const say = (invariant: 'R1' | 'R2', from: string, what: string) => breaches.push({ invariant, where: `statuses of ${from}, as ${hearer.name} sees them`, what, log: logOf(hearer, from) })
    for (const { from, id, offline } of hearer.statuses) {
      if (!mine.has(from) && !(offline && from === hearer.user)) say('R1', from, `${offline ? 'that it is gone' : 'a status'} (${id}) is told to somebody who is no friend`)
    }
    for (const user of users) {
      const told = hearer.statuses.filter(({ from, offline }) => offline && from === user)
      // The same told again is told once: the id says so.
      const times = new Set(told.map(({ id }) => id)).size
      const ends = model.endsOf(user)
      const most = lostUntil > -Infinity ? 2 * ends.length + model.downsOf(user) : ends.length
      if (times > most) say('R2', user, `it is told ${times} times that it is gone, and it can have gone ${most} times`)
      const since = model.goneSince(user, at)
      if (since === undefined || since <= lostUntil || friendsLost || !mine.has(user) || hearer.connectedSince >= since) continue
      if (!told.some((notice) => notice.at >= since)) say('R2', user, `it has been gone since ${since}, and that has not been told`)
    }
    return breaches
  })
}

function logOf({ name, statuses, connectedSince }: Hearer, from: string): string {
  const rows = statuses.filter((notice) => notice.from === from).slice(-ROWS)
  return [`${name}, connected since ${connectedSince}, was told by ${from}:`, ...rows.map(({ at, id, offline }) => `  ${at}: ${id}${offline ? ' offline' : ''}`)].join('\n')
}
