/**
 * The error catalogue: one row an error, whatever the path it takes (Socket.IO ack, `connect_error`, REST, SDK).
 *
 * `code` is the stable name, `errorCode` the number that the RTM 2.x shape uses (`docs/contract.md`), `status` the HTTP
 * status, `retryable` whether the same request may succeed later without being changed.
 */
interface ErrorRow {
  readonly errorCode: number
  readonly status: number
  readonly retryable: boolean
  readonly remediation: string
}

export const ERRORS = {
  // Sessions and requests as such
  NOT_LOGIN: { errorCode: -10002, status: 401, retryable: false, remediation: 'Log in first.' },
  INVALID_APP_ID: { errorCode: -10004, status: 400, retryable: false, remediation: 'Use the app id that the node was started with (ROLLCALL_APP_ID).' },
  INVALID_TOKEN: { errorCode: -10005, status: 401, retryable: false, remediation: 'Send a token signed with ROLLCALL_SECRET (HS256) whose sub and app are those of the login.' },
  INVALID_USER_ID: { errorCode: -10006, status: 400, retryable: false, remediation: 'A user id has 1 to 64 bytes of well-formed UTF-8 in NFC, no NUL, and is not "." or "..".' },
  INVALID_CHANNEL_NAME: { errorCode: -10008, status: 400, retryable: false, remediation: 'A channel name has 1 to 64 bytes of well-formed UTF-8 in NFC, no NUL, and is not "." or "..".' },
  TOKEN_EXPIRED: { errorCode: -10009, status: 401, retryable: false, remediation: 'Get a new token and log in again, or call renewToken before the old one expires.' },
  LOGIN_REJECTED: { errorCode: -10012, status: 409, retryable: false, remediation: 'Log out elsewhere first; ROLLCALL_LOGIN and ROLLCALL_MAX_SESSIONS say how many sessions a user may have.' },
  INVALID_CHANNEL_TYPE: { errorCode: -10019, status: 400, retryable: false, remediation: 'channelType is "MESSAGE" or "STREAM".' },
  RATE_EXCEEDED: { errorCode: -10021, status: 429, retryable: true, remediation: 'Slow down; the limit is per session and request name.' },
  NOT_CONNECTED: { errorCode: -10025, status: 503, retryable: true, remediation: 'Wait until linkState is CONNECTED and try again.' },
  DUPLICATE_USER_ID: { errorCode: -10027, status: 409, retryable: false, remediation: 'This session was opened elsewhere; the newer connection is the valid one.' },
  CHANNEL_NOT_JOINED: { errorCode: -11001, status: 409, retryable: false, remediation: 'Join the stream channel first.' },
  CHANNEL_NOT_SUBSCRIBED: { errorCode: -11002, status: 409, retryable: false, remediation: 'Subscribe to the channel first.' },
  CHANNEL_LIMIT: { errorCode: -11033, status: 409, retryable: false, remediation: 'Unsubscribe from a channel first, or raise channelsPerClient in ROLLCALL_LIMITS.' },
  PERMISSION_DENIED: { errorCode: -11038, status: 403, retryable: false, remediation: 'The token\'s "channels" do not grant this; get one that does.' },

  // Presence
  PRESENCE_NOT_CONNECTED: { errorCode: -13001, status: 503, retryable: true, remediation: 'Wait until the client is connected and try again.' },
  PRESENCE_NOT_WRITABLE: { errorCode: -13002, status: 409, retryable: false, remediation: 'A quiet subscriber has no state: subscribe without beQuiet.' },
  PRESENCE_INVALID_ARGUMENT: { errorCode: -13003, status: 400, retryable: false, remediation: 'Compare the request with docs/protocol.md.' },
  PRESENCE_CACHED_TOO_MANY_STATES: { errorCode: -13004, status: 400, retryable: false, remediation: 'State can be cached for 100 channels before joining; subscribe to some of them first.' },
  PRESENCE_STATE_COUNT_OVERFLOW: { errorCode: -13005, status: 400, retryable: false, remediation: 'A member has at most 32 state keys in a channel; remove some first.' },
  PRESENCE_INVALID_STATE_KEY: { errorCode: -13006, status: 400, retryable: false, remediation: 'A state key consists of a-z A-Z 0-9, space and !#$%&()+,-:;<=>?@[]^_{|}~ and does not begin with an underscore.' },
  PRESENCE_INVALID_STATE_VALUE: { errorCode: -13007, status: 400, retryable: false, remediation: 'A state value is a string of well-formed Unicode.' },
  PRESENCE_STATE_KEY_SIZE_OVERFLOW: { errorCode: -13008, status: 400, retryable: false, remediation: 'A state key has at most 32 bytes.' },
  PRESENCE_STATE_VALUE_SIZE_OVERFLOW: { errorCode: -13009, status: 400, retryable: false, remediation: 'A state value has at most 16,384 bytes of UTF-8.' },
  PRESENCE_STATE_DUPLICATE_KEY: { errorCode: -13010, status: 400, retryable: false, remediation: 'Name each state key once.' },
  PRESENCE_USER_NOT_EXIST: { errorCode: -13011, status: 404, retryable: false, remediation: 'The user is not in this channel now; whereNow tells where they are.' },
  PRESENCE_OPERATION_TIMEOUT: { errorCode: -13012, status: 504, retryable: true, remediation: 'The outcome is unknown; ask for the state and try again.' },
  PRESENCE_OPERATION_FAILED: { errorCode: -13013, status: 503, retryable: true, remediation: 'The node cannot reach its store right now; try again with a pause.' },
  PRESENCE_INACTIVE: { errorCode: -13014, status: 409, retryable: false, remediation: 'Subscribe with presence first.' },
  PRESENCE_REQUEST_CANCELLED: { errorCode: -13015, status: 503, retryable: true, remediation: 'The connection or the client was closed while the request was under way.' },
  PRESENCE_TOO_MANY_PEERS: { errorCode: -13017, status: 409, retryable: false, remediation: 'Unsubscribe from some peers first, or raise peersPerClient in ROLLCALL_LIMITS.' },
  PRESENCE_TOO_MANY_PENDING: { errorCode: -13016, status: 429, retryable: true, remediation: 'Wait for earlier requests to be answered.' },

  // Storage: users' metadata
  STORAGE_OPERATION_FAILED: { errorCode: -12001, status: 503, retryable: true, remediation: 'The node cannot reach its store right now; try again with a pause.' },
  STORAGE_METADATA_ITEM_EXCEED_LIMITATION: { errorCode: -12002, status: 400, retryable: false, remediation: 'Remove items first, or raise metadataItems in ROLLCALL_LIMITS.' },
  STORAGE_INVALID_METADATA_ITEM: { errorCode: -12003, status: 404, retryable: false, remediation: 'updateUserMetadata changes items that are there; setUserMetadata also makes new ones.' },
  STORAGE_INVALID_ARGUMENT: { errorCode: -12004, status: 400, retryable: false, remediation: 'See docs/protocol.md for what the request takes.' },
  STORAGE_INVALID_REVISION: { errorCode: -12005, status: 400, retryable: false, remediation: 'A revision is -1 (not looked at), 0 (there is none yet) or the one that was read.' },
  STORAGE_METADATA_LENGTH_OVERFLOW: { errorCode: -12006, status: 400, retryable: false, remediation: 'Store less, or raise metadataBytes in ROLLCALL_LIMITS.' },
  STORAGE_INVALID_KEY: { errorCode: -12009, status: 400, retryable: false, remediation: 'A metadata key is a string of well-formed Unicode, not empty, without NUL.' },
  STORAGE_INVALID_VALUE: { errorCode: -12010, status: 400, retryable: false, remediation: 'A metadata value is a string of well-formed Unicode.' },
  STORAGE_KEY_LENGTH_OVERFLOW: { errorCode: -12011, status: 400, retryable: false, remediation: 'A metadata key has at most 32 bytes of UTF-8.' },
  STORAGE_VALUE_LENGTH_OVERFLOW: { errorCode: -12012, status: 400, retryable: false, remediation: 'A metadata value has at most 16,384 bytes of UTF-8.' },
  STORAGE_DUPLICATE_KEY: { errorCode: -12013, status: 400, retryable: false, remediation: 'Name each key once in a request.' },
  STORAGE_OUTDATED_REVISION: { errorCode: -12014, status: 409, retryable: false, remediation: 'Somebody else wrote meanwhile: read the metadata again and decide.' },
  STORAGE_OPERATION_TIMEOUT: { errorCode: -12018, status: 504, retryable: true, remediation: 'The outcome is unknown; read the metadata and try again.' },

  // Invitations
  INVITATION_UNKNOWN: { errorCode: -14021, status: 404, retryable: false, remediation: 'There is no such invitation, or it ended some time ago, or it is for its callee or its caller to do.' },
  INVITATION_ENDED: { errorCode: -14022, status: 409, retryable: false, remediation: 'It was answered, cancelled or out of time before: the event "invitation" says which.' },
  INVITATION_LIMIT: { errorCode: -14023, status: 409, retryable: true, remediation: 'The callee has too many invitations right now; try again later, or raise invitations in ROLLCALL_LIMITS.' },
  INVITATION_EXISTS: { errorCode: -14024, status: 409, retryable: false, remediation: 'Another invitation to this user has this id: use one that nobody has used.' },
  INVITATION_LATE: { errorCode: -14026, status: 409, retryable: true, remediation: 'It came after its own until, and was not carried out; answer again while it is open.' },
  INVITATION_TOO_LARGE: { errorCode: -14025, status: 400, retryable: false, remediation: 'Say less, or raise invitationBytes in ROLLCALL_LIMITS; a channelId has the length of a name.' },

  // Friends, and statuses that users tell each other
  USER_UNKNOWN: { errorCode: -14001, status: 404, retryable: false, remediation: 'Nobody of this name has logged in within seven days, or is in anybody\'s roster.' },
  USER_BLOCKED: { errorCode: -14002, status: 403, retryable: false, remediation: 'One of the two has blocked the other; only who has done so can lift it.' },
  INVALID_PEER: { errorCode: -14003, status: 400, retryable: false, remediation: 'Name another user than oneself.' },
  ROSTER_FULL: { errorCode: -14004, status: 409, retryable: false, remediation: 'Remove somebody first, or raise rosterEntries in ROLLCALL_LIMITS.' },
  ROSTER_INVALID_ARGUMENT: { errorCode: -14005, status: 400, retryable: false, remediation: 'Compare the request with docs/protocol.md.' },
  STATUS_INVALID_ARGUMENT: { errorCode: -14006, status: 400, retryable: false, remediation: 'Compare the request with docs/protocol.md.' },

  // Messages
  MESSAGE_INVALID_TEXT: { errorCode: -14011, status: 400, retryable: false, remediation: 'The text of a message is a string of well-formed Unicode.' },
  MESSAGE_TEXT_TOO_LONG: { errorCode: -14012, status: 400, retryable: false, remediation: 'Send less at once, or raise messageTextBytes in ROLLCALL_LIMITS.' },

  // HTTP only
  UNAUTHORIZED: { errorCode: -20401, status: 401, retryable: false, remediation: 'Send "Authorization: Bearer <ROLLCALL_API_KEY>".' },
  NOT_FOUND: { errorCode: -20404, status: 404, retryable: false, remediation: 'See docs/protocol.md for the routes.' },
  METHOD_NOT_ALLOWED: { errorCode: -20405, status: 405, retryable: false, remediation: 'See docs/protocol.md for the routes and their methods.' },
  PAYLOAD_TOO_LARGE: { errorCode: -20413, status: 413, retryable: false, remediation: 'Send a smaller body.' },
  WEBHOOK_FAILED: { errorCode: -20502, status: 502, retryable: true, remediation: 'The receiver did not take it; the event is kept, so try again when the receiver is well.' },
  INTERNAL: { errorCode: -20500, status: 500, retryable: true, remediation: 'This is a defect of the server; its log has the cause.' },
} as const satisfies Record<string, ErrorRow>

