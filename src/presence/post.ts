import type { PresenceStore } from './store.js'

/** What is addressed to users rather than to channels. */
export type PostKind =
  /** Somebody tells a status, or is gone. */
  | 'status'
  /** A friend request, a friendship or its end. */
  | 'roster'
  | 'message'
  /** A session has acknowledged a message: whoever sent it waits for that. */
  | 'received'
  /** An invitation has another state. */
  | 'invitation'

/** One item of post, as every node hears it. Who of those it is for is on which node, each node knows of its own sessions. */
export interface Post {
  /** Counts the items of the partition, those of other apps too. After a loss of data it may fall. */
  readonly number: number
  /** A {@link PostKind}, or one that only nodes of another version know. */
  readonly kind: string
  readonly app: string
  /** User ids. */
  readonly to: readonly string[]
  /** What it says; each kind has a form of its own. The last field is the only one that may contain anything at all. */
  readonly fields: readonly string[]
}

/** Items that somebody has missed: of a partition, by number, behind one and up to another one. */
export interface PostGap {
  readonly partition: number
  readonly after: number
  readonly upTo: number
}

/** Post as it comes out of the store. It is published by the same atomic step that decides or writes what it tells, in the store's order. */
export interface PostOffice extends Pick<PresenceStore, 'partitionOf'> {
  readonly partitions: number
  /** All post for users of a partition, from the moment the promise resolves, until the returned function is called. One listener a partition. */
  subscribePost(partition: number, listener: (post: Post) => void): Promise<() => void>
  /**
   * Of those that were missed, the ones that told friends that somebody is gone, in order. The last few hundred of a partition are kept, for
   * some minutes. Rejects as the store does.
   */
  farewells(gap: PostGap): Promise<readonly Post[]>
  /** Called when a subscriber connection was made anew: what was published meanwhile is lost. */
  onSubscriberReset(listener: () => void): void
}
