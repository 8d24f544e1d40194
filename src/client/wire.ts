import type { ChannelRef } from '../protocol/channel.js'
import type { PacketSpan, PresenceEvent } from '../protocol/events.js'
import type { ClientToServerEvents, RequestName } from '../protocol/requests.js'
import type { Change, ChangeBatch } from '../replica/replica.js'
import type { PresenceMessage } from './events.js'

export type RequestOf<Name extends RequestName> = Parameters<ClientToServerEvents[Name]>[0]
type AckOf<Name extends RequestName> = Parameters<Parameters<ClientToServerEvents[Name]>[1]>[0]
export type ReplyOf<Name extends RequestName> = Extract<AckOf<Name>, { readonly ok: true }>

/** A map's key for a channel; no type contains a colon. */
export function channelKey({ channelName, channelType }: ChannelRef): string {
  return `${channelType}:${channelName}`
}

/** What the app is shown of a wire event: the shape of `000`, and the version. */
export function messageOf(event: PresenceEvent): PresenceMessage {
  return {
    eventType: event.eventType,
    channelType: event.channelType,
    channelName: event.channelName,
    publisher: event.publisher,
    stateChanged: event.stateChanged,
    interval: event.interval,
    snapshot: event.snapshot?.map(({ userId, states, statesCount }) => ({ userId, states, statesCount })) ?? null,
    timestamp: event.timestamp,
    version: event.version,
  }
}

/** The changes that an event stands for; none for SNAPSHOT and ERROR_OUT_OF_SERVICE, several for INTERVAL. */
export function changesOf(event: PresenceEvent): readonly Change[] {
  const { version, publisher: userId, timestamp: at } = event
  switch (event.eventType) {
    case 'REMOTE_JOIN':
      // States that the member brought along follow in a change of their own (`000.2`).
      return [{ kind: 'join', version, userId, at, joinedAt: at, states: {} }]
    case 'REMOTE_LEAVE':
      return [{ kind: 'leave', version, userId, at }]
    case 'REMOTE_TIMEOUT':
      return [{ kind: 'timeout', version, userId, at }]
    case 'REMOTE_STATE_CHANGED':
      return [{ kind: 'state', version, userId, at, states: event.stateChanged, session: '' }]
    case 'INTERVAL':
      return intervalChanges(event)
    case 'SNAPSHOT':
    case 'ERROR_OUT_OF_SERVICE':
      return []
  }
}

/**
 * A net summary has no order of its own: who went is gone, who came is there, and then the states as they ended up. Nor
 * does it say when somebody joined: the time of the summary is near it.
 */
function intervalChanges({ interval, version, timestamp: at }: PresenceEvent): readonly Change[] {
  if (interval === null) return []
  return [
    ...interval.leave.users.map((userId): Change => ({ kind: 'leave', version, userId, at })),
    ...interval.timeout.users.map((userId): Change => ({ kind: 'timeout', version, userId, at })),
    ...interval.join.users.map((userId): Change => ({ kind: 'join', version, userId, at, joinedAt: at, states: {} })),
    ...interval.userStateList.map(({ userId, states }): Change => ({ kind: 'state', version, userId, at, states, session: '' })),
  ]
}

/**
 * The events of one packet as a batch for the reducer. The packet's span says from where to where it goes: events that
 * do not concern this session are not in the list. `null` when there is neither an event nor a span to go by.
 */
export function batchOf(events: readonly PresenceEvent[], span?: PacketSpan): ChangeBatch | null {
  const first = events[0]
  const last = events.at(-1)
  const life = span?.life ?? first?.life
  const previous = span?.previous ?? first?.previous
  const version = span?.version ?? last?.version
  if (life === undefined || previous === undefined || version === undefined) return null
  return { life, previous, version, changes: events.flatMap(changesOf) }
}
