import type { Limits } from '../protocol/limits.js'
import type { Lane } from './lane.js'
import type { Removal } from './local-session.js'
import type { Session } from './service.js'
import type { BeatReply, LoginPolicy, Removed } from './types.js'

export interface NodePresenceOptions {
  readonly nodeId: string
  readonly app: string
  readonly heartbeatMs: number
  readonly leaseMs: number
  readonly limits: Limits
  readonly login: LoginPolicy
  /** A random id of our own alphabet. */
  readonly newId: () => string
}

/** What the domain tells the rest of the node. None may throw. */
export interface PresenceHooks {
  onBeat(lane: Lane, beat: BeatReply): void
  /** A partition began another life: feeds put back what it lost. */
  onLife(partition: number, life: string): void
  /** A deadline that this node has just set, in milliseconds from now. */
  onDeadline(partition: number, inMs: number): void
  /** A session's older connection is on another node: that node is to be told. */
  onSuperseded(node: string, session: Session): void
  /** A session was ended for good that another node holds, or none: all nodes are to be told. */
  onRemoved(userId: string, removed: Removed, removal: Removal): void
}
