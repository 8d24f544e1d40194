import type { States } from '../../protocol/channel.js'
import { channelId, type ChannelEvent, type MemberRecord, type Op, type OpResult, type SessionEntry } from '../../presence/types.js'
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
      args.push(op.kind, '0', '0', '', '', '', '', '0', '0', '0', 'node' in op ? op.node : '')
      continue
    }
    const channel = channelId(op.channel)
    const index = declare(keys.members(channel), keys.sessions(channel), keys.events(channel))
    const where = op.channel.type === 'USER' ? 0 : declare(keys.where(op.channel.app, op.userId))
    const known = 'known' in op ? op.known : undefined
    const states = op.kind === 'orphan' ? op.node : op.kind === 'state' ? encodeStates(op.states) : known === undefined ? '' : encodeStates(known.states)
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
      states,
    )
  }
  return { keys: named, args }
}

const STATUSES = new Set<string>(['ok', 'same', 'stale', 'missing', 'conflict', 'lost', 'early'] satisfies OpResult['status'][])

/** One result of `commit.lua`. */
export function decodeResult(reply: unknown): OpResult {
  const [status, version, attach, superseded, channelLife, revision, joined, states] = listOf(reply, 'commit')
  if (typeof status !== 'string' || !STATUSES.has(status)) throw new ReplyShapeError('commit', reply)
  return {
    status: status as OpResult['status'],
    version: numberOf(version, 'commit'),
    channelLife: textOf(channelLife, 'commit'),
    ...(attach === '' || attach === undefined ? {} : { attach: numberOf(attach, 'commit') }),
    ...(superseded === '' || superseded === undefined ? {} : { superseded: textOf(superseded, 'commit') }),
    ...(revision === undefined
      ? {}
      : { member: { revision: numberOf(revision, 'commit'), joinedAt: numberOf(joined, 'commit'), states: decodeStates(textOf(states, 'commit')) } }),
  }
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
