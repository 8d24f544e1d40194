import type { StatusEvent, StatusReading } from './status.js'
import type { Beat, BeatReply, Channel, ChannelEvent, ChannelSnapshot, CommitReply, AuditRow, MemberRecord, Membership, Op, SessionEntry, Timer } from './types.js'

/** One ordered batch of one partition, applied whole or refused whole. */
export interface Batch {
  readonly node: string
  /** Higher than that of every call sent before in this partition. */
  readonly number: number
  readonly life: string
  readonly periodMs: number
  readonly ops: readonly Op[]
}

/** The outcome of a call is not known: it may or may not have been executed. */
export class UnknownOutcomeError extends Error {
  constructor(cause: unknown) {
    super(`the outcome of a store call is unknown: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    this.name = 'UnknownOutcomeError'
  }
}

/** The store did not execute the call and said so (out of memory, loading, a moved slot). Nothing was changed. */
export class StoreRefusedError extends Error {
  constructor(message: string, cause: unknown) {
    super(message, { cause })
    this.name = 'StoreRefusedError'
  }
}

export interface DueCandidates {
  /** Memberships whose deadline is at or before the clock that was asked for. */
  readonly due: readonly Membership[]
  /** Nodes whose lease end is at or before it. */
  readonly leases: readonly string[]
  /** Timers whose time is at or before it. */
  readonly timers: readonly Timer[]
  /** The first later deadline of a membership or a timer, up to `soon`, or null. */
  readonly next: number | null
}

export interface Look {
  readonly channels: readonly Channel[]
  readonly app: string
  readonly users: readonly string[]
  readonly renew: boolean
}

export interface ChannelPage {
  readonly channels: readonly (Channel & { readonly occupancy: number; readonly version: number })[]
  /** Of the next page: opaque, `''` at the start and at the end. */
  readonly cursor: string
}

export interface LeaseRow {
  readonly node: string
  /** On the partition's clock; 0: ended, being swept. */
  readonly leaseEnd: number
  readonly owned: number
}

/** Who vouches for which memberships: what takeovers and repairs read. */
export interface OwnershipStore {
  /** Sessions of each of these members, in order; null where the member is not there. */
  sessions(partition: number, of: readonly { readonly channel: Channel; readonly userId: string }[]): Promise<readonly (readonly SessionEntry[] | null)[]>
  /** The memberships that the store lists under a node's lease, at most about `limit` of them, in no order. */
  owned(partition: number, node: string, limit?: number): Promise<{ readonly memberships: readonly Membership[]; readonly intact: boolean }>
  /**
   * Memberships of the partition that no node vouches for, page by page, as the channels themselves have them. It looks
   * through every key there is: for repairs only.
   */
  unvouched(partition: number): AsyncIterable<readonly Membership[]>
}

/**
 * What the presence domain needs of the store.
 *
 * Expiry means: a membership ends when nobody vouches for it. A node vouches for its memberships by a lease that it
 * renews (`heartbeat`); a membership whose connection is gone has a deadline. Both are ended by `commit` with sweep ops
 * alone, never by reading: whatever ends is published.
 *
 * Every write of a channel is published to its subscribers by the same atomic step. Order within a partition is the
 * order in which the store executed the batches.
 *
 * Calls reject with {@link UnknownOutcomeError} or {@link StoreRefusedError}.
 */
export interface PresenceStore {
  readonly partitions: number
  readonly ownership: OwnershipStore
  /** Which of the partitions a channel is in. */
  partitionOf(channel: Channel): number

  commit(partition: number, batch: Batch): Promise<CommitReply>
  heartbeat(partition: number, beat: Beat): Promise<BeatReply>

  snapshot(channel: Channel): Promise<ChannelSnapshot>
  /** One member, or null when it is not there. */
  member(channel: Channel, userId: string): Promise<MemberRecord | null>
  /** The channels that a user is in, over all partitions. */
  channelsOf(app: string, userId: string): Promise<readonly Channel[]>
  /** Who of some users of one partition is there: those of {@link partitionOf} their USER channels. One call. */
  statuses(partition: number, app: string, userIds: readonly string[]): Promise<StatusReading>
  /** A page of the channels that have members; null for a cursor that no page has named. */
  channels(cursor: string): Promise<ChannelPage | null>
  leases(partition: number): Promise<{ readonly clock: number; readonly rows: readonly LeaseRow[] }>

  dueCandidates(partition: number, clock: number, soon: number, limit: number): Promise<DueCandidates>
  /** Puts a timer off, to keep others from doing the same meanwhile; false when it is not as it was any more. `null`: it is done, and taken away. */
  moveTimer(partition: number, timer: Timer, at: number | null): Promise<boolean>
  /**
   * Looks at channels of one partition, and at the lists of channels there of some of their members, in one call. With
   * `renew`, the lifetime of all these keys is renewed too.
   */
  audit(partition: number, look: Look): Promise<{ readonly life: string; readonly rows: readonly AuditRow[]; readonly unlisted: readonly string[] }>

  /** Events of a channel from the moment the promise resolves, until the returned function is called. */
  subscribe(channel: Channel, listener: (event: ChannelEvent) => void): Promise<() => void>
  /** Changes of the statuses of all users of a partition, from the moment the promise resolves, until the returned function is called. One listener a partition. */
  subscribeStatuses(partition: number, listener: (event: StatusEvent) => void): Promise<() => void>
  /** One partition of each server that the store is on: probes of these tell of all. */
  probed(): readonly number[]
  /**
   * Resolves when everything published before this call has reached this node's subscribers of the partition. Rejects,
   * and has the connection made anew, when the subscriber is silent.
   */
  probe(partition: number): Promise<void>
  /** Called when a subscriber connection was made anew: what was published meanwhile is lost. */
  onSubscriberReset(listener: () => void): void

  /** Whether commands get through right now, for readiness. */
  ping(): Promise<void>
  close(): Promise<void>
}
