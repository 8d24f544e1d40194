import type { Claim, Claims, GivenUp, Outbox, OutboxEntry, OutboxEvent } from '../../presence/outbox.js'
import { channelId, parseChannelId, userChannel, type Channel } from '../../presence/types.js'
import type { CloseCode } from '../../protocol/webhooks.js'
import type { RedisAccess } from './access.js'
import { decodeStates, encodeStates, listOf, numberOf, ReplyShapeError, textOf } from './codec.js'
import * as scripts from './scripts.js'
import type { Subscriber } from './subscriber.js'

/** So long, in milliseconds, a receiver that no node serves still keeps entries from being let go. */
const PATIENCE_MS = 3_600_000

/** The outbox on Redis: a stream a partition, which `commit.lua` writes, and beside it who delivers what and how far they are. */
export class RedisOutbox implements Outbox {
  #givenUpMost = 1_000

  /** @param ttlS lifetime of keys, in seconds; each claim renews it */
  constructor(
    private readonly access: RedisAccess,
    private readonly subscriber: Subscriber,
    private readonly ttlS: number,
  ) {}

  get partitions(): number {
    return this.access.partitions
  }

  /** Of what was given up, this many of a partition are kept. */
  keepGivenUp(entries: number): void {
    this.#givenUpMost = entries
  }

