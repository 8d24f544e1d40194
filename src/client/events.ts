import type { ChannelType, States } from '../protocol/channel.js'
import type { Invitation } from '../protocol/invitations.js'
import type { RosterNotice } from '../protocol/roster.js'
import type { StatusNotice } from '../protocol/statuses-told.js'
import type { IntervalInfo, KickedEvent, Occupant, PeerChange, PresenceEventType, TokenEvent } from '../protocol/events.js'

export type LinkState = 'IDLE' | 'CONNECTING' | 'CONNECTED' | 'DISCONNECTED' | 'SUSPENDED' | 'FAILED'

/** What moved the link. */
export type LinkOperation = 'LOGIN' | 'LOGOUT' | 'AUTO_RECONNECT' | 'RECONNECTED' | 'NETWORK_LOST' | 'SERVER_REJECT' | 'PRESENCE_TIMEOUT'

/** Event `linkState` (`000`). */
export interface LinkStateEvent {
  readonly currentState: LinkState
  readonly previousState: LinkState
  readonly operation: LinkOperation
  readonly reason: string
  /** The `errorCode` behind a FAILED. */
  readonly reasonCode?: number
  /** On CONNECTED: whether the cluster still knew the session, so that nobody saw it leave. */
  readonly isResumed: boolean
  /** Names of the channels concerned: all when the link is lost, those that could not be resumed when it is back. */
  readonly affectedChannels?: readonly string[]
  /** Milliseconds since the epoch, by this machine's clock. */
  readonly timestamp: number
}

/** Event `presence`, in the shape of RTM 2.x (`000`), with the channel's version after it. */
export interface PresenceMessage {
  readonly eventType: PresenceEventType
  readonly channelType: ChannelType
  readonly channelName: string
  /** The member concerned; `''` on SNAPSHOT, INTERVAL and ERROR_OUT_OF_SERVICE. */
  readonly publisher: string
  /** The member's full states after the change; `{}` except on REMOTE_STATE_CHANGED. */
  readonly stateChanged: States
  readonly interval: IntervalInfo | null
  readonly snapshot: readonly Occupant[] | null
  /** Milliseconds since the epoch, by Redis's clock. */
  readonly timestamp: number
  readonly version: number
}

/** Event `message`: what a user, or another session of one's own, has sent to this user. */
export interface PeerMessage {
  /** No two messages have the same. */
  readonly id: string
  /** The user who sent it. */
  readonly from: string
  readonly text: string
  /** It was sent before this session logged in. */
  readonly offline: boolean
  /** When the cluster took it, by Redis's clock, in milliseconds since the epoch. */
  readonly timestamp: number
}

export interface ClientEvents {
  readonly presence: PresenceMessage
  /** Users who are subscribed to and whose status has changed. */
  readonly peers: readonly PeerChange[]
  /** An invitation that this client's user has sent or was sent has come to a state; each once, in order. */
  readonly invitation: Invitation
  readonly message: PeerMessage
  /** What a user says of itself, to this user or to all friends; and, with `offline`, that a friend's last session has ended. */
  readonly status: StatusNotice
  /** A friend request, a friendship or its end. */
  readonly roster: RosterNotice
  readonly linkState: LinkStateEvent
  readonly token: TokenEvent
  readonly kicked: KickedEvent
}
