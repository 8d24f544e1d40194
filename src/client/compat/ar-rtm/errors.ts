import { RollcallError, type ErrorCode } from '../../../protocol/errors.js'

/** Every failed call of this layer rejects with one; `code` is the number that the original has for it (`002`). */
export class RtmError extends Error {
  override readonly name = 'RtmError'

  constructor(
    readonly code: number,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options)
  }
}

export const NOT_LOGGED_IN = 102

/** What a call is about: each area has numbers of its own. */
export type Area = 'login' | 'message' | 'subscription'

export const CODES = {
  login: { unknown: 1, argument: 2, appId: 3, invalidToken: 4, expiredToken: 5, notAuthorised: 6, already: 7, timeout: 8, tooOften: 9 },
  message: { unknown: 1, timeout: 2, tooOften: 5, uid: 6, message: 7 },
  subscription: { unknown: 1, argument: 2, timeout: 4, tooOften: 5, overflow: 6 },
} as const

type Table = Partial<Record<ErrorCode, number>>

const { login, message, subscription } = CODES

const TABLES: Readonly<Record<Area, Table>> = {
  login: {
    INVALID_USER_ID: login.argument,
    PRESENCE_INVALID_ARGUMENT: login.argument,
    INVALID_APP_ID: login.appId,
    INVALID_TOKEN: login.invalidToken,
    TOKEN_EXPIRED: login.expiredToken,
    PERMISSION_DENIED: login.notAuthorised,
    LOGIN_REJECTED: login.notAuthorised,
    NOT_CONNECTED: login.timeout,
    PRESENCE_OPERATION_TIMEOUT: login.timeout,
    RATE_EXCEEDED: login.tooOften,
  },
  message: {
    INVALID_USER_ID: message.uid,
    INVALID_PEER: message.uid,
    MESSAGE_INVALID_TEXT: message.message,
    MESSAGE_TEXT_TOO_LONG: message.message,
    PRESENCE_OPERATION_TIMEOUT: message.timeout,
    PRESENCE_REQUEST_CANCELLED: message.timeout,
    NOT_CONNECTED: message.timeout,
    RATE_EXCEEDED: message.tooOften,
  },
  subscription: {
    INVALID_USER_ID: subscription.argument,
    PRESENCE_INVALID_ARGUMENT: subscription.argument,
    PRESENCE_TOO_MANY_PEERS: subscription.overflow,
    PRESENCE_OPERATION_TIMEOUT: subscription.timeout,
    PRESENCE_REQUEST_CANCELLED: subscription.timeout,
    PRESENCE_NOT_CONNECTED: subscription.timeout,
    NOT_CONNECTED: subscription.timeout,
    RATE_EXCEEDED: subscription.tooOften,
  },
}

export function notLoggedIn(): RtmError {
  return new RtmError(NOT_LOGGED_IN, 'log in first')
}

export function toRtmError(error: unknown, area: Area): RtmError {
  if (error instanceof RtmError) return error
  const { code, reason } = RollcallError.from(error, area)
  return new RtmError(TABLES[area][code] ?? CODES[area].unknown, reason, { cause: error })
}