  async claim(partition: number, node: string, receivers: readonly string[], leaseMs: number): Promise<Claims> {
    const [free, ...rows] = listOf(await this.#run(partition, 'claim', node, [String(leaseMs), String(PATIENCE_MS), ...receivers]), 'outbox')
    const mine = new Map<string, Claim>()
    for (let i = 0; i < rows.length; i += 6) {
      const [receiver, held, place, life, sequence, behind] = rows.slice(i, i + 6)
      mine.set(textOf(receiver, 'outbox'), {
        held: held === '1',
        place: textOf(place, 'outbox'),
        life: textOf(life, 'outbox'),
        sequence: numberOf(sequence, 'outbox'),
        behind: numberOf(behind, 'outbox'),
      })
    }
    return { mine, freeInMs: free === '' ? null : numberOf(free, 'outbox') }
  }

  async release(partition: number, node: string): Promise<void> {
    await this.#run(partition, 'release', node, [])
  }

  async read(partition: number, after: string, limit: number): Promise<readonly OutboxEntry[]> {
    const { redis } = this.access
    const rows = await this.access.call(redis.xrange(this.access.keysAt(partition).outbox, after === '' ? '-' : `(${after}`, '+', 'COUNT', limit))
    return rows.map(([place, fields]) => decodeOutboxEntry(place, textOf(fields[1], 'outbox')))
  }

  async acknowledge(partition: number, node: string, receiver: string, entry: OutboxEntry, givenUp?: GivenUp): Promise<boolean> {
    const { place, life, sequence } = entry
    const kept = givenUp === undefined ? [] : [String(this.#givenUpMost), ...encodeGivenUp(givenUp)]
    return (await this.#run(partition, 'acknowledge', node, [receiver, place, life, String(sequence), ...kept])) === '1'
  }

  async givenUp(limit: number): Promise<readonly (GivenUp & { readonly partition: number })[]> {
    const lists = await Promise.all(this.access.allKeys.map(async (_, partition) => (await this.#kept(partition, limit)).map(([, given]) => ({ ...given, partition }))))
    return lists.flat().sort((a, b) => b.at - a.at).slice(0, limit)
  }

  async forget(partition: number, receiver: string, id: string): Promise<boolean> {
    const { redis } = this.access
    const found = (await this.#kept(partition)).find(([, given]) => given.receiver === receiver && given.id === id)
    return found !== undefined && (await this.access.call(redis.xdel(this.access.keysAt(partition).givenUp, found[0]))) === 1
  }

  async onWritten(partition: number, listener: (what: 'written' | 'released') => void): Promise<() => void> {
    return this.access.call(this.subscriber.subscribe(this.access.keysAt(partition).written, (message) => (message === 'released' ? 'released' : 'written'), listener))
  }

  /** The list of a partition, the newest first, each with its place in it. */
  async #kept(partition: number, limit?: number): Promise<readonly (readonly [string, GivenUp])[]> {
    const { redis } = this.access
    const key = this.access.keysAt(partition).givenUp
    const rows = await this.access.call(limit === undefined ? redis.xrevrange(key, '+', '-') : redis.xrevrange(key, '+', '-', 'COUNT', limit))
    return rows.map(([at, fields]) => [at, decodeGivenUp(at, fields)])
  }

  #run(partition: number, action: 'claim' | 'acknowledge' | 'release', node: string, args: readonly string[]): Promise<unknown> {
    const keys = this.access.keysAt(partition)
    return this.access.run(scripts.outbox, [keys.clock, keys.outbox, keys.written, keys.claims, keys.cursors, keys.givenUp], [action, node, String(this.ttlS), ...args])
  }
}

/** Fields of an entry before its reason, which may contain what separates them. */
const FIELDS = 9

/** An entry as `commit.lua` writes it. */
function decodeOutboxEntry(place: string, text: string): OutboxEntry {
  const fields = text.split('\0')
  const [life = '', sequence, version, at, kind = '', channel = '', user = '', states = '', code = ''] = fields
  const reason = fields.slice(FIELDS).join('\0')
  return {
    place,
    life,
    sequence: numberOf(sequence, 'outbox'),
    id: `${life}-${numberOf(version, 'outbox')}-${kind}`,
    at: numberOf(at, 'outbox'),
    app: parseChannelId(channel).app,
    event: decodeOutboxEvent(kind, parseChannelId(channel), user, states, code, reason),
  }
}

function decodeOutboxEvent(kind: string, channel: Channel, user: string, states: string, code: string, reason: string): OutboxEvent {
  switch (kind) {
    case 'online':
      return { kind, userId: channel.name, sessionId: user, ...decodeInfo(states), reconnect: reason === '1' }
    case 'offline':
      return { kind, userId: channel.name, sessionId: user, ...decodeInfo(states), closeCode: closeCodeOf(code), reason }
    case 'join':
    case 'leave':
    case 'timeout':
      return { kind, channel, userId: user }
    case 'state':
      return { kind, channel, userId: user, states: decodeStates(states) }
    case 'occupied':
    case 'vacated':
      return { kind, channel }
    default:
      throw new ReplyShapeError('outbox', kind)
  }
}

function closeCodeOf(code: string): CloseCode {
  const number = Number(code)
  if (number === 1 || number === 2 || number === 3 || number === 4) return number
  throw new ReplyShapeError('outbox', code)
}

/** What a session said of itself, as states of its USER channel: a key that is not there was not known. */
function decodeInfo(text: string): { readonly sourceIP: string; readonly tag: string } {
  const { ip = '', tag = '' } = decodeStates(text)
  return { sourceIP: ip, tag }
}

/** The reverse of {@link decodeOutboxEntry}, for the list of what was given up. */
function encodeOutboxEntry({ life, sequence, id, at, app, event }: OutboxEntry): string {
  const version = id.slice(life.length + 1, id.length - event.kind.length - 1)
  return [life, sequence, version, at, event.kind, ...encodeOutboxEvent(app, event)].join('\0')
}

/** Channel id, user, states, close code, reason. */
function encodeOutboxEvent(app: string, event: OutboxEvent): readonly string[] {
  switch (event.kind) {
    case 'online':
    case 'offline': {
      const info = encodeStates({ ...(event.sourceIP !== '' && { ip: event.sourceIP }), ...(event.tag !== '' && { tag: event.tag }) })
      const why = event.kind === 'offline' ? [String(event.closeCode), event.reason] : ['', event.reconnect ? '1' : '']
      return [channelId(userChannel(app, event.userId)), event.sessionId, info, ...why]
    }
    case 'state':
      return [channelId(event.channel), event.userId, encodeStates(event.states), '', '']
    case 'occupied':
    case 'vacated':
      return [channelId(event.channel), '', '', '', '']
    case 'join':
    case 'leave':
    case 'timeout':
      return [channelId(event.channel), event.userId, '', '', '']
  }
}

function encodeGivenUp({ receiver, attempts, lastError, entry }: GivenUp): readonly string[] {
  return ['receiver', receiver, 'attempts', String(attempts), 'error', lastError, 'place', entry.place, 'e', encodeOutboxEntry(entry)]
}

function decodeGivenUp(at: string, fields: readonly string[]): GivenUp {
  const value = (name: string): string => textOf(fields[fields.findIndex((field, i) => i % 2 === 0 && field === name) + 1], 'given-up')
  const entry = decodeOutboxEntry(value('place'), value('e'))
  return { id: entry.id, receiver: value('receiver'), attempts: numberOf(value('attempts'), 'given-up'), lastError: value('error'), at: Number(at.split('-')[0]), entry }
}
