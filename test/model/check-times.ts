import type { Breach, Evidence, Published, Watched } from './evidence.js'

/** News of Redis may be under way so long, in milliseconds; a wall clock that is wrong enough to matter is further off. */
const UNDER_WAY_MS = 10_000
/** No story lasts as long, in milliseconds: nobody has been there since before. */
const STORY_MS = 30 * 60_000
/** Their times are the node's own (`docs/protocol.md`), or those of several changes. */
const NO_CHANGE = ['SNAPSHOT', 'ERROR_OUT_OF_SERVICE', 'INTERVAL']

/** I8: every time that anybody is told is Redis's own, and none is that of a node's wall clock. */
export function checkTimes({ published, watched }: Pick<Evidence, 'published' | 'watched'>): readonly Breach[] {
  const times = new Map(published.flatMap(({ channel, time, changes }) => changes.map(({ version }) => [`${channel} ${version}`, time] as const)))
  return [...published.flatMap(checkPublishedTimes), ...watched.flatMap((one) => checkToldTimes(one, times))]
}

function checkPublishedTimes({ channel, time, heardAt, changes }: Published): readonly Breach[] {
  const breaches: Breach[] = []
  const say = (what: string) => breaches.push({ invariant: 'I8', where: `${channel}, as Redis published it`, what })
  if (!(Math.abs(heardAt - time) <= UNDER_WAY_MS)) say(`changes of ${time}, heard at ${heardAt} by Redis's clock`)
  for (const { kind, user, joinedAt } of changes) {
    if (joinedAt === undefined) continue
    if (kind === 'join' && joinedAt !== time) say(`${user} joins at ${time}, and is said to be there since ${joinedAt}`)
    else if (joinedAt > time || joinedAt < time - STORY_MS) say(`${user} is put back at ${time}, and is said to be there since ${joinedAt}`)
  }
  return breaches
}

/** What a watcher is told of a change says the time that Redis gave it. */
function checkToldTimes({ name, channel, log }: Watched, times: ReadonlyMap<string, number>): readonly Breach[] {
  return log.packets.flatMap(({ events }) =>
    events.flatMap(({ eventType, publisher, version, timestamp }): Breach[] => {
      const time = times.get(`${channel} ${version}`)
      if (NO_CHANGE.includes(eventType) || time === undefined || time === timestamp) return []
      return [{ invariant: 'I8', where: `${channel}, as ${name} sees it`, what: `${eventType} of ${publisher} @${version} is told as of ${timestamp}, and Redis made it at ${time}` }]
    }),
  )
}
