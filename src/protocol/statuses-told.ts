import type { ErrorBody } from './errors.js'
import { RollcallError } from './errors.js'
import { fieldsOf, readerOf, type Read } from './fields.js'
import { DEFAULT_LIMITS, type Limits } from './limits.js'
import { parseUserIds } from './peers.js'
import { recordOf } from './record.js'
import { isWellFormed, utf8Bytes } from './text.js'

/** What users tell each other of themselves; it is handed on and never kept, and the server gives it no meaning (`001.2`). */
export interface StatusFields {
  /** A whole number from -128 to 127. By custom 1 asks for an answer, and 2 is one. */
  readonly subStatus?: number
  /** A whole number from -32768 to 32767. */
  readonly show?: number
  readonly status?: string
  readonly extend?: Readonly<Record<string, string>>
  /** Bytes, as base64. */
  readonly extra?: Readonly<Record<string, string>>
}

export interface SendStatusRequest extends StatusFields {
  readonly userIds: readonly string[]
}

/** Why somebody could not be told: USER_UNKNOWN, USER_BLOCKED. */
export type StatusFailure = Pick<ErrorBody, 'code' | 'errorCode' | 'reason'> & { readonly userId: string }

export interface SendStatusReply {
  /** Who is just not there is not among them. */
  readonly failed: readonly StatusFailure[]
}

/** Event `status`. Fields that were not sent, or are empty, are absent. */
export interface StatusNotice extends StatusFields {
  readonly from: string
  /** Tells a status from every other one; the same again if it is told again. */
  readonly id: string
  /** Set by the server alone: the user's last session has ended. */
  readonly offline?: true
  /** Redis's time, in milliseconds since the epoch. */
  readonly timestamp: number
}

type StatusLimits = Pick<Limits, 'nameBytes' | 'statusBytes' | 'statusRecipients'>

/** STATUS_INVALID_ARGUMENT. */
export function parseBroadcastStatus(value: unknown, limits: StatusLimits = DEFAULT_LIMITS): StatusFields {
  return statusOf(fieldsOf(value, 'the request', 'STATUS_INVALID_ARGUMENT'), limits)
}

/** PRESENCE_INVALID_ARGUMENT and INVALID_USER_ID for the users; STATUS_INVALID_ARGUMENT. */
export function parseSendStatus(value: unknown, limits: StatusLimits = DEFAULT_LIMITS): { readonly userIds: readonly string[]; readonly fields: StatusFields } {
  const read = fieldsOf(value, 'the request', 'STATUS_INVALID_ARGUMENT')
  return { userIds: parseUserIds(read('userIds'), limits.statusRecipients, limits), fields: statusOf(read, limits) }
}

function statusOf(read: Read, { statusBytes }: StatusLimits): StatusFields {
  const subStatus = numberOf(read('subStatus'), 'subStatus', 0x80)
  const show = numberOf(read('show'), 'show', 0x8000)
  const status = read('status')
  if (status !== undefined && !isText(status)) throw invalid('status is a string of well-formed Unicode')
  const extend = mapOf(read('extend'), 'extend', isText, 'strings of well-formed Unicode')
  const extra = mapOf(read('extra'), 'extra', isBase64, 'base64')
  const fields: StatusFields = {
    ...(subStatus !== undefined && { subStatus }),
    ...(show !== undefined && { show }),
    ...(status !== undefined && status !== '' && { status }),
    ...(extend !== undefined && { extend }),
    ...(extra !== undefined && { extra }),
  }
  if (utf8Bytes(JSON.stringify(fields)) > statusBytes) throw invalid(`a status has at most ${statusBytes} bytes as JSON`)
  return fields
}

function numberOf(value: unknown, name: string, bound: number): number | undefined {
  if (value === undefined) return undefined
  if (!Number.isInteger(value) || (value as number) < -bound || (value as number) >= bound) throw invalid(`${name} is a whole number from ${-bound} to ${bound - 1}`)
  return value as number
}

function mapOf(value: unknown, name: string, isValue: (value: unknown) => value is string, what: string): Readonly<Record<string, string>> | undefined {
  if (value === undefined) return undefined
  const read = readerOf(value)
  if (read === null) throw invalid(`${name} is a map of ${what}`)
  const entries = Object.keys(value as object).map((key) => {
    const text = read(key)
    if (!isWellFormed(key) || !isValue(text)) throw invalid(`${name} is a map of ${what}`)
    return [key, text] as const
  })
  return entries.length === 0 ? undefined : recordOf(entries)
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && isWellFormed(value)
}

function isBase64(value: unknown): value is string {
  return typeof value === 'string' && value.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(value)
}

function invalid(reason: string): RollcallError {
  return new RollcallError('STATUS_INVALID_ARGUMENT', reason)
}
