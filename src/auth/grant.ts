import { CHANNEL_TYPES, type ChannelRef, type ChannelType } from '../protocol/channel.js'
import { RollcallError } from '../protocol/errors.js'

/** What a token can allow in a channel: to be a member, to see who is there, to say something about oneself. */
export const ACTIONS = ['join', 'watch', 'state'] as const
export type Action = (typeof ACTIONS)[number]

/** One entry of a token's `channels`: all channels of a type with this name, or whose names begin with this. */
export type ChannelRule = { readonly type: ChannelType; readonly can: readonly Action[] } & (
  | { readonly name: string; readonly prefix?: undefined }
  | { readonly prefix: string; readonly name?: undefined }
)

/** What somebody who logged in may do, and until when. */
export interface Grant {
  /** Milliseconds since the epoch; null: without end. */
  readonly expiresAt: number | null
  /** Whether the token names channels, and so allows what it says and no more. */
  readonly limited: boolean
  can(action: Action, channel: ChannelRef): boolean
}

/** Everything, for ever: a login in development mode. */
export const UNLIMITED: Grant = Object.freeze({ expiresAt: null, limited: false, can: () => true })

/** `rules: null` allows everything. */
export function grant(expiresAt: number, rules: readonly ChannelRule[] | null): Grant {
  return {
    expiresAt,
    limited: rules !== null,
    can: (action, channel) => rules === null || rules.some((rule) => rule.can.includes(action) && covers(rule, channel)),
  }
}

function covers(rule: ChannelRule, { channelType, channelName }: ChannelRef): boolean {
  if (rule.type !== channelType) return false
  return rule.name === undefined ? channelName.startsWith(rule.prefix) : channelName === rule.name
}

/**
 * The `channels` claim; `undefined` is null, everything.
 *
 * @throws RollcallError INVALID_TOKEN for anything that is not exactly a list of {@link ChannelRule}: a rule that is
 * misread could allow more than whoever wrote it meant.
 */
export function parseChannelRules(claim: unknown): readonly ChannelRule[] | null {
  if (claim === undefined) return null
  if (!Array.isArray(claim)) throw invalid('"channels" is a list')
  return claim.map(parseRule)
}

function parseRule(value: unknown, index: number): ChannelRule {
  const at = `"channels"[${index}]`
  if (typeof value !== 'object' || value === null) throw invalid(`${at} is an object`)
  const { type, name, prefix, can, ...rest } = value as Readonly<Record<string, unknown>>
  const unknown = Object.keys(rest)[0]
  if (unknown !== undefined) throw invalid(`${at} has type, can, and name or prefix, not ${JSON.stringify(unknown)}`)
  const channelType = CHANNEL_TYPES.find((known) => known === type)
  if (channelType === undefined) throw invalid(`${at}.type is one of ${CHANNEL_TYPES.join(', ')}`)
  if (!Array.isArray(can) || !can.every(isAction)) throw invalid(`${at}.can is a list of ${ACTIONS.join(', ')}`)
  if (typeof name === 'string' && prefix === undefined) return { type: channelType, name, can }
  if (typeof prefix === 'string' && name === undefined) return { type: channelType, prefix, can }
  throw invalid(`${at} has a name or a prefix, one of them, as a string`)
}

function isAction(value: unknown): value is Action {
  return ACTIONS.some((action) => action === value)
}

function invalid(reason: string): RollcallError {
  return new RollcallError('INVALID_TOKEN', `the token's ${reason}`)
}
