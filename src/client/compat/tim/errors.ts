import { RollcallError, type ErrorCode } from '../../../protocol/errors.js'
import type { TimAck } from './types.js'

/** TIM's numbers for our refusals (`001`). */
const CODES: Partial<Record<ErrorCode, number>> = {
  LOGIN_REJECTED: 4111,
  ROSTER_FULL: 4111,
  INVALID_TOKEN: 4115,
  TOKEN_EXPIRED: 4115,
  PERMISSION_DENIED: 4105,
  NOT_LOGIN: 4105,
  INVALID_PEER: 4105,
  INVALID_APP_ID: 4106,
  USER_UNKNOWN: 4106,
  USER_BLOCKED: 4110,
  INVALID_USER_ID: 4104,
  PRESENCE_INVALID_ARGUMENT: 4104,
  ROSTER_INVALID_ARGUMENT: 4104,
  STATUS_INVALID_ARGUMENT: 4104,
  DUPLICATE_USER_ID: 4117,
  RATE_EXCEEDED: 5105,
  PRESENCE_TOO_MANY_PENDING: 5104,
}

/** Not carried out, or nobody knows: the server is in trouble, or out of reach. */
const OVERLOAD = 5104

const INFO: Readonly<Record<number, string>> = { 4111: 'over entry' }

export function failure(timType: number, error: unknown, about?: string): TimAck {
  const { code, reason } = RollcallError.from(error, '')
  const number = CODES[code] ?? OVERLOAD
  return { ok: false, timType, error: { code: number, info: INFO[number] ?? reason }, ...(about !== undefined && { n: about }) }
}
