import type { States } from '../../protocol/channel.js'
import type { Post } from '../../presence/post.js'
import type { PeerStatus, StatusChange, StatusEvent, UserStatus } from '../../presence/status.js'
import { StoreRefusedError } from '../../presence/store.js'
import { channelId, parseChannelId, type ChannelEvent, type MemberRecord, type Op, type OpResult, type Removed, type SessionEntry } from '../../presence/types.js'
import { recordOfStates, type Change } from '../../replica/replica.js'
import type { Keys } from './keys.js'

/** A reply of a script that has not the shape that the script's header promises: a defect, never bad input. */
export class ReplyShapeError extends Error {
  constructor(what: string, reply: unknown) {
    super(`unexpected reply of ${what}: ${JSON.stringify(reply)?.slice(0, 300)}`)
    this.name = 'ReplyShapeError'
  }
}

export function textOf(value: unknown, what: string): string {
  if (typeof value !== 'string') throw new ReplyShapeError(what, value)
  return value
}

export function numberOf(value: unknown, what: string): number {
  const number = typeof value === 'string' && value !== '' ? Number(value) : NaN
  if (!Number.isFinite(number)) throw new ReplyShapeError(what, value)
  return number
}

/** The reply of a script that answers nothing at all while no heartbeat has looked at its server: that may lack data. */
export function replyOf(value: unknown, what: string): readonly unknown[] {
  const reply = listOf(value, what)
  if (reply.length === 0) throw new StoreRefusedError('no heartbeat has looked at this server yet: it may lack data', undefined)
  return reply
}

export function listOf(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new ReplyShapeError(what, value)
  return value
}

/** States as the store keeps them: JSON, `''` when there are none. */
export function encodeStates(states: States): string {
  const keys = Object.keys(states)
  return keys.length === 0 ? '' : JSON.stringify(states)
}

/** The reverse of {@link encodeStates}. */
export function decodeStates(text: string): States {
  if (text === '') return recordOfStates([])
  const value: unknown = JSON.parse(text)
  if (typeof value !== 'object' || value === null) throw new ReplyShapeError('states', text)
  return recordOfStates(Object.entries(value as Record<string, string>))
}

/** `revision joinedAt states`, as `members:<channel>` holds it. */
export function decodeRecord(text: string): MemberRecord {
  const match = /^(\d+) (\d+) ([\s\S]*)$/.exec(text)
  if (match === null) throw new ReplyShapeError('members', text)
  return { revision: Number(match[1]), joinedAt: Number(match[2]), states: decodeStates(match[3] ?? '') }
}

/** `session,attach,timeout,holder;…`, as `sessions:<channel>` holds it. */
export function decodeSessions(text: string): readonly SessionEntry[] {
  return text.split(';').map((entry) => {
    const [session, attach, timeout, holder] = entry.split(',')
    if (session === undefined || holder === undefined) throw new ReplyShapeError('sessions', text)
    return {
      session,
      attach: numberOf(attach, 'sessions'),
      timeoutMs: numberOf(timeout, 'sessions') / 1000,
      node: holder === '-' || holder === '~' ? null : holder,
    }
  })
}

/** KEYS and ARGV of `commit.lua`, behind the fixed ones. */
export function encodeOps(keys: Keys, ops: readonly Op[], owners: readonly string[], fixedKeys: number): { readonly keys: string[]; readonly args: string[] } {
  const named: string[] = []
  const indexOf = new Map<string, number>()
  const declare = (first: string, ...row: string[]): number => {
    const known = indexOf.get(first)
    if (known !== undefined) return known
    const index = fixedKeys + named.length + 1
    named.push(first, ...row)
    indexOf.set(first, index)
    return index
  }
  const swept = ops.flatMap((op) => ('node' in op ? [op.node] : []))
  const args: string[] = []
  const others = [...new Set([...owners, ...swept])]
  args.push(String(others.length))
  for (const owner of others) args.push(owner, String(declare(keys.owned(owner))))
  for (const op of ops) {
    if (!('channel' in op)) {
      args.push(op.kind, '0', '0', '', '', '', '', '0', '0', '0', 'node' in op ? op.node : '', '')
      continue
    }
    const channel = channelId(op.channel)
    const index = declare(keys.members(channel), keys.sessions(channel), keys.events(channel))
    const { app, type, name } = op.channel
    const where = type === 'USER' ? -declare(...keysOfUser(keys, app, name)) : declare(keys.where(app, op.userId))
    const known = 'known' in op ? op.known : undefined
    args.push(
      op.kind,
      String(index),
      String(where),
      channel,
      op.userId,
      'session' in op ? op.session : '?',
      op.kind === 'placeholder' ? String(op.seen) : 'attach' in op && op.attach !== null ? String(op.attach) : '',
      'timeoutMs' in op ? String(op.timeoutMs * 1000) : '0',
      String(op.kind === 'state' ? op.base : (known?.revision ?? 0)),
      String(known?.joinedAt ?? 0),
      textOfOp(op),
      howOf(op),
    )
  }
  return { keys: named, args }
}

function keysOfUser(keys: Keys, app: string, userId: string): [string, ...string[]] {
  return [keys.seen(app, userId), keys.gone(app, userId), keys.inbox(app, userId), keys.invitations(app, userId), keys.roster(app, userId)]
}

