/** Every number that the contract calls a limit (`docs/contract.md`, 000); `ROLLCALL_LIMITS` overrides any of them. */
export interface Limits {
  /** State keys a member has in one channel. */
  readonly statesPerMember: number
  /** Bytes of a state key. */
  readonly stateKeyBytes: number
  /** Bytes of a state value, in UTF-8. */
  readonly stateValueBytes: number
  /** Bytes of a user id or channel name, in UTF-8. */
  readonly nameBytes: number
  /** Channels for which a client may cache state before it joins them (SDK). */
  readonly cachedChannels: number
  /** Channels that a session may be in at once. */
  readonly channelsPerClient: number
  /** Calls a second, for each session and each request name. */
  readonly callsPerSecond: number
  /** Requests of one session that may be under way at once. */
  readonly pendingRequests: number
  /** Occupants on one page of `whoNow`. */
  readonly pageSize: number
  /** Users whose status one query asks for. */
  readonly usersPerQuery: number
  /** Users whose status one request subscribes to. */
  readonly peersPerRequest: number
  /** Users whose status a connection is subscribed to. */
  readonly peersPerClient: number
  /** Items of a user's metadata. */
  readonly metadataItems: number
  /** Bytes of a metadata key, in UTF-8. */
  readonly metadataKeyBytes: number
  /** Bytes of a metadata value, in UTF-8. */
  readonly metadataValueBytes: number
  /** Bytes of all keys and values of a user's metadata, in UTF-8. */
  readonly metadataBytes: number
  /** Users whom a user may have in the roster, friends and blocked ones together. */
  readonly rosterEntries: number
  /** Bytes of what somebody says who asks for a friendship, in UTF-8. */
  readonly rosterMessageBytes: number
  /** Bytes of a status that is told to others, as JSON. */
  readonly statusBytes: number
  /** Users whom one request tells a status. */
  readonly statusRecipients: number
  /** Bytes of a message's text, in UTF-8. */
  readonly messageTextBytes: number
  /** Messages that a session may send a second. */
  readonly messagesPerSecond: number
  /** Milliseconds for which the sender of a message waits for an acknowledgement. */
  readonly messageWaitMs: number
  /** Messages that wait for one user; of more, the oldest are dropped. */
  readonly offlineMessages: number
  /** Seconds for which a message waits for a user who is not there. */
  readonly offlineMessageS: number
  /** Bytes of what an invitation says, and of the answer to one, in UTF-8. */
  readonly invitationBytes: number
  /** Open invitations that one user may have. */
  readonly invitations: number
  /** Milliseconds in which an invitation has to reach its callee. */
  readonly invitationReceiptMs: number
  /** Milliseconds in which it has to be answered after that. */
  readonly invitationAnswerMs: number
  /** Bytes of one Socket.IO message. */
  readonly messageBytes: number
  /** Bytes that may wait for one slow client before it is skipped until it has drained. */
  readonly backlogBytes: number
  /** Events of one partition that wait for webhooks; of more, the oldest are dropped. */
  readonly outboxEntries: number
  /** Times that an event is sent to a receiver before it is given up. */
  readonly webhookAttempts: number
  /** Events of one partition that were given up and are kept; of more, the oldest are dropped. */
  readonly webhookGivenUp: number
}

export const DEFAULT_LIMITS: Limits = Object.freeze({
  statesPerMember: 32,
  stateKeyBytes: 32,
  stateValueBytes: 16_384,
  nameBytes: 64,
  cachedChannels: 100,
  channelsPerClient: 200,
  callsPerSecond: 20,
  pendingRequests: 256,
  pageSize: 500,
  usersPerQuery: 1_000,
  peersPerRequest: 512,
  peersPerClient: 5_000,
  metadataItems: 256,
  metadataKeyBytes: 32,
  metadataValueBytes: 16_384,
  metadataBytes: 16_384,
  rosterEntries: 5_000,
  rosterMessageBytes: 1_024,
  statusBytes: 16_384,
  statusRecipients: 512,
  messageTextBytes: 32_768,
  messagesPerSecond: 60,
  messageWaitMs: 5_000,
  offlineMessages: 200,
  offlineMessageS: 604_800,
  invitationBytes: 8_192,
  invitations: 100,
  invitationReceiptMs: 30_000,
  invitationAnswerMs: 60_000,
  messageBytes: 1_048_576,
  backlogBytes: 1_048_576,
  outboxEntries: 100_000,
  webhookAttempts: 12,
  webhookGivenUp: 1_000,
})

/** Those that a client is told at its login: it can check them by itself. */
const TOLD = [
  'statesPerMember', 'stateKeyBytes', 'stateValueBytes', 'channelsPerClient', 'callsPerSecond', 'pendingRequests', 'cachedChannels',
  'pageSize', 'usersPerQuery', 'peersPerRequest', 'peersPerClient', 'metadataItems', 'metadataKeyBytes', 'metadataValueBytes',
  'metadataBytes', 'rosterEntries', 'rosterMessageBytes', 'statusBytes', 'statusRecipients', 'messageTextBytes', 'invitationBytes',
  'invitations', 'invitationReceiptMs', 'invitationAnswerMs',
] as const satisfies readonly (keyof Limits)[]

export type ToldLimits = Pick<Limits, (typeof TOLD)[number]>

export function toldLimits(limits: Limits): ToldLimits {
  return Object.fromEntries(TOLD.map((name) => [name, limits[name]])) as unknown as ToldLimits
}

/** What a client may ask for as its presenceTimeout, and a node have as its own, in whole milliseconds. It is no setting. */
export const PRESENCE_TIMEOUT_MS = { least: 1_000, most: 300_000 } as const

export function isPresenceTimeout(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= PRESENCE_TIMEOUT_MS.least && (value as number) <= PRESENCE_TIMEOUT_MS.most
}
