import type { ChannelRef, ChannelType, States } from './channel.js'
import type { ErrorBody } from './errors.js'
import type { KickedEvent, MessageEvent, MovingEvent, Occupant, PacketSpan, PeerChange, PeerState, Position, PresenceEvent, ReadyEvent, TokenEvent } from './events.js'
import type { AnswerInvitationRequest, GetInvitationsRequest, Invitation, InvitationRef, InvitationReply, InvitationsReply, InviteRequest } from './invitations.js'
import type { Received } from './messages.js'
import type { AddFriendReply, AddFriendRequest, PeerRequest, RosterNotice, RosterReply } from './roster.js'
import type { SendStatusReply, SendStatusRequest, StatusFields, StatusNotice } from './statuses-told.js'
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
  /** The last `message` that this session has had: what was sent since comes again, to whomever it was delivered meanwhile. */
  readonly received?: Received
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

export interface SendMessageRequest {
  readonly userId: string
  readonly text: string
  /** Whether it waits for a user who is not there. @default false */
  readonly offline?: boolean
  /** A number above that of every message before. Sent again with it after a lost connection, a message is not delivered twice. */
  readonly sequence?: number
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

export interface SendMessageReply {
  /** Whether a session of the user has acknowledged it. `false` is no proof that none has had it. */
  readonly received: boolean
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
  invite: (request: InviteRequest, ack: Ack<InvitationReply>) => void
  cancelInvitation: (request: InvitationRef, ack: Ack<InvitationReply>) => void
  acceptInvitation: (request: AnswerInvitationRequest, ack: Ack<InvitationReply>) => void
  refuseInvitation: (request: AnswerInvitationRequest, ack: Ack<InvitationReply>) => void
  getInvitations: (request: GetInvitationsRequest, ack: Ack<InvitationsReply>) => void
  sendMessage: (request: SendMessageRequest, ack: Ack<SendMessageReply>) => void
  addFriend: (request: AddFriendRequest, ack: Ack<AddFriendReply>) => void
  removeFriend: (request: PeerRequest, ack: Ack<object>) => void
  blockUser: (request: PeerRequest, ack: Ack<object>) => void
  getRoster: (request: object, ack: Ack<RosterReply>) => void
  broadcastStatus: (request: StatusFields, ack: Ack<object>) => void
  sendStatus: (request: SendStatusRequest, ack: Ack<SendStatusReply>) => void
  /** The page is being closed: a short grace instead of presenceTimeout. No reply. */
  closing: () => void
}

export type RequestName = Exclude<keyof ClientToServerEvents, 'closing'>

export interface ServerToClientEvents {
  ready: (event: ReadyEvent) => void
  presence: (events: readonly PresenceEvent[], span?: PacketSpan) => void
  peers: (changes: readonly PeerChange[]) => void
  /** With an ack where it is SENT to the client's user: that makes it RECEIVED. */
  invitation: (...args: [invitation: Invitation] | [invitation: Invitation, acknowledge: () => void]) => void
  /** To be acknowledged by calling `ack`: until then the message has not been received. Absent for a client that never does. */
  message: (event: MessageEvent, ack?: () => void) => void
  status: (notice: StatusNotice) => void
  roster: (notice: RosterNotice) => void
  token: (event: TokenEvent) => void
  kicked: (event: KickedEvent) => void
  moving: (event: MovingEvent) => void
}