export type ErrorCode = keyof typeof ERRORS

/** What a failed request answers, on the wire and in the SDK. */
export interface ErrorBody {
  readonly code: ErrorCode
  readonly errorCode: number
  readonly operation: string
  readonly reason: string
  readonly retryable: boolean
}

/** Every refusal of Rollcall. It is thrown by parsers and services and crosses the wire as an {@link ErrorBody}. */
export class RollcallError extends Error implements ErrorBody {
  readonly error = true as const
  readonly errorCode: number
  readonly retryable: boolean

  constructor(
    readonly code: ErrorCode,
    readonly reason: string,
    readonly operation = '',
    options?: { cause?: unknown },
  ) {
    super(reason, options)
    this.name = 'RollcallError'
    this.errorCode = ERRORS[code].errorCode
    this.retryable = ERRORS[code].retryable
  }

  /** The same error, said of another operation. */
  during(operation: string): RollcallError {
    return new RollcallError(this.code, this.reason, operation, { cause: this })
  }

  body(operation = this.operation): ErrorBody {
    return { code: this.code, errorCode: this.errorCode, operation, reason: this.reason, retryable: this.retryable }
  }

  /** Rebuilds an error that came over the wire; an unknown code becomes `PRESENCE_OPERATION_FAILED`. */
  static from(body: unknown, operation: string): RollcallError {
    if (body instanceof RollcallError) return body
    const row = typeof body === 'object' && body !== null ? (body as Partial<ErrorBody>) : {}
    const code = typeof row.code === 'string' && Object.hasOwn(ERRORS, row.code) ? row.code : 'PRESENCE_OPERATION_FAILED'
    const reason = typeof row.reason === 'string' ? row.reason : body instanceof Error ? body.message : 'the operation failed'
    return new RollcallError(code, reason, operation)
  }
}
