import type { PeerChange, PresenceMessage, States } from '../client/index.js'
import { shortNodeId } from './nodes.js'
import { excerpt } from './profile.js'

export type LineKind = 'join' | 'leave' | 'timeout' | 'state' | 'interval' | 'snapshot' | 'link' | 'trouble'

/** One line of the log. Lines of the same non-empty `group` that follow on one another become one with a count. */
export interface LogLine {
  readonly kind: LineKind
  readonly who: string
  readonly what: string
  readonly group: string
}

/**
 * Tells presence events in words. It remembers everybody's last state, since an event has the whole of the new one
 * and a reader wants to know what is different.
 */
export class Storyteller {
  readonly #known = new Map<string, States>()
  readonly #away = new Set<string>()

  /** Of those in the room, who lost the connection and who is back; who comes and goes is an event of the room. */
  tellPeer({ userId, status }: PeerChange, isHere: boolean): LogLine | null {
    const wasAway = this.#away.delete(userId)
    if (status === 'UNREACHABLE') this.#away.add(userId)
    if (!isHere || status === 'OFFLINE' || (status === 'ONLINE' && !wasAway)) return null
    return { kind: 'link', who: userId, what: status === 'ONLINE' ? 'is back' : 'lost the connection', group: '' }
  }

  tell(event: PresenceMessage): LogLine | null {
    const who = event.publisher
    switch (event.eventType) {
      case 'REMOTE_JOIN':
        this.#known.set(who, {})
        return { kind: 'join', who, what: 'joined', group: '' }
      case 'REMOTE_LEAVE':
        this.#known.delete(who)
        return { kind: 'leave', who, what: 'left', group: '' }
      case 'REMOTE_TIMEOUT':
        this.#known.delete(who)
        return { kind: 'timeout', who, what: 'timed out', group: '' }
      case 'REMOTE_STATE_CHANGED': {
        const before = this.#known.get(who) ?? {}
        this.#known.set(who, event.stateChanged)
        return changeLine(who, before, event.stateChanged)
      }
      case 'SNAPSHOT': {
        this.#known.clear()
        const all = event.snapshot ?? []
        for (const { userId, states } of all) this.#known.set(userId, states)
        return { kind: 'snapshot', who: '', what: `snapshot of ${people(all.length)}`, group: '' }
      }
      case 'INTERVAL': {
        if (event.interval === null) return null
        const { join, leave, timeout, userStateList } = event.interval
        for (const user of [...leave.users, ...timeout.users]) this.#known.delete(user)
        for (const { userId, states } of userStateList) this.#known.set(userId, states)
        const parts = [
          [join.userCount, 'joined'],
          [leave.userCount, 'left'],
          [timeout.userCount, 'timed out'],
          [userStateList.length, 'changed'],
        ] as const
        const what = parts.flatMap(([count, verb]) => (count > 0 ? [`${count} ${verb}`] : [])).join(', ')
        return what === '' ? null : { kind: 'interval', who: '', what, group: '' }
      }
      case 'ERROR_OUT_OF_SERVICE':
        return { kind: 'trouble', who: '', what: 'presence is out of service for a moment', group: 'out' }
    }
  }
}

export function people(count: number): string {
  return count === 1 ? '1 person' : `${count} people`
}

function changeLine(who: string, before: States, after: States): LogLine | null {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((key) => before[key] !== after[key])
  if (keys.length === 0) return null
  const line = (what: string): LogLine => ({ kind: 'state', who, what, group: `${who}\n${keys.join(' ')}` })
  const [only] = keys
  if (Object.keys(before).length === 0 && after.mood !== undefined && after.node !== undefined) {
    return line(`feels ${excerpt(after.mood)}, served by ${shortNodeId(after.node)}`)
  }
  if (keys.length > 1 || only === undefined) return line(`changed ${keys.join(', ')}`)
  const value = after[only] === undefined ? undefined : excerpt(after[only])
  switch (only) {
    case 'mood':
      return line(`feels ${value ?? 'nothing in particular'}`)
    case 'mic':
      return line(`turned the mic ${value === 'on' ? 'on' : 'off'}`)
    case 'score':
      return line(`has a score of ${value ?? 'nothing'}`)
    case 'signature':
      return line(value === undefined || value === '' ? 'has no signature' : `signs “${value}”`)
    case 'typing':
      return line(value === undefined ? 'stopped typing' : 'is typing')
    case 'node':
      return line(`is served by ${value === undefined ? 'nobody knows which node' : shortNodeId(value)}`)
    default:
      return line(value === undefined ? `removed ${only}` : `set ${only}`)
  }
}
