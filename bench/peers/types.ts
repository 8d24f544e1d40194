import type { RedisServer } from '../lib/redis.js'
import type { ServerNode } from '../lib/server-node.js'

export type PeerName = 'rollcall' | 'rollcall-direct' | 'naive' | 'soketi' | 'ws' | 'socket.io'

/** Starts the servers of a peer. */
export interface Peer {
  readonly name: PeerName
  /** Why it cannot be run here, or null; may install what it needs. */
  unavailable?(): Promise<string | null>
  start(redis: RedisServer, settings: Settings): Promise<ServerNode>
}

/** What a scenario needs to be set at Rollcall's nodes, by environment variable. The other peers have nothing to set. */
export type Settings = Readonly<Record<string, string>>

/** Users are numbers here: `u7` is 7. */
export interface News {
  /** Who is there: all of them. */
  readonly roster: readonly number[]
  readonly joined: readonly number[]
  readonly left: readonly number[]
}

export const NO_NEWS: News = { roster: [], joined: [], left: [] }

/** A peer that knows who is in a channel. */
export interface RosterPeer extends Peer {
  /** One connection, logged in. */
  enter(node: ServerNode, user: number, onNews: (news: News) => void): Promise<RosterClient>
}

export interface RosterClient {
  /** Bytes and frames that have come. */
  readonly bytes: number
  readonly frames: number
  /** Failed calls so far; each is made again. */
  readonly errors: number
  /** Begins to join; the roster comes as news. Resolves when the server says that this client is in. */
  join(channel: string): Promise<void>
  leave(channel: string): Promise<void>
  destroy(): void
}

/** Before a call that failed is made again. */
export const RETRY_MS = 200

export function nameOf(user: number): string {
  return `u${user}`
}

export function numberOf(name: string): number {
  return Number(name.slice(1))
}

/** A peer that carries messages from one user to another. */
export interface MessagePeer extends Peer {
  /** One connection, logged in; it acknowledges every message that comes. */
  talk(node: ServerNode, user: number, onMessage: (text: string) => void): Promise<Talker>
}

export interface Talker {
  /** Resolves with whether a connection of the user has acknowledged it. */
  send(to: number, text: string): Promise<boolean>
}

/** A peer that does nothing but hand on: what the transport allows. */
export interface TransportPeer extends Peer {
  /** A connection that gets all that is said at its server. */
  watch(node: ServerNode, onFrame: () => void): Promise<TransportClient>
}

export interface TransportClient {
  readonly bytes: number
  /** The server hands it to all its clients, the one that said it too; none of them is at another server. */
  say(payload: unknown): void
  destroy(): void
}
