import type { Server as HttpServer } from 'node:http'
import type { Server, ServerOptions, Socket } from 'socket.io'
import type { Auth } from '../auth/index.js'
import type { Config } from '../config.js'
import type { Peers } from '../feeds/peer-statuses.js'
import type { Feeds } from '../feeds/types.js'
import type { Mail } from '../feeds/mail.js'
import type { PostOffice } from '../presence/post.js'
import type { Logger } from '../log.js'
import type { Metrics } from '../metrics/index.js'
import type { Broadcasts } from '../presence/broadcasts.js'
import type { Invitations } from '../presence/invitations.js'
import type { Messages } from '../presence/messages.js'
import type { UserMetadata } from '../presence/metadata.js'
import type { Roster } from '../presence/roster.js'
import type { Presence } from '../presence/service.js'
import type { ServerToClientEvents } from '../protocol/requests.js'

/**
 * What clients send is not typed here: it comes in through one door, as `unknown`, and is parsed there
 * (`requests.ts`).
 */
export type Untyped = Record<never, never>

/** What nodes say to each other through the adapter. */
export interface NodeToNodeEvents {
  /** Sessions have newer connections than those on the nodes that are named, or were ended for good (`takeovers.ts`). */
  superseded: (takeovers: unknown) => void
}

export type GatewayServer = Server<Untyped, ServerToClientEvents, NodeToNodeEvents>
export type GatewaySocket = Socket<Untyped, ServerToClientEvents, NodeToNodeEvents>

export interface GatewayDeps {
  /** Where Socket.IO listens. It belongs to the caller, who closes it. */
  readonly server: HttpServer
  readonly config: Config
  readonly auth: Auth
  readonly presence: Presence
  readonly metadata: UserMetadata
  readonly messages: Messages
  readonly roster: Roster
  readonly broadcasts: Broadcasts
  readonly invitations: Invitations
  readonly feeds: Feeds
  readonly peers: Peers
  readonly mail: Pick<Mail, 'on' | 'onMissed'>
  readonly office: Pick<PostOffice, 'farewells'>
  readonly metrics: Pick<Metrics, 'sockets' | 'watchers' | 'requests' | 'errors' | 'coalesced' | 'packets' | 'events' | 'snapshots' | 'skipped' | 'dropped' | 'peers' | 'peerSubscriptions' | 'peerChanges' | 'notices' | 'noticesDropped' | 'messagesDelivered' | 'onCollect'>
  readonly log: Logger
  /**
   * Carries what nodes tell each other of sessions. Feeds are fanned out through rooms of this node alone: an
   * adapter that subscribes to something for each room (the sharded one, by default) is to be told not to.
   */
  readonly adapter?: ServerOptions['adapter']
}
