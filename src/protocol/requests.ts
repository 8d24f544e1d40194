import type { ChannelRef, ChannelType, States } from './channel.js'
import type { ErrorBody } from './errors.js'
import type { KickedEvent, MovingEvent, Occupant, PacketSpan, PeerChange, PeerState, Position, PresenceEvent, ReadyEvent, TokenEvent } from './events.js'
import type { MetadataDetail } from './metadata.js'

/** `auth` of the Socket.IO handshake. */
export interface HandshakeAuth {
  readonly appId: string
  readonly userId: string
  readonly token?: string
  /** Milliseconds, 1,000 to 300,000; the node's default otherwise. */
  readonly presenceTimeout?: number
  /** A session to continue, as `ready` named it. */
  readonly sessionId?: string
  /** With `sessionId`: a number above that of every earlier attempt to connect, and above `ready.attach`. */
  readonly attach?: number
  /** A session of the same user with the same tag is replaced. */
  readonly tag?: string
}

export interface SubscribeRequest {
  readonly channelName: string
  readonly channelType?: ChannelType
  readonly withPresence?: boolean
  readonly beQuiet?: boolean
  readonly states?: States
  readonly since?: Position
}

export type ChannelRequest = ChannelRef

export interface SetStateRequest extends ChannelRef {
  readonly states: States
}

export interface RemoveStateRequest extends ChannelRef {
  readonly states?: readonly string[]
}

export interface GetStateRequest extends ChannelRef {
  readonly userId: string
}

export interface WhoNowRequest extends ChannelRef {
  readonly includedUserId?: boolean
  readonly includedState?: boolean
  readonly page?: string
}

export interface WhereNowRequest {
  readonly userId: string
}

export interface ResumeRequest {
  readonly channels: readonly SubscribeRequest[]
}

/** `subscribePeers` and `queryPeers`. */
export interface PeersRequest {
  readonly userIds: readonly string[]
}

export interface UnsubscribePeersRequest {
  /** Absent: all. */
  readonly userIds?: readonly string[]
}

export interface RenewTokenRequest {
  readonly token: string
}

/** `revision` and `majorRevision` are what is expected: -1 (the default) is not looked at, 0 says "none yet". */
export interface WriteMetadataRequest {
  readonly items: readonly { readonly key: string; readonly value: string; readonly revision?: number }[]
  /** Whose metadata; one's own by default. */
  readonly userId?: string
  readonly majorRevision?: number
}

export interface RemoveMetadataRequest {
  /** Empty or absent: all. */
  readonly items?: readonly { readonly key: string; readonly revision?: number }[]
  readonly userId?: string
  readonly majorRevision?: number
}

export interface GetMetadataRequest {
  readonly userId?: string
}

/** Every reply carries Redis's or the node's time in milliseconds; it decides nothing. */
export type Reply<T> = ({ readonly ok: true; readonly timestamp: number } & T) | { readonly ok: false; readonly error: ErrorBody }

export interface VersionReply {
  readonly version: number
}

export interface StatesReply extends VersionReply {
  /** How many calls of this session were made as this one change because they came faster than the rate; absent: only this one. */
  readonly coalesced?: number
}

export interface WhoNowReply {
  readonly totalOccupancy: number
  readonly occupants: readonly Occupant[]
  /** Opaque; `''` on the last page. */
  readonly nextPage: string
  readonly version: number
}

export interface WhereNowReply {
  readonly totalChannel: number
  readonly channels: readonly ChannelRef[]
}

export interface WriteMetadataReply {
  readonly userId: string
  /** After the change; the items that it wrote have the same revision. */
  readonly majorRevision: number
}

export interface MetadataReply {
  readonly userId: string
  readonly totalCount: number
  /** 0: nothing was stored yet. */
  readonly majorRevision: number
  readonly metadata: Readonly<Record<string, MetadataDetail>>
}

export interface PeersReply {
  /** By user id. */
  readonly statuses: Readonly<Record<string, PeerState>>
}

/** What follows for one resumed channel: nothing, the missed changes, or a SNAPSHOT; or why it could not be resumed. */
export type ResumeResult =
  | (ChannelRef & { readonly result: 'unchanged' | 'changes' | 'snapshot'; readonly version: number })
  | (ChannelRef & { readonly result: 'error'; readonly error: ErrorBody })

type Ack<T> = (reply: Reply<T>) => void

export interface ClientToServerEvents {
  subscribe: (request: SubscribeRequest, ack: Ack<VersionReply>) => void
  unsubscribe: (request: ChannelRequest, ack: Ack<object>) => void
  setState: (request: SetStateRequest, ack: Ack<StatesReply>) => void
  removeState: (request: RemoveStateRequest, ack: Ack<StatesReply>) => void
  getState: (request: GetStateRequest, ack: Ack<Occupant>) => void
  whoNow: (request: WhoNowRequest, ack: Ack<WhoNowReply>) => void
  whereNow: (request: WhereNowRequest, ack: Ack<WhereNowReply>) => void
  resume: (request: ResumeRequest, ack: Ack<{ readonly channels: readonly ResumeResult[] }>) => void
  subscribePeers: (request: PeersRequest, ack: Ack<PeersReply>) => void
  unsubscribePeers: (request: UnsubscribePeersRequest, ack: Ack<object>) => void
  queryPeers: (request: PeersRequest, ack: Ack<PeersReply>) => void
  renewToken: (request: RenewTokenRequest, ack: Ack<object>) => void
  setUserMetadata: (request: WriteMetadataRequest, ack: Ack<WriteMetadataReply>) => void
  updateUserMetadata: (request: WriteMetadataRequest, ack: Ack<WriteMetadataReply>) => void
  removeUserMetadata: (request: RemoveMetadataRequest, ack: Ack<WriteMetadataReply>) => void
  getUserMetadata: (request: GetMetadataRequest, ack: Ack<MetadataReply>) => void
  /** The page is being closed: a short grace instead of presenceTimeout. No reply. */
  closing: () => void
}

export type RequestName = Exclude<keyof ClientToServerEvents, 'closing'>

export interface ServerToClientEvents {
  ready: (event: ReadyEvent) => void
  presence: (events: readonly PresenceEvent[], span?: PacketSpan) => void
  peers: (changes: readonly PeerChange[]) => void
  token: (event: TokenEvent) => void
  kicked: (event: KickedEvent) => void
  moving: (event: MovingEvent) => void
}
