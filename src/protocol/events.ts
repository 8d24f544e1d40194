import type { ChannelType, States } from './channel.js'
import type { ToldLimits } from './limits.js'
import type { Received } from './messages.js'

/** Where a channel stands: versions are comparable within one life only. */
export interface Position {
  /** One uninterrupted existence of the channel's data; another life begins at a new one. */
  readonly life: string
  /** Microseconds of the partition's clock, made unique and increasing; below 2^53. */
  readonly version: number
}

export interface Occupant {
  readonly userId: string
  readonly states: States
  readonly statesCount: number
}

/** An occupant with the time of its join, in milliseconds since the epoch. */
export interface SnapshotEntry extends Occupant {
  readonly joinedAt: number
}

export interface IntervalInfo {
  readonly join: { readonly users: readonly string[]; readonly userCount: number }
  readonly leave: { readonly users: readonly string[]; readonly userCount: number }
  readonly timeout: { readonly users: readonly string[]; readonly userCount: number }
  readonly userStateList: readonly Occupant[]
  readonly totalOccupancy: number
}

export type PresenceEventType =
  | 'SNAPSHOT'
  | 'INTERVAL'
  | 'REMOTE_JOIN'
  | 'REMOTE_LEAVE'
  | 'REMOTE_TIMEOUT'
  | 'REMOTE_STATE_CHANGED'
  | 'ERROR_OUT_OF_SERVICE'

/** One presence event, in the shape of RTM 2.x (`000`), with the position that it moves the channel from and to. */
export interface PresenceEvent {
  readonly eventType: PresenceEventType
  readonly channelType: ChannelType
  readonly channelName: string
  /** The member concerned; `''` on SNAPSHOT, INTERVAL and ERROR_OUT_OF_SERVICE. */
  readonly publisher: string
  /** The member's full states after the change; `{}` except on REMOTE_STATE_CHANGED. */
  readonly stateChanged: States
  readonly interval: IntervalInfo | null
  readonly snapshot: readonly SnapshotEntry[] | null
  /** Redis's time of the change, in milliseconds since the epoch; the node's on SNAPSHOT and ERROR_OUT_OF_SERVICE. */
  readonly timestamp: number
  readonly life: string
  /** The version that this event follows on. A SNAPSHOT follows on nothing: 0. */
  readonly previous: number
  readonly version: number
}

/**
 * What a whole packet covers, sent beside the events of that packet. Events that do not concern the receiver (its own)
 * are not in the list, so a replica takes its version from here. Plain clients need not look at it.
 */
export interface PacketSpan extends Position {
  readonly channelType: ChannelType
  readonly channelName: string
  readonly previous: number
}

/** Whether a user is there: with a connection; with none, and it may come back; without a session. */
export type PeerStatus = 'ONLINE' | 'UNREACHABLE' | 'OFFLINE'

export interface PeerState {
  readonly status: PeerStatus
  /** When the last session ended, in milliseconds since the epoch, for seven days; `null` unless OFFLINE, and when that is not known. */
  readonly lastSeen: number | null
}

/** One change in a `peers` event. */
export interface PeerChange extends PeerState {
  readonly userId: string
  /** When the node told it, in milliseconds since the epoch. */
  readonly timestamp: number
}

/** A message from another user, or from another session of one's own. `life` and `position` say where it stands among them. */
export interface MessageEvent extends Received {
  /** The same however often it comes. */
  readonly id: string
  /** The user who sent it. */
  readonly from: string
  readonly text: string
  /** It was sent before this session logged in. */
  readonly offline: boolean
  /** When the cluster took it, by Redis's clock, in milliseconds since the epoch. */
  readonly timestamp: number
}

export interface TokenEvent {
  readonly eventType: 'WILL_EXPIRE' | 'EXPIRED'
}

export interface KickedEvent {
  readonly reason: string
  readonly errorCode: number
}

/** The node is leaving: reconnect after this pause. */
export interface MovingEvent {
  readonly afterMs: number
}

/** The first event after a successful connection. */
export interface ReadyEvent {
  readonly sessionId: string
  /** The number of this connection among those of its session. */
  readonly attach: number
  readonly nodeId: string
  /** Whether this connection continues a session that the cluster still knew. */
  readonly resumed: boolean
  readonly presenceTimeout: number
  readonly timestamp: number
  readonly limits: ToldLimits
}
