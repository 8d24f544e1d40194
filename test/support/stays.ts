import { describe, type EventLog, type SeenEvent } from './event-log.js'

/**
 * Checks what a watcher may rely on, over all that it was told from its last SNAPSHOT on: one join and one leave or
 * timeout for each stay of a member, in turn; no news of who is not there; versions that rise; and, where packets say
 * what they cover, no gap between them. Returns who is there at the end.
 */
export function checkStays(log: EventLog): ReadonlySet<string> {
  const faults: string[] = []
  const present = new Set<string>()
  let version = 0
  let justJoined = ''

  const enter = (user: string, event: SeenEvent) => {
    if (present.has(user)) faults.push(`a second join of ${user}: ${describe(event)}`)
    present.add(user)
  }
  const exit = (user: string, event: SeenEvent) => {
    if (!present.delete(user)) faults.push(`${user} goes without being there: ${describe(event)}`)
  }
  const apply = (event: SeenEvent) => {
    switch (event.eventType) {
      case 'REMOTE_JOIN':
        return enter(event.publisher, event)
      case 'REMOTE_LEAVE':
      case 'REMOTE_TIMEOUT':
        return exit(event.publisher, event)
      case 'REMOTE_STATE_CHANGED':
        if (!present.has(event.publisher)) faults.push(`a state of ${event.publisher}, who is not there: ${describe(event)}`)
        return
      case 'INTERVAL':
        for (const user of event.interval?.join.users ?? []) enter(user, event)
        for (const user of [...(event.interval?.leave.users ?? []), ...(event.interval?.timeout.users ?? [])]) exit(user, event)
        return
      case 'SNAPSHOT':
      case 'ERROR_OUT_OF_SERVICE':
        return
    }
  }

  const first = log.packets.findLastIndex((packet) => packet.events.some((event) => event.eventType === 'SNAPSHOT'))
  if (first < 0) faults.push('no SNAPSHOT')
  for (const { events, span } of log.packets.slice(Math.max(first, 0))) {
    const fetched = events.some((event) => event.eventType === 'SNAPSHOT')
    if (span !== undefined && !fetched && span.previous > version) {
      faults.push(`a gap: a packet follows on ${span.previous}, the watcher stands at ${version}: ${events.map(describe).join(' ')}`)
    }
    for (const event of events) {
      if (event.eventType === 'ERROR_OUT_OF_SERVICE') continue
      if (event.eventType === 'SNAPSHOT') {
        present.clear()
        for (const { userId } of event.snapshot ?? []) present.add(userId)
        version = event.version
        continue
      }
      // A member that is put back with its states is told of by two events of one version.
      const twin = event.version === version && event.eventType === 'REMOTE_STATE_CHANGED' && justJoined === event.publisher
      if (event.version <= version && !twin) faults.push(`a version that does not rise (${version} before): ${describe(event)}`)
      version = event.version
      justJoined = event.eventType === 'REMOTE_JOIN' ? event.publisher : ''
      apply(event)
    }
    if (span !== undefined) version = Math.max(version, span.version)
  }
  if (faults.length > 0) throw new Error(`${log.name} was told wrong:\n  ${faults.join('\n  ')}\n${log.print()}`)
  return present
}
