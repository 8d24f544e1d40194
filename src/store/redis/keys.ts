import { channelId, parseChannelId, type Channel, type Membership } from '../../presence/types.js'

const SEPARATOR = '\0'

/**
 * The names of all keys. Each carries the partition as its hash tag, so that one script may touch a whole partition and
 * Redis Cluster keeps it on one node. Only the first `{…}` of a key counts and that one is ours: no name can move a key.
 */
export class Keys {
  readonly clock: string
  readonly leases: string
  readonly due: string
  /** What is written for webhooks, and the channels of pub/sub that say so, and that say whose status changed. */
  readonly outbox: string
  readonly written: string
  readonly status: string
  /** Of the outbox: which node serves a receiver, how far it was served, and what could not be delivered. */
  readonly claims: string
  readonly cursors: string
  readonly givenUp: string
  readonly #prefix: string

  constructor(partition: number) {
    this.#prefix = `rollcall:{${partition}}:`
    this.clock = `${this.#prefix}clock`
    this.leases = `${this.#prefix}leases`
    this.due = `${this.#prefix}due`
    this.outbox = `${this.#prefix}outbox`
    this.written = `${this.#prefix}written`
    this.status = `${this.#prefix}status`
    this.claims = `${this.#prefix}claims`
    this.cursors = `${this.#prefix}cursors`
    this.givenUp = `${this.#prefix}given-up`
  }

  /** Matches every key of the partition. */
  get pattern(): string {
    return `${this.#prefix}*`
  }
  owned(node: string): string {
    return `${this.#prefix}owned:${node}`
  }
  members(channel: string): string {
    return `${this.#prefix}members:${channel}`
  }
  sessions(channel: string): string {
    return `${this.#prefix}sessions:${channel}`
  }
  events(channel: string): string {
    return `${this.#prefix}events:${channel}`
  }
  where(app: string, userId: string): string {
    return `${this.#prefix}where:${app}:${userId}`
  }
  /** `0` for seven days after a user's last session has ended (`003.2`). */
  seen(app: string, userId: string): string {
    return `${this.#prefix}seen:${app}:${userId}`
  }
  /** The sessions of a user that were ended for good, and why: they may not return. */
  gone(app: string, userId: string): string {
    return `${this.#prefix}gone:${app}:${userId}`
  }
  /** What lasts of a user: the one kind of key in a partition that has no lifetime. */
  meta(app: string, userId: string): string {
    return `${this.#prefix}meta:${app}:${userId}`
  }
  probe(node: string): string {
    return `${this.#prefix}probe:${node}`
  }
}

/** The one key without a partition: how many there are. Written again when missing; it has no lifetime. */
export const PARTITION_COUNT_KEY = 'rollcall:partitions'

/** Matches every key of ours. */
export const KEYS_PATTERN = 'rollcall:*'

/** Whether a key may stay for ever: the partition count, and what lasts of a user. Every other one expires by itself. */
export function mayStay(key: string): boolean {
  return key === PARTITION_COUNT_KEY || /^rollcall:\{\d+\}:meta:/.test(key)
}

/** Matches every channel's members key, in any partition. */
export const MEMBERS_PATTERN = 'rollcall:{*}:members:*'

/** The channel of a members key, or null for any other key. */
export function channelOfMembersKey(key: string): Channel | null {
  const match = /^rollcall:\{\d+\}:members:/.exec(key)
  return match === null ? null : parseChannelId(key.slice(match[0].length))
}

/** How a membership is listed under `owned` and `due`. Names have no NUL. */
export function membershipText(membership: Membership): string {
  return [channelId(membership.channel), membership.userId, membership.session].join(SEPARATOR)
}

/** The reverse of {@link membershipText}. */
export function parseMembership(text: string): Membership {
  const [channel, userId, session] = text.split(SEPARATOR)
  if (channel === undefined || userId === undefined || session === undefined) throw new Error(`not a membership: ${JSON.stringify(text)}`)
  return { channel: parseChannelId(channel), userId, session }
}

/** FNV-1a over UTF-8, spread over the partitions: the same on every node and in every version. */
export function partitionOf(channel: Channel, partitions: number): number {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(channelId(channel), 'utf8')) {
    hash ^= byte
    hash = Math.imul(hash, 0x01000193)
  }
  // The low bits of FNV mix poorly for short names; fold the high ones in.
  return ((hash ^ (hash >>> 16)) >>> 0) % partitions
}
