import type { Breach, Watched } from '../model/evidence.js'

/** How far the time of a change may lie from its arrival, in milliseconds: far below an hour, far above any delay here. */
const MOST_MS = 120_000
/** Their times are the node's own (`docs/protocol.md`). */
const STANDING = ['SNAPSHOT', 'ERROR_OUT_OF_SERVICE']

/** I8: the time of each change is Redis's, whatever the clock of the node that tells of it. */
export function checkTimes(watched: readonly Watched[]): readonly Breach[] {
  const breaches: Breach[] = []
  for (const { name, channel, log } of watched) {
    for (const { at, event } of log.entries) {
      if (STANDING.includes(event.eventType) || Math.abs(at - event.timestamp) <= MOST_MS) continue
      breaches.push({ invariant: 'I8', where: `${channel}, as ${name} sees it`, what: `a ${event.eventType} that came at ${at} says ${event.timestamp}: not Redis's time` })
    }
  }
  return breaches
}
