import { channelId, parseChannelId, type Channel, type Membership, type Timer } from '../../presence/types.js'

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
  /** A channel of pub/sub for what is addressed to users of this partition: statuses, messages, invitations. */
  readonly post: string
  /** What is to be done at a time of the partition's clock that no membership stands for: invitations that end, farewells to be told. */
  readonly timers: string
  /** The last of the post that told friends that somebody is gone, for nodes that have missed it. */
  readonly farewells: string
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
    this.post = `${this.#prefix}post`
    this.timers = `${this.#prefix}timers`
    this.farewells = `${this.#prefix}farewells`
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
  /** Whom a user has as a friend or has blocked. It lasts: like {@link meta} and {@link asked} it has no lifetime. */
  roster(app: string, userId: string): string {
    return `${this.#prefix}roster:${app}:${userId}`
  }
  /** Who has this user in their roster, with what they said. */
  asked(app: string, userId: string): string {
    return `${this.#prefix}asked:${app}:${userId}`
  }
  /** Messages to a user that no session has acknowledged yet, and until when each is kept. */
  inbox(app: string, userId: string): string {
    return `${this.#prefix}inbox:${app}:${userId}`
  }
  kept(app: string, userId: string): string {
    return `${this.#prefix}kept:${app}:${userId}`
  }
  /** The number of the last message that a user's inbox has taken from somebody's session. Names have no NUL, and sessions no colon. */
  heard(app: string, { to, session, from }: { readonly to: string; readonly session: string; readonly from: string }): string {
    return `${this.#prefix}heard:${app}:${to}${SEPARATOR}${session}:${from}`
  }
  /** Invitations that a user was sent, until some time after their end. */
  invitations(app: string, userId: string): string {
    return `${this.#prefix}invitations:${app}:${userId}`
  }
  /** Matches those of every user. */
  get everybodysInvitations(): string {
    return `${this.#prefix}invitations:*`
  }
  /** What lasts of a user. */
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

/** Whether a key may stay for ever: the partition count, and what lasts of a user (metadata, friends). Every other one expires by itself. */
export function mayStay(key: string): boolean {
  return key === PARTITION_COUNT_KEY || /^rollcall:\{\d+\}:(meta|roster|asked):/.test(key)
}

/** Whose invitations a key holds. */
export function ownerOfInvitations(key: string): { readonly app: string; readonly userId: string } {
  const [, app, userId] = /^rollcall:\{\d+\}:invitations:([^:]+):(.*)$/s.exec(key) ?? []
  if (app === undefined || userId === undefined) throw new Error(`not a key of invitations: ${JSON.stringify(key)}`)
  return { app, userId }
}

/** Matches every channel's members key, in any partition. */
export const MEMBERS_PATTERN = 'rollcall:{*}:members:*'

/** The channel of a members key, or null for any other key. */
export function channelOfMembersKey(key: string): Channel | null {
  const match = /^rollcall:\{\d+\}:members:/.exec(key)
  return match === null ? null : parseChannelId(key.slice(match[0].length))
}

/** A membership as `commit.lua` lists it under `owned` and `due`: channel id, user, session. Names have no NUL. */
export function parseMembership(text: string): Membership {
  const [channel, userId, session] = text.split(SEPARATOR)
  if (channel === undefined || userId === undefined || session === undefined) throw new Error(`not a membership: ${JSON.stringify(text)}`)
  return { channel: parseChannelId(channel), userId, session }
}

const TIMER_KINDS = { farewell: 'f', invitation: 'i' } as const

/** How a timer is listed under `timers`. */
export function timerText({ kind, channel, id }: Omit<Timer, 'at'>): string {
  return [TIMER_KINDS[kind], channelId(channel), id].join(SEPARATOR)
}

/** The reverse of {@link timerText}; `null` for a kind that is not known: nodes of another version may know of more. */
export function parseTimer(text: string, at: number): Timer | null {
  const [kind, channel, id] = text.split(SEPARATOR)
  if ((kind !== 'f' && kind !== 'i') || channel === undefined || id === undefined) return null
  return { kind: kind === 'f' ? 'farewell' : 'invitation', channel: parseChannelId(channel), id, at }
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
