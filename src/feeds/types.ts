import type { Position } from '../protocol/events.js'
import type { Change, ChangeBatch, Effect, Member, Replica } from '../replica/replica.js'
import type { Channel } from '../presence/types.js'

/** What a feed tells whoever fans it out, in order. Calls are synchronous and must not throw. */
export interface FeedListener {
  /** The replica was moved by a batch. `effects` is what watchers are told; it may be empty. */
  onBatch(feed: Feed, batch: ChangeBatch, effects: readonly Effect[]): void
  /** Something was missed and fetched: watchers need one SNAPSHOT, taken from the replica. */
  onReplaced(feed: Feed): void
}

/** The effects of the past that bring a replica from one position to the feed's. */
export interface Missed {
  readonly previous: number
  readonly version: number
  readonly effects: readonly Effect[]
}

/** One replica of one channel on this node, in step with Redis from `ready` on. */
export interface Feed {
  readonly channel: Channel
  /** Live view: life, version, members. Never to be written to. */
  readonly replica: Replica
  /** Resolves when the replica has reached a version (at once if it has); rejects with PRESENCE_OPERATION_TIMEOUT after a bound. */
  atLeast(version: number): Promise<void>
  /** What a replica at `since` has missed; null when it is not kept any more (or of another life): a snapshot is due. */
  missedSince(since: Position): Missed | null
  /** Member user ids in code unit order, computed once a membership change: what pages are cut from. */
  sortedUserIds(): readonly string[]
  /** Whether what it says may be given out: it is synced and its partition's heartbeat is recent. */
  readonly fresh: boolean
  /** Whether nobody may be missing who was there before a loss: it saw what was there itself, or others have had their time to put it back. */
  readonly settled: boolean
}

export interface Feeds {
  /**
   * Takes a reference to a channel's feed, making it on first use: subscribed, then hydrated from a snapshot. Resolves
   * when it is in step. Every successful `acquire` is paired with a `release`; an unused feed lingers for a while.
   */
  acquire(channel: Channel): Promise<Feed>
  release(feed: Feed): void
  /** The one consumer of all feeds' changes: the fan-out. */
  listen(listener: FeedListener): void
  readonly size: number
}

export type { Change, ChangeBatch, Effect, Member, Replica }
