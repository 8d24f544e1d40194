import type { ChannelRef, States } from './channel.js'
import { RollcallError } from './errors.js'
import type { Position } from './events.js'
import { fieldsOf, type Read } from './fields.js'
import { DEFAULT_LIMITS, isPresenceTimeout, PRESENCE_TIMEOUT_MS, type Limits } from './limits.js'
import { parseReceived } from './messages.js'
import { parseMetadataItems, parseMetadataTargets, parseRevision, type MetadataItem, type MetadataTarget } from './metadata.js'
import { checkChannel, checkUserId } from './names.js'
import { parseUserIds } from './peers.js'
import type { HandshakeAuth } from './requests.js'
import { checkStateCount, parseStateKeys, parseStates } from './states.js'
import { isWellFormed } from './text.js'

/**
 * Parsers of what clients send: they take anything at all and give back a typed request, with every default filled in,
 * or throw a {@link RollcallError} and nothing else. Only own properties count, so nothing is read from a prototype;
 * properties that a request does not have are ignored.
 */

export interface Subscribe extends ChannelRef {
  readonly withPresence: boolean
  readonly beQuiet: boolean
  /** `null`: none were sent (an empty map says the same). */
  readonly states: States | null
  readonly since: Position | null
}

export interface SetState extends ChannelRef {
  readonly states: States
}

export interface RemoveState extends ChannelRef {
  /** Empty: all of them (`000.6`). */
  readonly keys: readonly string[]
}

export interface GetState extends ChannelRef {
  readonly userId: string
}

export interface WhoNow extends ChannelRef {
  readonly includedUserId: boolean
  readonly includedState: boolean
  /** Opaque; `''` is the first page. */
  readonly page: string
}

interface MetadataRequest {
  /** Whose metadata; `null`: one's own. */
  readonly userId: string | null
}

export interface WriteMetadata extends MetadataRequest {
  readonly items: readonly MetadataItem[]
  readonly majorRevision: number
}

export interface RemoveMetadata extends MetadataRequest {
  /** Empty: all of them. */
  readonly items: readonly MetadataTarget[]
  readonly majorRevision: number
}

const SESSION_ID = /^[A-Za-z0-9_-]{8,64}$/
const MAX_TOKEN = 16_384
const MAX_TAG = 64
const MAX_LIFE = 256
const MAX_PAGE = 1_024

/**
 * `auth` of the handshake. Whether the app is ours and the token holds is not decided here.
 * INVALID_APP_ID, INVALID_USER_ID, INVALID_TOKEN for what is no string; PRESENCE_INVALID_ARGUMENT.
 */
export function parseHandshake(value: unknown, limits: Limits = DEFAULT_LIMITS): HandshakeAuth {
  const read = fieldsOf(value, 'auth')
  const appId = read('appId')
  if (typeof appId !== 'string' || appId === '') throw new RollcallError('INVALID_APP_ID', 'auth.appId is a string that is not empty')
  const userId = checkUserId(read('userId'), limits)
  const token = read('token')
  const presenceTimeout = read('presenceTimeout')
  const sessionId = read('sessionId')
  const attach = read('attach')
  const tag = read('tag')
  const received = read('received')
  if (presenceTimeout !== undefined && !isPresenceTimeout(presenceTimeout)) {
    throw invalid(`auth.presenceTimeout is a whole number of milliseconds from ${PRESENCE_TIMEOUT_MS.least} to ${PRESENCE_TIMEOUT_MS.most}`)
  }
  if (sessionId !== undefined && (typeof sessionId !== 'string' || !SESSION_ID.test(sessionId))) {
    throw invalid('auth.sessionId has 8 to 64 of the characters A-Z a-z 0-9 _ -')
  }
  if (attach !== undefined && (sessionId === undefined || !isIntegerIn(attach, 1, Number.MAX_SAFE_INTEGER))) {
    throw invalid(`auth.attach comes with auth.sessionId and is a whole number from 1 to ${Number.MAX_SAFE_INTEGER}`)
  }
  return {
    appId,
    userId,
    // Where no token is needed, "none" is said in several ways.
    ...(token === undefined || token === null || token === '' ? {} : { token: tokenOf(token) }),
    ...(presenceTimeout === undefined ? {} : { presenceTimeout }),
    ...(sessionId === undefined ? {} : { sessionId }),
    ...(attach === undefined ? {} : { attach }),
    ...(tag === undefined ? {} : { tag: textOf(tag, 'auth.tag', 1, MAX_TAG) }),
    ...(received === undefined ? {} : { received: parseReceived(received) }),
  }
}

