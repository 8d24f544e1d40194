import type { States } from '../../src/protocol/channel.js'
import type { EventLog } from '../support/event-log.js'
import type { StoredMember } from '../support/redis-view.js'
import type { PresenceModel } from './presence-model.js'

/** `I` of presence, as `docs/architecture.md` names them; `M` of messages, `R` of friends and their statuses, `B` of blocks, `V` of invitations (`docs/reliability.md`). */
export type Invariant = `I${1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12}` | `M${1 | 2 | 3 | 4 | 5}` | `R${1 | 2 | 3 | 4}` | 'B1' | `V${1 | 2}`

/** One invariant that did not hold, and where. */
export interface Breach {
  readonly invariant: Invariant
  /** The channel, and whose view. */
  readonly where: string
  readonly what: string
  /** What that view was told, for whoever looks into it. */
  readonly log?: string
}

/** Somebody who watched a channel. */
export interface Watched {
  readonly name: string
  readonly user: string
  readonly channel: string
  readonly log: EventLog
  /** Whether it is subscribed and connected now: then its view is compared. */
  readonly current: boolean
  /** It subscribed once and never left, so a log with one SNAPSHOT has to tell of everything since. */
  readonly whole: boolean
  /** The only client of its user: whatever the user does, it does itself. */
  readonly alone?: boolean
  /** The SDK's live view. Whoever has none is taken to know what its log adds up to. */
  readonly view?: ReadonlyMap<string, States>
}

/** A client that is connected to a node right now. */
export interface Connected {
  readonly session: string
  readonly user: string
  /** As the cluster names them. */
  readonly sessionId: string
  readonly nodeId: string
}

/** A channel as somebody answers for it: a node's feed. */
export interface Told {
  readonly by: string
  readonly channel: string
  readonly members: ReadonlyMap<string, States>
}

/** Changes as a server of Redis published them, heard beside all nodes. A replica tells again what its master told. */
export interface Published {
  readonly server: number
  readonly channel: string
  readonly life: string
  readonly previous: number
  /** When the changes were made, as the event says, and what Redis's clock showed when it was heard. In milliseconds. */
  readonly time: number
  readonly heardAt: number
  readonly changes: readonly PublishedChange[]
}

export interface PublishedChange {
  readonly kind: string
  readonly version: number
  readonly user: string
  /** Of a join or an assert. */
  readonly joinedAt?: number
}

/** Everything that the checker looks at, taken at one moment at which nobody acts. */
export interface Evidence {
  readonly at: number
  readonly model: PresenceModel
  readonly watched: readonly Watched[]
  readonly connected: readonly Connected[]
  readonly stored: ReadonlyMap<string, ReadonlyMap<string, StoredMember>>
  /** Session ids in each user's USER channel. */
  readonly sessions: ReadonlyMap<string, readonly string[]>
  /** What `where:<user>` lists, as `type:name`. */
  readonly where: ReadonlyMap<string, readonly string[]>
  /** Memberships that wait for a deadline. */
  readonly due: number
  readonly feeds: readonly Told[]
  readonly published: readonly Published[]
}
