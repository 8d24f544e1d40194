import { CHANNEL_TYPES, type ChannelRef, type ChannelType } from './channel.js'
import { RollcallError, type ErrorCode } from './errors.js'
import { DEFAULT_LIMITS, type Limits } from './limits.js'
import { fitsUtf8, isWellFormed } from './text.js'

type NameLimits = Pick<Limits, 'nameBytes'>

/** A user id as the contract has it: refused otherwise, never repaired. Throws INVALID_USER_ID. */
export function checkUserId(value: unknown, limits: NameLimits = DEFAULT_LIMITS): string {
  return checkName(value, 'a user id', 'INVALID_USER_ID', limits)
}

/** A channel name as the contract has it: refused otherwise, never repaired. Throws INVALID_CHANNEL_NAME. */
export function checkChannelName(value: unknown, limits: NameLimits = DEFAULT_LIMITS): string {
  return checkName(value, 'a channel name', 'INVALID_CHANNEL_NAME', limits)
}

/** A channel type that clients may name. Throws INVALID_CHANNEL_TYPE; there is no default here. */
export function checkChannelType(value: unknown): ChannelType {
  const type = CHANNEL_TYPES.find((known) => known === value)
  if (type === undefined) throw new RollcallError('INVALID_CHANNEL_TYPE', `channelType is one of ${CHANNEL_TYPES.join(', ')}`)
  return type
}

/** The two together, in this order: INVALID_CHANNEL_NAME, INVALID_CHANNEL_TYPE. */
export function checkChannel(name: unknown, type: unknown, limits: NameLimits = DEFAULT_LIMITS): ChannelRef {
  return { channelName: checkChannelName(name, limits), channelType: checkChannelType(type) }
}

function checkName(value: unknown, what: string, code: ErrorCode, { nameBytes }: NameLimits): string {
  const fault = faultOf(value, nameBytes)
  if (fault !== null) throw new RollcallError(code, `${what} ${fault}`)
  return value as string
}

function faultOf(value: unknown, nameBytes: number): string | null {
  if (typeof value !== 'string') return 'is a string'
  if (value === '') return 'is not empty'
  // Before anything that costs time in proportion to the length.
  if (!fitsUtf8(value, nameBytes)) return `has at most ${nameBytes} bytes of UTF-8`
  if (!isWellFormed(value)) return 'is well-formed Unicode, without lone surrogates'
  if (value.includes('\0')) return 'has no NUL'
  if (value === '.' || value === '..') return 'is neither "." nor ".."'
  if (value.normalize('NFC') !== value) return 'is in Unicode normalization form C (NFC)'
  return null
}
