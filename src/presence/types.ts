import type { ChannelType, States } from '../protocol/channel.js'
import type { Change, Member } from '../replica/replica.js'

/** A channel as the cluster names it: with its app, and the internal type `USER` (its members are a user's sessions). */
export interface Channel {
  readonly app: string
  readonly type: ChannelType | 'USER'
  readonly name: string
}

/** One string a channel, for maps. No part can contain the separator: apps and types have no colon. */
export function channelId(channel: Channel): string {
  return `${channel.app}:${channel.type}:${channel.name}`
}

/** The reverse of {@link channelId}. */
export function parseChannelId(id: string): Channel {
  const first = id.indexOf(':')
  const second = id.indexOf(':', first + 1)
  if (first < 1 || second < 0) throw new Error(`not a channel id: ${JSON.stringify(id)}`)
  return { app: id.slice(0, first), type: id.slice(first + 1, second) as Channel['type'], name: id.slice(second + 1) }
}

export function userChannel(app: string, userId: string): Channel {
  return { app, type: 'USER', name: userId }
}

/**
 * One presence of one session in one channel, and under which attach. In a USER channel the member is the session
 * itself: `userId` is the session id there.
 */
export interface Membership {
  readonly channel: Channel
  readonly userId: string
  readonly session: string
}

/** What a session asks of its member's states: merge these in (`000.4`), or remove these keys - all, if none is named (`000.6`). */
export type StateChange = { readonly set: States } | { readonly remove: readonly string[] }

/** A numbered connection of a session. The highest attach is the session's only valid one. */
export type Attach = number

/**
 * Put a session into a channel, or take it over under a higher attach.
 * `join` makes the member if it is not there; `resume` only takes over what is there, and needs no memory; `assert` repairs after
 * a loss and carries what the node knows of the member. `attach: null` asks the USER channel for the session's next one.
 */
export interface EntryOp extends Membership {
  readonly kind: 'join' | 'resume' | 'assert'
  readonly attach: Attach | null
  readonly timeoutMs: number
  readonly known?: MemberRecord
  /** The client was here before its connection was lost: it is news to nobody if data has just been lost. */
  readonly again?: boolean
  /** Of a login: what it may put an end to, or be refused for (`refused`), unless the session is there already. */
  readonly policy?: LoginPolicy
}

/** One step of a batch. Each is decided by the store's script against what is there then; see {@link OpResult}. */
export type Op =
  | EntryOp
  /**
   * Put back a member that a feed has and the store lost, due like a dead node's. Does nothing to a member that is there.
   * `conflict` when somebody has ended in the channel since the version that the feed has `seen`.
   */
  | { readonly kind: 'placeholder'; readonly channel: Channel; readonly userId: string; readonly timeoutMs: number; readonly seen: number; readonly known: MemberRecord }
  | (Membership & { readonly kind: 'leave'; readonly attach: Attach })
  /** In a USER channel: the application ends a session for good, whatever its attach; it may not return, and is told why. */
  | (Membership & { readonly kind: 'evict'; readonly reason: string })
  /** The connection is gone, the session may come back: due after `timeoutMs`. */
  | (Membership & { readonly kind: 'suspend'; readonly attach: Attach; readonly timeoutMs: number })
  /** Replace the member's states, if they still have the revision that the new ones are based on (0: if there are none). */
  | (Membership & { readonly kind: 'state'; readonly attach: Attach; readonly base: number; readonly states: States })
  /** Sweep: end a session whose deadline has passed. */
  | (Membership & { readonly kind: 'expire' })
  /** Sweep: a session of a node whose lease has ended becomes due. */
  | (Membership & { readonly kind: 'orphan'; readonly node: string })
  /** Sweep: mark a lease that has run out as ended; `drop` forgets it once it owns nothing more. */
  | { readonly kind: 'endLease' | 'dropLease'; readonly node: string }
  /** Repair: a session that no lease vouches for and that has no deadline gets one, its presenceTimeout from now. */
  | (Membership & { readonly kind: 'remind' })
  /** Repair: this node looks for all who have no deadline (`early`: another one is at it), and has done so. Until then every heartbeat says that deadlines were lost. */
  | { readonly kind: 'search' | 'searched' }

/** How many sessions a user may have (`ROLLCALL_LOGIN`, `docs/operating.md`). One with the tag of the new one is always replaced first. */
export interface LoginPolicy {
  readonly mode: 'multi' | 'replace' | 'reject'
  /** 0: one, or with `multi` any number. */
  readonly most: number
}

/** A session that was ended for good by another login, or by the application. */
export interface Removed {
  /** The incarnation that held it; null: it had no connection. */
  readonly node: string | null
  readonly session: string
  readonly attach: Attach
}

/** What may wait for a user who logs in. */
export interface Waiting {
  readonly messages: boolean
  readonly invitations: boolean
}

const GROWING: ReadonlySet<Op['kind']> = new Set<Op['kind']>(['join', 'assert', 'placeholder', 'state', 'remind'])

/** Ops that need no memory; a batch is cut where the kind changes, so that they work under `maxmemory`. */
export function isShrinking(op: Op): boolean {
  return !GROWING.has(op.kind)
}

/** A member's data as the store keeps it. `revision` is the version of the last change of its states (or its join). */
export interface MemberRecord {
  readonly revision: number
  readonly joinedAt: number
  readonly states: States
}

