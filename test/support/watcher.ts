import { isDeepStrictEqual } from 'node:util'

import type { States } from '../../src/protocol/channel.js'
import type { PresenceEventType } from '../../src/protocol/events.js'
import { type EventLog, type SeenEvent } from './event-log.js'
import { checkStays } from './stays.js'
import { PATIENCE_MS } from './wait.js'

/** Somebody who watches one channel, whatever the client: its log is all that expectations look at. */
export interface Watcher {
  readonly name: string
  readonly channel: string
  readonly log: EventLog
}

/** A member of a channel whose state changes mark a place in the channel's order. */
export interface Marker {
  readonly userId: string
  /** Changes the marker's state to a value that was never seen before; resolves with it once it is acknowledged. */
  mark(): Promise<string>
}

const REMOTE: readonly PresenceEventType[] = ['REMOTE_JOIN', 'REMOTE_LEAVE', 'REMOTE_TIMEOUT', 'REMOTE_STATE_CHANGED']

/** The next news of a user, and nothing else before it: another kind of event about the same user fails at once. */
async function expectNext(watcher: Watcher, user: string, kind: PresenceEventType, ms: number): Promise<SeenEvent> {
  return watcher.log.until(
    `${kind} of ${user}`,
    () => {
      const entry = watcher.log.unread.find(({ event }) => event.publisher === user && REMOTE.includes(event.eventType))
      if (entry === undefined) return undefined
      if (entry.event.eventType !== kind) throw new Error(`${watcher.name} expects ${kind} of ${user}, and got ${entry.event.eventType}`)
      return watcher.log.take(entry)
    },
    ms,
  )
}

export async function expectJoin(watcher: Watcher, user: string, ms = PATIENCE_MS): Promise<SeenEvent> {
  return expectNext(watcher, user, 'REMOTE_JOIN', ms)
}

export async function expectLeave(watcher: Watcher, user: string, ms = PATIENCE_MS): Promise<SeenEvent> {
  return expectNext(watcher, user, 'REMOTE_LEAVE', ms)
}

export async function expectTimeout(watcher: Watcher, user: string, ms = PATIENCE_MS): Promise<SeenEvent> {
  return expectNext(watcher, user, 'REMOTE_TIMEOUT', ms)
}

/** The next news of a user is a change of state to exactly this map. */
export async function expectState(watcher: Watcher, user: string, states: States, ms = PATIENCE_MS): Promise<SeenEvent> {
  const event = await expectNext(watcher, user, 'REMOTE_STATE_CHANGED', ms)
  if (!isDeepStrictEqual({ ...event.stateChanged }, { ...states })) {
    throw new Error(`${watcher.name} expects ${user} at ${JSON.stringify(states)}, not ${JSON.stringify(event.stateChanged)}\n${watcher.log.print()}`)
  }
  return event
}

/** The next SNAPSHOT, with exactly these members: their ids, or their ids and states. */
export async function expectSnapshot(watcher: Watcher, members?: readonly string[] | Readonly<Record<string, States>>, ms = PATIENCE_MS): Promise<SeenEvent> {
  const event = await watcher.log.until(
    'SNAPSHOT',
    () => {
      const entry = watcher.log.unread.find((candidate) => candidate.event.eventType === 'SNAPSHOT')
      return entry === undefined ? undefined : watcher.log.take(entry)
    },
    ms,
  )
  if (members !== undefined) {
    const isList = Array.isArray(members)
    const seen = (event.snapshot ?? []).map(({ userId, states }) => [userId, isList ? null : { ...states }] as const)
    const wanted = isList ? (members as readonly string[]).map((user) => [user, null] as const) : Object.entries(members)
    const byUser = (list: readonly (readonly [string, unknown])[]) => [...list].sort(([a], [b]) => (a < b ? -1 : 1))
    if (!isDeepStrictEqual(byUser(seen), byUser(wanted.map(([user, states]) => [user, states === null ? null : { ...states }])))) {
      throw new Error(`${watcher.name} expects a SNAPSHOT of ${JSON.stringify(members)}\n${watcher.log.print()}`)
    }
  }
  return event
}

/**
 * Nothing unexpected has reached these watchers: the marker makes a later change in the same channel, each watcher sees
 * it, and whatever came before it has been expected by then. Nobody waits for time to pass.
 */
export async function expectNoEvents(watchers: Watcher | readonly Watcher[], marker: Marker, options: { allow?: readonly PresenceEventType[] } = {}): Promise<void> {
  const list = Array.isArray(watchers) ? (watchers as readonly Watcher[]) : [watchers as Watcher]
  const mark = await marker.mark()
  for (const watcher of list) {
    await watcher.log.until(`the marker's ${mark}`, () => {
      const seen = watcher.log.unread.findIndex(({ event }) => shows(event, marker.userId, mark))
      if (seen < 0) return undefined
      const before = watcher.log.unread.slice(0, seen + 1)
      const unexpected = before.filter(({ event }) => event.publisher !== marker.userId && !(options.allow ?? []).includes(event.eventType))
      if (unexpected.length > 0) throw new Error(`${watcher.name} expects no event, and got ${unexpected.map(({ event }) => event.eventType).join(', ')}`)
      for (const entry of before) watcher.log.take(entry)
      return true
    })
  }
}

/** A mark may also be seen inside a SNAPSHOT (that is allowed where the caller says so) or an INTERVAL. */
function shows(event: SeenEvent, marker: string, mark: string): boolean {
  if (event.publisher === marker) return event.stateChanged.mark === mark
  const lists = [...(event.snapshot ?? []), ...(event.interval?.userStateList ?? [])]
  return lists.some(({ userId, states }) => userId === marker && states.mark === mark)
}

/** Everything that these watchers were told adds up; and so many of one kind of event were about one user. */
export function expectWholeStays(...watchers: readonly Watcher[]): void {
  for (const watcher of watchers) checkStays(watcher.log)
}

export function countOf(watcher: Watcher, kind: PresenceEventType, user?: string): number {
  return watcher.log.events.filter((event) => event.eventType === kind && (user === undefined || event.publisher === user)).length
}