/**
 * INVALID_CHANNEL_NAME, INVALID_CHANNEL_TYPE, PRESENCE_INVALID_ARGUMENT, PRESENCE_NOT_WRITABLE for states of a quiet
 * subscriber, and what {@link parseStates} and {@link checkStateCount} throw.
 */
export function parseSubscribe(value: unknown, limits: Limits = DEFAULT_LIMITS): Subscribe {
  const read = fieldsOf(value)
  const channel = channelOf(read, limits)
  const withPresence = flagOf(read('withPresence'), 'withPresence', true)
  const beQuiet = flagOf(read('beQuiet'), 'beQuiet', false)
  const states = optionalStates(read('states'), limits)
  if (beQuiet && states !== null) throw new RollcallError('PRESENCE_NOT_WRITABLE', 'a quiet subscriber has no states')
  return { ...channel, withPresence, beQuiet, states, since: sinceOf(read('since')) }
}

/** As {@link parseSubscribe} for each channel. CHANNEL_LIMIT for too many, PRESENCE_INVALID_ARGUMENT for one named twice. */
export function parseResume(value: unknown, limits: Limits = DEFAULT_LIMITS): readonly Subscribe[] {
  const list = fieldsOf(value)('channels')
  if (!Array.isArray(list)) throw invalid('channels is a list')
  if (list.length > limits.channelsPerClient) {
    throw new RollcallError('CHANNEL_LIMIT', `a client is in at most ${limits.channelsPerClient} channels`)
  }
  const seen = new Set<string>()
  return Array.from(list as readonly unknown[], (entry) => {
    const channel = parseSubscribe(entry, limits)
    const id = `${channel.channelType}:${channel.channelName}`
    if (seen.has(id)) throw invalid('channels names a channel twice')
    seen.add(id)
    return channel
  })
}

/** A channel and nothing more. INVALID_CHANNEL_NAME, INVALID_CHANNEL_TYPE, PRESENCE_INVALID_ARGUMENT. */
export function parseChannel(value: unknown, limits: Limits = DEFAULT_LIMITS): ChannelRef {
  return channelOf(fieldsOf(value), limits)
}

/** As {@link parseChannel}, and what {@link parseStates} and {@link checkStateCount} throw, in the contract's order. */
export function parseSetState(value: unknown, limits: Limits = DEFAULT_LIMITS): SetState {
  const read = fieldsOf(value)
  return { ...channelOf(read, limits), states: statesOf(read('states'), limits) }
}

/** As {@link parseChannel}, and what {@link parseStateKeys} throws. */
export function parseRemoveState(value: unknown, limits: Limits = DEFAULT_LIMITS): RemoveState {
  const read = fieldsOf(value)
  return { ...channelOf(read, limits), keys: parseStateKeys(read('states'), limits) }
}

/** As {@link parseChannel}, and INVALID_USER_ID. */
export function parseGetState(value: unknown, limits: Limits = DEFAULT_LIMITS): GetState {
  const read = fieldsOf(value)
  return { userId: checkUserId(read('userId'), limits), ...channelOf(read, limits) }
}

/** As {@link parseChannel}. */
export function parseWhoNow(value: unknown, limits: Limits = DEFAULT_LIMITS): WhoNow {
  const read = fieldsOf(value)
  const page = read('page')
  return {
    ...channelOf(read, limits),
    includedUserId: flagOf(read('includedUserId'), 'includedUserId', true),
    includedState: flagOf(read('includedState'), 'includedState', false),
    page: page === undefined ? '' : textOf(page, 'page', 0, MAX_PAGE),
  }
}

/** INVALID_USER_ID, PRESENCE_INVALID_ARGUMENT. */
export function parseWhereNow(value: unknown, limits: Limits = DEFAULT_LIMITS): { readonly userId: string } {
  return { userId: checkUserId(fieldsOf(value)('userId'), limits) }
}

/** `subscribePeers`. INVALID_USER_ID, PRESENCE_INVALID_ARGUMENT. */
export function parseSubscribePeers(value: unknown, limits: Limits = DEFAULT_LIMITS): { readonly userIds: readonly string[] } {
  return { userIds: parseUserIds(fieldsOf(value)('userIds'), limits.peersPerRequest, limits) }
}

/** `null`: all. INVALID_USER_ID, PRESENCE_INVALID_ARGUMENT. */
export function parseUnsubscribePeers(value: unknown, limits: Limits = DEFAULT_LIMITS): { readonly userIds: readonly string[] | null } {
  const userIds = fieldsOf(value)('userIds')
  return { userIds: userIds === undefined ? null : parseUserIds(userIds, limits.peersPerClient, limits) }
}

