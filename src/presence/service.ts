import type { ChannelRef, States } from '../protocol/channel.js'
import type { StatesChanged } from './state-writer.js'
import type { UserStatus } from './status.js'
import type { Attach, Channel, MemberRecord, StateChange, Waiting } from './types.js'

/** Why a session of this node is over without the client having asked for it. The gateway drops its socket. */
export type EndReason =
  /** A newer connection of the same session, here or on another node, took over. Nothing is to be suspended. */
  | 'superseded'
  /** Redis says that the session ended elsewhere while this node could not know; the client starts again. */
  | 'ended'
  /** Ended for good, by another login of the user or by the application: it leaves, is told why, and may not return. */
  | 'replaced'
  | 'kicked'

/** What came of a join. */
export interface Joined {
  readonly version: number
  readonly member: MemberRecord
  /** The channel did not know this session: a stay begins, and what the session said in an earlier one is gone. */
  readonly isNew: boolean
}

export interface OpenRequest {
  readonly userId: string
  /** The session to continue; a new one otherwise. */
  readonly sessionId?: string
  /** The number that the client gave to this connection of its session; otherwise the store gives the next one. */
  readonly attach?: Attach
  readonly timeoutMs: number
  /** Where the client is, and what it calls the device or tab: the application's own servers are told. */
  readonly sourceIP?: string
  readonly tag?: string
  /** `why` is for the client. */
  readonly onEnd: (reason: EndReason, why: string) => void
  /** Whether the client is still there; asked until the store has been told. */
  readonly wanted?: () => boolean
}

/** A logged-in session on this node, from `open` until `close`, `suspend` or its `onEnd`. */
export interface Session {
  readonly id: string
  readonly userId: string
  readonly attach: Attach
  /** Whether the cluster still knew the session when this connection came. */
  readonly resumed: boolean
  readonly timeoutMs: number
  /** The clock of its user's partition when the session logged in first, in microseconds. */
  readonly since: number
  /** What waits for the user: for sure what was there when the session was opened. */
  readonly waiting: Waiting
  /** The channels that it is a member of on this node. */
  readonly channels: readonly Channel[]
}

/**
 * What a node can do for its sessions: the domain, free of transports. All methods reject with a `RollcallError`:
 * PRESENCE_OPERATION_TIMEOUT (outcome unknown), PRESENCE_OPERATION_FAILED (not executed), DUPLICATE_USER_ID (the session
 * has a newer connection) and what each names.
 */
export interface Presence {
  readonly nodeId: string
  readonly app: string

  /**
   * Begins or continues a session: gives it the next attach, and ends the older connection wherever it is.
   * DUPLICATE_USER_ID when a later connection of the client, by its own count, is there already, or another login has taken
   * the session's place; NOT_LOGIN when the application has ended it; LOGIN_REJECTED where the policy does not let another one in.
   */
  open(request: OpenRequest): Promise<Session>
  /** The connection has ended: what the session asked to begin or to change, and the store has not been told of, is dropped. */
  abandon(session: Session): void
  /** The connection is lost: the session and its memberships become due after `timeoutMs` (the session's by default). Never rejects. */
  suspend(session: Session, timeoutMs?: number): Promise<void>
  /**
   * Ends all sessions of a user for good, wherever they are, with or without a connection, and takes the user out of all channels;
   * answers how many there were.
   * PRESENCE_OPERATION_FAILED also while Redis is being put right after a loss: then those that were there have ended, and there may be more.
   */
  evict(userId: string, why: string): Promise<number>
  /** Logout: every membership ends now. Never rejects. */
  close(session: Session): Promise<void>

  /**
   * Makes the user a member through this session, or confirms it. `states` are merged into what the member has (`000.2`),
   * or, said `again` after a connection was lost, go beneath it (`000.10`): what has been set since stays.
   */
  join(session: Session, channel: ChannelRef, states?: States, again?: boolean): Promise<Joined>
  /** Idempotent. */
  leave(session: Session, channel: ChannelRef): Promise<{ readonly version: number }>
  /**
   * Changes the member's states, as one change that watchers are told of once, however many are asked for: each builds on
   * the one before, and those that may not be made are left out and named. CHANNEL_NOT_SUBSCRIBED, CHANNEL_NOT_JOINED;
   * PRESENCE_STATE_COUNT_OVERFLOW when none may be made.
   */
  changeStates(session: Session, channel: ChannelRef, changes: readonly StateChange[]): Promise<StatesChanged>

  /** From Redis. PRESENCE_USER_NOT_EXIST. */
  getState(channel: ChannelRef, userId: string): Promise<States>
  /** From Redis. */
  whereNow(userId: string): Promise<readonly ChannelRef[]>
  /** Who of these users is there, in order, from Redis: one call a partition (`003.5`). */
  statuses(userIds: readonly string[]): Promise<readonly UserStatus[]>

  /** The last version of a channel that this node has acknowledged to anybody, 0 if none is remembered. */
  acknowledged(channel: ChannelRef): number

  /** What the clock of the Redis that has a user's data shows by now, at least, in milliseconds. */
  timeNow(userId: string): number
  /** Sessions on this node. */
  readonly sessionCount: number
  /** Whether Redis has answered a heartbeat of every partition recently enough to vouch for what feeds say. */
  inService(partition?: number): boolean
  /**
   * To be asked before something is told in a session's name that nobody can take back: a node that has slept, and wakes with it, must not tell
   * it late. PRESENCE_OPERATION_FAILED while the node cannot vouch for the session, NOT_LOGIN when that is over.
   */
  vouch(session: Session): void
  /** Called when {@link inService} as a whole turns. */
  onService(listener: (inService: boolean) => void): void
}
