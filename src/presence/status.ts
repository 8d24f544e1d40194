import type { PeerState } from '../protocol/events.js'

export type { PeerStatus } from '../protocol/events.js'

/** Whether a user is there (`001`, `003`), and if not, since when. */
export type UserStatus = PeerState

/** The statuses of some users of one partition, as of one version of the partition's statuses. */
export interface StatusReading {
  /** The partition's life. */
  readonly life: string
  readonly version: number
  /** For so long, in milliseconds, what an earlier life of the partition had is still being put back. */
  readonly settlesInMs: number
  /** In the order in which they were asked for. */
  readonly rows: readonly UserStatus[]
}

/** What one script changed of the statuses of a partition's users. Repairs are among it: they say what may have been known. */
export interface StatusEvent {
  readonly life: string
  /** The version before the first change; another one than was seen last means that something was missed. */
  readonly previous: number
  readonly changes: readonly StatusChange[]
}

export interface StatusChange extends UserStatus {
  readonly version: number
  readonly app: string
  readonly userId: string
}