/**
 * What became of one op.
 *
 * - `same`: it was so already; a join that found the session there took it over under the new attach.
 * - `stale`: the session has a higher attach; whoever asked is superseded.
 * - `missing`: no such session (or member) there.
 * - `conflict`: the states moved on; `member` is what they are now.
 * - `lost`: the channel's data is damaged (one key of it is gone); assert what you have.
 * - `early`: not due yet.
 * - `refused`: the login policy does not let this session in.
 * - `gone`: this session was ended for good and may not return; `reason` says why.
 */
export interface OpResult {
  readonly status: 'ok' | 'same' | 'stale' | 'missing' | 'conflict' | 'lost' | 'early' | 'refused' | 'gone'
  /** The channel's version after this op (0 where the op names no channel). */
  readonly version: number
  /** The channel's own life, `''` where there is none. It changes only when the channel was empty or its data was lost. */
  readonly channelLife: string
  /** join, resume, assert, state, conflict: the member as it is now. */
  readonly member?: MemberRecord
  /** join with `attach: null`: the attach that it got. */
  readonly attach?: Attach
  /** The node that held the session before, if it was another living one. */
  readonly superseded?: string
  /** Of a login, and of `evict`: the sessions that it ended. */
  readonly removed?: readonly Removed[]
  /** Of a login: what may wait for the user; absent where nothing does. */
  readonly waiting?: Waiting
  /** A user's last session has ended: there is a timer for telling the friends. */
  readonly farewell?: true
  readonly reason?: string
}

/** A batch that the script did not execute, and why; nothing was changed. */
export type BatchRefusal =
  /** The node's lease is not held: heartbeat, reconcile, again. */
  | 'lease'
  /** The partition's life is not the one that the batch names: heartbeat, reconcile, again. */
  | 'life'
  /** A higher number of this incarnation was already applied: the batch came late. */
  | 'number'

export type CommitReply =
  | { readonly outcome: 'done'; readonly clock: number; readonly results: readonly OpResult[] }
  | { readonly outcome: 'refused'; readonly why: BatchRefusal }

/** Something to be done at a time of the partition's clock. It stays until whoever does it has taken it away (`Timers` of the sweeper). */
export interface Timer {
  /** What is to be done: to tell the friends of a user who is gone, or to end an invitation. */
  readonly kind: 'farewell' | 'invitation'
  /** The USER channel of whoever is gone, or was invited. */
  readonly channel: Channel
  /** The version of the status, or the invitation. */
  readonly id: string
  /** On the partition's clock, in microseconds. */
  readonly at: number
}

/** A node's sign of life in one partition. */
export interface Beat {
  readonly node: string
  readonly number: number
  readonly leaseMs: number
  readonly periodMs: number
  /** The life that the caller knows, `''` for a node that never had one. */
  readonly knownLife: string
  /** The id of a new life, should one begin with this call. */
  readonly newLife: string
  /** The highest clock that the caller has seen in this partition, in microseconds. */
  readonly clockSeen: number
  /** Mark the node's list of memberships as whole: at its first beat, and after a reconcile that found it lost. */
  readonly seal: boolean
}

export interface BeatReply {
  /** `held`: the lease went on. `taken`: it had ended and begins anew, so reconcile. `late`: a higher number was already applied. */
  readonly outcome: 'held' | 'taken' | 'late'
  readonly life: string
  /** The partition's clock, in microseconds. */
  readonly clock: number
  /** Redis's TIME, in milliseconds. */
  readonly time: number
  /** No sweep acts before this clock. */
  readonly holdUntil: number
  /** The first deadline, of a membership or a timer, or null. */
  readonly nextDue: number | null
  /** The first lease end of another node (0: one is being swept), or null. */
  readonly nextLeaseEnd: number | null
  /** How many memberships the store lists as this node's, or null when the list itself is lost. */
  readonly owned: number | null
  /** Deadlines were lost: sessions that nobody vouches for would stay for ever. */
  readonly dueLost: boolean
  /** The last version of the partition's statuses (`status.ts`): a node that knows an older one has missed some. */
  readonly statusVersion: number
  /** The number of the partition's last item of post (`post.ts`): a node that has heard of a lower one only has missed some, or is about to hear of it. */
  readonly posts: number
}

/** One session of a member as the store has it. */
export interface SessionEntry {
  readonly session: string
  readonly attach: Attach
  readonly timeoutMs: number
  /** The incarnation that vouches for it; null: due. */
  readonly node: string | null
}

export interface ChannelSnapshot {
  /** The partition's life. */
  readonly life: string
  /** The channel's own life, `''` while it is empty. */
  readonly channelLife: string
  readonly version: number
  readonly members: ReadonlyMap<string, Member & { readonly revision: number }>
  readonly time: number
  /** The version at which a channel of the partition last became empty, 0 for never. */
  readonly emptied: number
  /** One of the channel's two keys is gone, and this is what is left: assert or put back what is known. */
  readonly damaged: boolean
  /** For so long, in milliseconds, what an earlier life of the partition had is still being put back. */
  readonly settlesInMs: number
  /** That time is over and somebody has ended since: who is missing may have gone, and who is connected has been put back. */
  readonly conclusive: boolean
}

/** What one script published of one channel. */
export interface ChannelEvent {
  readonly life: string
  readonly channelLife: string
  /** 0: the channel began with this event. */
  readonly previous: number
  readonly changes: readonly Change[]
}

/** One channel as the audit sees it. `null`: it has no data. `'damaged'`: one of its two keys is gone. */
export type AuditRow = { readonly channelLife: string; readonly version: number; readonly occupancy: number } | 'damaged' | null
