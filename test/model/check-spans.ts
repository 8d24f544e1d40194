import type { Breach, Evidence, PublishedChange, Watched } from './evidence.js'

/** Events that stand for many changes: a SNAPSHOT has all, and an INTERVAL the net of all. */
const SUMS = ['SNAPSHOT', 'INTERVAL']

/** I5: a packet tells of every change that it says it covers. Whoever believes it would never ask for what it left out. */
export function checkSpans({ watched, published }: Pick<Evidence, 'watched' | 'published'>): readonly Breach[] {
  const changes = new Map<string, PublishedChange[]>()
  for (const { life, channel, changes: some } of published) {
    const key = `${life} ${channel}`
    const list = changes.get(key)
    if (list === undefined) changes.set(key, [...some])
    else list.push(...some)
  }
  return watched.flatMap((one) => checkPackets(one, (life) => changes.get(`${life} ${one.channel}`) ?? []))
}

function checkPackets({ name, user, channel, log }: Watched, changesOf: (life: string) => readonly PublishedChange[]): readonly Breach[] {
  return log.packets.flatMap(({ events, span }): Breach[] => {
    if (span === undefined || events.some(({ eventType }) => SUMS.includes(eventType))) return []
    const told = new Set(events.map(({ version }) => version))
    const missing = changesOf(span.life).find(
      // Nobody is told of oneself, and a repair tells nothing to those who know.
      (change) => change.version > span.previous && change.version <= span.version && change.user !== user && change.kind !== 'assert' && !told.has(change.version),
    )
    if (missing === undefined) return []
    const what = `a packet says that it goes from ${span.previous} to ${span.version}, and does not tell of ${missing.kind} ${missing.user} @${missing.version}`
    return [{ invariant: 'I5', where: `${channel}, as ${name} sees it`, what }]
  })
}
