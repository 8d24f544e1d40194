export type ConnectionState = 'DISCONNECTED' | 'CONNECTING' | 'CONNECTED' | 'RECONNECTING' | 'ABORTED'

export type ConnectionChangeReason =
  | 'LOGIN' | 'LOGIN_SUCCESS' | 'LOGIN_FAILURE' | 'LOGIN_TIMEOUT' | 'INTERRUPTED' | 'LOGOUT' | 'BANNED_BY_SERVER' | 'REMOTE_LOGIN' | 'TOKEN_EXPIRED'

export type PeerOnlineState = 'ONLINE' | 'UNREACHABLE' | 'OFFLINE'

/** By user id; without a prototype. */
export type PeersOnlineStatusMap = Readonly<Record<string, PeerOnlineState>>

export interface RtmMessage {
  readonly text: string
}

export interface ReceivedMessageProperties {
  /** It was sent while this user was not logged in. */
  readonly isOfflineMessage: boolean
  /** Milliseconds since the epoch. */
  readonly serverReceivedTs: number
}

export interface SendMessageOptions {
  /** Keeps the message for a peer who is offline. @default false */
  readonly enableOfflineMessaging?: boolean
  /** Taken and not heeded: no history is kept. */
  readonly enableHistoricalMessaging?: boolean
}

export type LocalInvitationState = 'IDLE' | 'SENT_TO_REMOTE' | 'RECEIVED_BY_REMOTE' | 'ACCEPTED_BY_REMOTE' | 'REFUSED_BY_REMOTE' | 'CANCELED' | 'FAILURE'

export type LocalInvitationFailureReason = 'PEER_OFFLINE' | 'PEER_NO_RESPONSE' | 'INVITATION_EXPIRE' | 'NOT_LOGGEDIN'

export type RemoteInvitationState = 'INVITATION_RECEIVED' | 'ACCEPT_SENT_TO_LOCAL' | 'REFUSED' | 'ACCEPTED' | 'CANCELED' | 'FAILURE'

export type RemoteInvitationFailureReason = 'PEER_OFFLINE' | 'ACCEPT_FAILURE' | 'INVITATION_EXPIRE'
