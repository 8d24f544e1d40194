import type { IntervalInfo, Occupant, PresenceEventType } from '../protocol/events.js'
import { printable, statesText } from './terminal.js'

interface Event {
  readonly eventType: PresenceEventType
  readonly publisher: string
  readonly stateChanged: Readonly<Record<string, string>>
  readonly interval: IntervalInfo | null
  readonly snapshot: readonly Occupant[] | null
  readonly timestamp: number
}

/** One presence event for a person: when, what, who. */
export function eventLine(event: Event): string {
  const time = new Date(event.timestamp).toISOString().slice(11, 23)
  return `${time}  ${event.eventType.padEnd(20)}  ${whatHappened(event)}`.trimEnd()
}

function whatHappened({ eventType, publisher, stateChanged, interval, snapshot }: Event): string {
  switch (eventType) {
    case 'SNAPSHOT':
      return `${snapshot?.length ?? 0} here${listed(snapshot?.map(({ userId }) => userId) ?? [])}`
    case 'INTERVAL':
      return interval === null ? '' : intervalText(interval)
    case 'REMOTE_STATE_CHANGED':
      return `${printable(publisher)}  ${statesText(stateChanged)}`
    default:
      return printable(publisher)
  }
}

function intervalText({ join, leave, timeout, userStateList, totalOccupancy }: IntervalInfo): string {
  return `${totalOccupancy} here, ${join.userCount} joined, ${leave.userCount} left, ${timeout.userCount} timed out, ${userStateList.length} with new states`
}

const LISTED = 20

function listed(userIds: readonly string[]): string {
  if (userIds.length === 0) return ''
  return `: ${userIds.slice(0, LISTED).map(printable).join(', ')}${userIds.length > LISTED ? ', …' : ''}`
}
