import type { States } from '../protocol/channel.js'
import type { CloseCode } from '../protocol/webhooks.js'
import type { Channel } from './types.js'

/**
 * What the application's own servers are told of. `online` and `offline` are of a user: the first session, and the end of the last one;
 * and of a session that another login replaced, though the user stays online.
 */
export type OutboxEvent =
  | { readonly kind: 'online'; readonly userId: string; readonly sessionId: string; readonly sourceIP: string; readonly tag: string; readonly reconnect: boolean }
  | { readonly kind: 'offline'; readonly userId: string; readonly sessionId: string; readonly sourceIP: string; readonly tag: string; readonly closeCode: CloseCode; readonly reason: string }
  | { readonly kind: 'join' | 'leave' | 'timeout'; readonly channel: Channel; readonly userId: string }
  | { readonly kind: 'state'; readonly channel: Channel; readonly userId: string; readonly states: States }
  | { readonly kind: 'occupied' | 'vacated'; readonly channel: Channel }

export interface OutboxEntry {
  /** Its place in the partition's outbox, for {@link Outbox.read} and {@link Outbox.acknowledge}. */
  readonly place: string
  /** Counts the partition's entries in its life, from 1: a jump says how many fell out of the outbox before they were read. */
  readonly sequence: number
  /** The partition's life in which it was written: another one begins another sequence. */
  readonly life: string
  /** One event has one id, however often it is sent. */
  readonly id: string
  /** Milliseconds, by Redis's clock. */
  readonly at: number
  readonly app: string
  readonly event: OutboxEvent
}

/** An event that one receiver could not be given; kept until it is sent again or falls out of the list. */
export interface GivenUp {
  readonly id: string
  readonly receiver: string
  readonly attempts: number
  /** What the receiver answered last, or why it could not be reached. */
  readonly lastError: string
  /** Milliseconds. */
  readonly at: number
  readonly entry: OutboxEntry
}

/** How far one receiver was served in one partition, and what was the entry there. */
export interface Cursor {
  /** `''`: nothing was delivered yet. */
  readonly place: string
  readonly life: string
  readonly sequence: number
}

/** A receiver that is this node's to serve now, and where. */
export interface Claim extends Cursor {
  /** Nobody else had it since this node claimed it last, so what the node itself remembers of the cursor is right, and newer. */
  readonly held: boolean
  /** Entries behind the cursor; about as many, where another life began in between. */
  readonly behind: number
}

export interface Claims {
  readonly mine: ReadonlyMap<string, Claim>
  /** In how long, in milliseconds, the first of the others' claims runs out; null: there are none. */
  readonly freeInMs: number | null
}

/**
 * The outbox, as those who deliver need it. One node at a time owns a partition's deliveries to one receiver, so that they keep their
 * order; what it acknowledges counts only while it does.
 */
export interface Outbox {
  readonly partitions: number
  /**
   * Renews what this node owns in a partition, takes what nobody owns any more, and lets go of entries that all receivers have had:
   * these, and those that any node has served within the last hour.
   */
  claim(partition: number, node: string, receivers: readonly string[], leaseMs: number): Promise<Claims>
  /** Gives all of a node's up, so that another one takes them at once. */
  release(partition: number, node: string): Promise<void>
  /** Entries behind a place, in order. */
  read(partition: number, after: string, limit: number): Promise<readonly OutboxEntry[]>
  /** Moves a receiver's cursor past an entry; with `givenUp`, that goes into the list. False: another node owns it now, and nothing was changed. */
  acknowledge(partition: number, node: string, receiver: string, entry: OutboxEntry, givenUp?: GivenUp): Promise<boolean>
  /** What was given up, over all partitions, the newest first, at most so many. */
  givenUp(limit: number): Promise<readonly (GivenUp & { readonly partition: number })[]>
  /** Takes one out of the list; false where it is not there. */
  forget(partition: number, receiver: string, id: string): Promise<boolean>
  /** Calls back when something was written in a partition, or a node released what it owned there, until the returned function is called. */
  onWritten(partition: number, listener: (what: 'written' | 'released') => void): Promise<() => void>
}
