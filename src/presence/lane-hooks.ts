import type { BeatReply, Op, OpResult } from './types.js'

/** Why the node has to compare what it has with what the store has. */
export type ReconcileReason = 'lease' | 'life' | 'unknown' | 'owned' | 'damaged'

export interface ReconcileContext {
  readonly reasons: ReadonlySet<ReconcileReason>
  /** Executes at once, past the queue. */
  readonly commit: (ops: readonly Op[]) => Promise<readonly OpResult[]>
}

export interface LaneHooks {
  /** Compares and repairs, with the queue held. Rejects when the store failed it. */
  reconcile(context: ReconcileContext): Promise<void>
  /** How many memberships the node believes to be listed under its lease. */
  ownedBelieved(): number
  /** After each good heartbeat, and after what it made necessary. */
  onBeat(beat: BeatReply): void
  /** The partition began another life; reconcile has been done. */
  onLife(life: string): void
}

export interface LaneOptions {
  readonly node: string
  readonly heartbeatMs: number
  readonly leaseMs: number
  readonly newId: () => string
}
