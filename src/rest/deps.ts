import type { Auth } from '../auth/index.js'
import type { Config } from '../config.js'
import type { Feeds } from '../feeds/types.js'
import type { Logger } from '../log.js'
import type { Metrics } from '../metrics/index.js'
import type { Presence } from '../presence/service.js'
import type { PresenceStore } from '../presence/store.js'
import type { Functions } from './functions.js'

/** What the HTTP side of a node needs of the rest of it. */
export interface RestDeps {
  readonly config: Pick<Config, 'limits' | 'corsOrigins' | 'trustProxy'>
  readonly auth: Pick<Auth, 'authorize' | 'authorizeApp'>
  readonly presence: Pick<Presence, 'nodeId' | 'app' | 'getState' | 'whereNow' | 'statuses' | 'acknowledged'>
  readonly feeds: Pick<Feeds, 'acquire' | 'release'>
  readonly store: Pick<PresenceStore, 'partitions' | 'channels' | 'leases' | 'ping'>
  /** The application's own. */
  readonly functions: Pick<Functions, 'get'>
  /** Events that could not be delivered, where there are receivers. */
  readonly failedWebhooks?:
    | {
        list(limit: number): Promise<readonly unknown[]>
        /** Resolves with the receivers that have it now. */
        resend(id: string, receiver?: string): Promise<readonly string[]>
      }
    | undefined
  readonly metrics: Metrics
  readonly log: Logger
  /** Ends all sessions of a user on all nodes; resolves with how many there were. */
  disconnectUser(userId: string, reason: string): Promise<number>
  /** Whether the node is saying goodbye to its clients. */
  draining(): boolean
  /** Whether the node could serve a client now, its subscriber connections included. */
  ready(): Promise<boolean>
  /** What `/metrics` answers instead of this node's own. */
  readonly renderMetrics?: (() => Promise<string>) | undefined
}
