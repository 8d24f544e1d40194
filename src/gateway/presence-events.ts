import type { Channel } from '../presence/types.js'
import type { ChannelRef, ChannelType } from '../protocol/channel.js'
import type { PacketSpan, Position, PresenceEvent, PresenceEventType, SnapshotEntry } from '../protocol/events.js'
import type { Feed } from '../feeds/types.js'
import type { Effect } from '../replica/replica.js'
import { encodeEvent, Packet } from './packet.js'

/** One effect with what is said of it. */
export interface Announcement {
  readonly effect: Effect
  /** Encoded. */
  readonly events: readonly string[]
}

const EVENT_OF = { join: 'REMOTE_JOIN', leave: 'REMOTE_LEAVE', timeout: 'REMOTE_TIMEOUT', state: 'REMOTE_STATE_CHANGED' } as const

/** A feed's channel as clients name it. USER channels have no such feed. */
export function refOf({ name, type }: Channel): ChannelRef {
  return { channelName: name, channelType: type as ChannelType }
}

/**
 * The events of effects that follow on `previous`, each following on the one before. A join that brings states along
 * (a repair: a member that others never saw leave) is told as a join and a change of states, as any other is (`000.2`).
 */
export function announce(channel: ChannelRef, life: string, previous: number, effects: readonly Effect[]): Announcement[] {
  let before = previous
  return effects.map((effect) => {
    const { member, version, at } = effect
    const event = (eventType: PresenceEventType, follows: number): string =>
      encodeEvent({
      eventType,
      channelType: channel.channelType,
      channelName: channel.channelName,
      publisher: member.userId,
      stateChanged: eventType === 'REMOTE_STATE_CHANGED' ? member.states : {},
      interval: null,
      snapshot: null,
      timestamp: at,
      life,
      previous: follows,
      version,
      })
    const events = [event(EVENT_OF[effect.kind], before)]
    if (effect.kind === 'join' && Object.keys(member.states).length > 0) events.push(event('REMOTE_STATE_CHANGED', version))
    before = version
    return { effect, events }
  })
}

/** Whether an effect is not told to a session: what its own user did, but for states that another session set (`000.7`). */
export function isOwn(effect: Effect, to: { readonly userId: string; readonly sessionId: string }): boolean {
  if (effect.member.userId !== to.userId) return false
  return effect.kind !== 'state' || effect.session === to.sessionId
}

/**
 * The packet of an interval: one INTERVAL (`000.16`), or nothing but the span when there is nothing to be told.
 *
 * @param interval an `IntervalInfo`, encoded.
 */
export function intervalPacket(span: PacketSpan, interval: string | null, at: number): Packet {
  if (interval === null) return new Packet([], span)
  const event: PresenceEvent = { eventType: 'INTERVAL', ...span, publisher: '', stateChanged: {}, interval: null, snapshot: null, timestamp: at }
  return new Packet([encodeEvent(event).replace('"interval":null', () => `"interval":${interval}`)], span)
}

/** Everybody who is in a channel, in order of their user ids. */
export function snapshotOf(feed: Feed): Packet {
  const { replica } = feed
  const snapshot: SnapshotEntry[] = []
  for (const userId of feed.sortedUserIds()) {
    const member = replica.members.get(userId)
    if (member === undefined) continue
    snapshot.push({ userId, states: member.states, statesCount: Object.keys(member.states).length, joinedAt: member.joinedAt })
  }
  return standing(refOf(feed.channel), 'SNAPSHOT', { life: replica.life, version: replica.version }, 0, snapshot)
}

/** The node cannot vouch for this channel any more; a SNAPSHOT says that it can again. It moves nobody's version. */
export function outOfService(feed: Feed): Packet {
  const { life, version } = feed.replica
  return standing(refOf(feed.channel), 'ERROR_OUT_OF_SERVICE', { life, version }, version, null)
}

function standing(channel: ChannelRef, eventType: PresenceEventType, at: Position, previous: number, snapshot: SnapshotEntry[] | null): Packet {
  const span: PacketSpan = { channelName: channel.channelName, channelType: channel.channelType, life: at.life, previous, version: at.version }
  return new Packet([encodeEvent({ eventType, ...span, publisher: '', stateChanged: {}, interval: null, snapshot, timestamp: Date.now() })], span)
}