/** What stands where states do. */
function textOfOp(op: Op): string {
  switch (op.kind) {
    case 'orphan':
      return op.node
    case 'evict':
      return op.reason
    case 'state':
      return encodeStates(op.states)
    default:
      return 'known' in op && op.known !== undefined ? encodeStates(op.known.states) : ''
  }
}

function howOf(op: Op): string {
  if (!('attach' in op) || op.kind !== 'join') return ''
  const policy = op.policy === undefined ? '' : `${op.policy.mode},${op.policy.most}`
  return op.again === true ? `${policy}again` : policy
}

const STATUSES = new Set<string>(['ok', 'same', 'stale', 'missing', 'conflict', 'lost', 'early', 'refused', 'gone'] satisfies OpResult['status'][])

/** One result of `commit.lua`. */
export function decodeResult(reply: unknown): OpResult {
  const [status, version, attach, superseded, channelLife, more, revision, joined, states, marks] = listOf(reply, 'commit')
  if (typeof status !== 'string' || !STATUSES.has(status)) throw new ReplyShapeError('commit', reply)
  return {
    status: status as OpResult['status'],
    version: numberOf(version, 'commit'),
    channelLife: textOf(channelLife, 'commit'),
    ...(attach === '' || attach === undefined ? {} : { attach: numberOf(attach, 'commit') }),
    ...(superseded === '' || superseded === undefined ? {} : { superseded: textOf(superseded, 'commit') }),
    ...(status === 'gone' ? { reason: textOf(more, 'commit') } : more === '' || more === undefined ? {} : { removed: decodeRemoved(textOf(more, 'commit')) }),
    ...(revision === undefined || revision === ''
      ? {}
      : { member: { revision: numberOf(revision, 'commit'), joinedAt: numberOf(joined, 'commit'), states: decodeStates(textOf(states, 'commit')) } }),
    ...(marks === undefined ? {} : decodeMarks(textOf(marks, 'commit'))),
  }
}

function decodeMarks(marks: string): Pick<OpResult, 'waiting' | 'farewell'> {
  return marks === 'f' ? { farewell: true } : { waiting: { messages: marks.includes('m'), invitations: marks.includes('i') } }
}

/** `node,session,attach;…` */
function decodeRemoved(text: string): readonly Removed[] {
  return text.slice(0, -1).split(';').map((row) => {
    const [node, session = '', attach] = row.split(',')
    return { node: node === '' || node === undefined ? null : node, session, attach: numberOf(attach, 'commit') }
  })
}

const STANDINGS: readonly PeerStatus[] = ['OFFLINE', 'UNREACHABLE', 'ONLINE']
const STATUS_FIELDS = 4

/** A user's status as scripts say it: 0, 1 or 2, and when the last session ended. */
export function decodeStatus(standing: unknown, lastSeen: unknown): UserStatus {
  const status = STANDINGS[numberOf(standing, 'status')]
  if (status === undefined) throw new ReplyShapeError('status', standing)
  return { status, lastSeen: lastSeen === '' || lastSeen === undefined ? null : numberOf(lastSeen, 'status') }
}

/** A message on a partition's `status`, as `commit.lua` publishes it. */
export function decodeStatusEvent(message: string): StatusEvent {
  const fields = message.split('\0')
  const [life = '', previous] = fields
  const changes: StatusChange[] = []
  for (let i = 2; i + STATUS_FIELDS <= fields.length; i += STATUS_FIELDS) {
    const [version, channel = '', standing, lastSeen] = fields.slice(i, i + STATUS_FIELDS)
    const { app, name } = parseChannelId(channel)
    changes.push({ version: numberOf(version, 'status'), app, userId: name, ...decodeStatus(standing, lastSeen) })
  }
  return { life, previous: numberOf(previous, 'status'), changes }
}

const CHANGE_FIELDS = 6

/** A message on `events:<channel>`, as `commit.lua` publishes it. */
export function decodeEvent(message: string): ChannelEvent {
  const fields = message.split('\0')
  const [life = '', channelLife = '', previous, time] = fields
  const at = numberOf(time, 'event')
  const changes: Change[] = []
  for (let i = 4; i + CHANGE_FIELDS <= fields.length; i += CHANGE_FIELDS) {
    const [kind, versionText, userId = '', joined, states = '', session = ''] = fields.slice(i, i + CHANGE_FIELDS)
    const version = numberOf(versionText, 'event')
    switch (kind) {
      case 'join':
      case 'assert':
        changes.push({ kind, version, userId, at, joinedAt: numberOf(joined, 'event'), states: decodeStates(states) })
        break
      case 'state':
        changes.push({ kind, version, userId, at, states: decodeStates(states), session })
        break
      case 'leave':
      case 'timeout':
        changes.push({ kind, version, userId, at })
        break
      default:
        throw new ReplyShapeError('event', kind)
    }
  }
  return { life, channelLife, previous: numberOf(previous, 'event'), changes }
}

/** Post as scripts publish it: fields joined by NUL: number, kind, app, count of users, the users, and then what it says. */
export function decodePost(message: string): Post {
  const [number, kind = '', app = '', count, ...rest] = message.split('\0')
  const users = numberOf(count, 'post')
  return { number: numberOf(number, 'post'), kind, app, to: rest.slice(0, users), fields: rest.slice(users) }
}