/** INVALID_USER_ID, PRESENCE_INVALID_ARGUMENT. */
export function parseQueryPeers(value: unknown, limits: Limits = DEFAULT_LIMITS): { readonly userIds: readonly string[] } {
  return { userIds: parseUserIds(fieldsOf(value)('userIds'), limits.usersPerQuery, limits) }
}

/** INVALID_TOKEN, PRESENCE_INVALID_ARGUMENT. */
export function parseRenewToken(value: unknown): { readonly token: string } {
  return { token: tokenOf(fieldsOf(value)('token')) }
}

/** `setUserMetadata` and `updateUserMetadata`. INVALID_USER_ID, what {@link parseMetadataItems} throws, STORAGE_INVALID_REVISION. */
export function parseWriteMetadata(value: unknown, limits: Limits = DEFAULT_LIMITS): WriteMetadata {
  const read = fieldsOf(value)
  return { userId: whoseOf(read, limits), items: parseMetadataItems(read('items'), limits), majorRevision: parseRevision(read('majorRevision')) }
}

const REMOVE_FIELDS = ['items', 'userId', 'majorRevision']

/**
 * As {@link parseWriteMetadata}. Here a property that is not known is STORAGE_INVALID_ARGUMENT: a list under another
 * name would else remove everything.
 */
export function parseRemoveMetadata(value: unknown, limits: Limits = DEFAULT_LIMITS): RemoveMetadata {
  const read = fieldsOf(value)
  const unknown = Object.keys(value as object).find((name) => !REMOVE_FIELDS.includes(name))
  if (unknown !== undefined) {
    throw new RollcallError('STORAGE_INVALID_ARGUMENT', `what is to be removed is said with ${REMOVE_FIELDS.join(', ')}, not ${JSON.stringify(unknown.slice(0, 48))}`)
  }
  return { userId: whoseOf(read, limits), items: parseMetadataTargets(read('items'), limits), majorRevision: parseRevision(read('majorRevision')) }
}

/** INVALID_USER_ID. */
export function parseGetMetadata(value: unknown, limits: Limits = DEFAULT_LIMITS): MetadataRequest {
  return { userId: whoseOf(fieldsOf(value), limits) }
}

function whoseOf(read: Read, limits: Limits): string | null {
  const userId = read('userId')
  return userId === undefined ? null : checkUserId(userId, limits)
}

function channelOf(read: Read, limits: Limits): ChannelRef {
  const type = read('channelType')
  return checkChannel(read('channelName'), type === undefined ? 'MESSAGE' : type, limits)
}

function flagOf(value: unknown, name: string, byDefault: boolean): boolean {
  if (value === undefined) return byDefault
  if (typeof value !== 'boolean') throw invalid(`${name} is true or false`)
  return value
}

function optionalStates(value: unknown, limits: Limits): States | null {
  if (value === undefined) return null
  // A client that carries its states along may have none.
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length === 0) return null
  return statesOf(value, limits)
}

/** Too many for one member are refused here, before anything is done; what the member has already is counted later. */
function statesOf(value: unknown, limits: Limits): States {
  const states = parseStates(value, limits)
  checkStateCount({}, states, limits)
  return states
}

function sinceOf(value: unknown): Position | null {
  if (value === undefined) return null
  const read = fieldsOf(value, 'since')
  const version = read('version')
  if (!isIntegerIn(version, 0, Number.MAX_SAFE_INTEGER)) throw invalid('since.version is a whole number')
  return { life: textOf(read('life'), 'since.life', 0, MAX_LIFE), version }
}

function tokenOf(value: unknown): string {
  if (typeof value !== 'string' || value === '') throw new RollcallError('INVALID_TOKEN', 'token is a string')
  if (value.length > MAX_TOKEN) throw new RollcallError('INVALID_TOKEN', `token has at most ${MAX_TOKEN} characters`)
  return value
}

function textOf(value: unknown, name: string, min: number, max: number): string {
  if (typeof value !== 'string' || value.length < min || value.length > max || value.includes('\0') || !isWellFormed(value)) {
    throw invalid(`${name} is a string of ${min} to ${max} characters of well-formed Unicode without NUL`)
  }
  return value
}

function isIntegerIn(value: unknown, min: number, max: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max
}

function invalid(reason: string): RollcallError {
  return new RollcallError('PRESENCE_INVALID_ARGUMENT', reason)
}
