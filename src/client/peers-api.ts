import { chunksOf } from '../protocol/chunks.js'
import { RollcallError } from '../protocol/errors.js'
import type { PeerChange, PeerState, PeerStatus } from '../protocol/events.js'
import type { Limits } from '../protocol/limits.js'
import { isNews, parseUserIds } from '../protocol/peers.js'
import { recordOf } from '../protocol/record.js'
import { during, isUnanswered } from './failures.js'
import { deadlineFromNow, type RequestOptions } from './link.js'
import { Repairs } from './repairs.js'
import type { ReplyOf, RequestOf } from './wire.js'

/** By user id; without a prototype. */
export type PeerStatuses = Readonly<Record<string, PeerStatus>>

/** What is asked on a connection that is not in use yet. */
export type AskPeers = (request: RequestOf<'subscribePeers'>) => Promise<ReplyOf<'subscribePeers'>>

/** What peers need of the link. */
export interface PeersLink {
  readonly limits: Limits
  request<Name extends 'subscribePeers' | 'unsubscribePeers' | 'queryPeers'>(
    name: Name,
    payload: RequestOf<Name>,
    operation: string,
    options?: RequestOptions,
  ): Promise<ReplyOf<Name>>
}

/**
 * `client.peers`: whether other users are there. Changes are the client's event `peers`; after a reconnect it is subscribed
 * again, and what changed meanwhile is told.
 *
 * Everything here rejects with a `RollcallError`: PRESENCE_INVALID_ARGUMENT (no list, or too many for one request),
 * INVALID_USER_ID, NOT_LOGIN, NOT_CONNECTED, PRESENCE_OPERATION_FAILED, PRESENCE_OPERATION_TIMEOUT, RATE_EXCEEDED, and what
 * each names. Calls that were under way when the connection was lost are sent again: repeated, they change nothing.
 */
export class PeersApi {
  readonly #link: PeersLink
  readonly #tell: (changes: readonly PeerChange[]) => void
  readonly #known = new Map<string, PeerState>()
  /** For each request under way, its users: what an event has said of them since, which is newer than the reply to come. */
  readonly #asks = new Set<Map<string, PeerChange | null>>()
  /** One object a session. */
  #life = {}
  readonly #repairs: Repairs<string>
  #last: Promise<unknown> = Promise.resolve()
  /** A connection that is taking over. What the one before says meanwhile counts only if that fails. */
  #taking: { readonly source: object; readonly before: (readonly PeerChange[])[] } | null = null

  constructor(link: PeersLink, tell: (changes: readonly PeerChange[]) => void) {
    this.#link = link
    this.#tell = tell
    this.#repairs = new Repairs((userIds) => this.#inTurn(() => this.#restore(userIds)))
  }

  /** Everybody who is subscribed to, and what is known of them; read-only, and kept up to date. */
  get subscribed(): ReadonlyMap<string, PeerState> {
    return this.#known
  }

  /** What is known of somebody who is subscribed to. */
  status(userId: string): PeerState | undefined {
    return this.#known.get(userId)
  }

  /**
   * Follows these users, up to `peersPerRequest` in one call; resolves with what they are now. To repeat it changes nothing.
   * PRESENCE_TOO_MANY_PEERS: none of them is followed.
   */
  async subscribe(userIds: readonly string[]): Promise<PeerStatuses> {
    const operation = 'subscribePeers'
    const ids = during(operation, () => parseUserIds(userIds, this.#link.limits.peersPerRequest, this.#link.limits))
    return this.#inTurn(async (deadline) => {
      const fresh = ids.filter((userId) => !this.#known.has(userId))
      try {
        const news = await this.#ask(ids, (request) => this.#link.request('subscribePeers', request, operation, { deadline }))
        if (news.length > 0) this.#tell(news)
        return recordOf(ids.map((userId) => [userId, this.#known.get(userId)?.status ?? 'OFFLINE']))
      } catch (error) {
        // Nobody knows whether the node tells of them now.
        if (isUnanswered(error) && fresh.length > 0) this.#link.request('unsubscribePeers', { userIds: fresh }, 'unsubscribePeers').catch(() => undefined)
        throw error
      }
    })
  }

  /** Follows these users no more, or nobody. */
  async unsubscribe(userIds?: readonly string[]): Promise<void> {
    const operation = 'unsubscribePeers'
    const ids = userIds === undefined ? null : during(operation, () => parseUserIds(userIds, this.#link.limits.peersPerClient, this.#link.limits))
    return this.#inTurn(async (deadline) => {
      await this.#link.request('unsubscribePeers', ids === null ? {} : { userIds: ids }, operation, { deadline })
      for (const userId of ids ?? [...this.#known.keys()]) {
        this.#known.delete(userId)
        this.#repairs.forget(userId)
      }
    })
  }

  /** What these users are now, up to `usersPerQuery`; needs no subscription. */
  async query(userIds: readonly string[]): Promise<PeerStatuses> {
    const operation = 'queryPeers'
    const ids = during(operation, () => parseUserIds(userIds, this.#link.limits.usersPerQuery, this.#link.limits))
    const { statuses } = await this.#link.request('queryPeers', { userIds: ids }, operation)
    return recordOf(Object.entries(statuses).map(([userId, { status }]) => [userId, status]))
  }

  /** The event, as it came over a connection. */
  receive(changes: readonly PeerChange[], source: object): void {
    if (this.#taking === null || source === this.#taking.source) this.#apply(changes)
    else this.#taking.before.push(changes)
  }

  /** The connection is gone. */
  lost(): void {
    this.#repairs.stop()
  }

  /** Continues on a new connection, before anything else is asked on it. Rejects only when that is lost as well. */
  async resume(source: object, ask: AskPeers): Promise<void> {
    this.#repairs.stop()
    // What an earlier connection said of those who are being asked for is older than the reply of this one.
    for (const heard of this.#asks) for (const userId of heard.keys()) heard.set(userId, null)
    const taking = (this.#taking = { source, before: [] as (readonly PeerChange[])[] })
    const news: PeerChange[] = []
    let missed: readonly (readonly PeerChange[])[] = taking.before
    try {
      for (const userIds of chunksOf([...this.#known.keys()], this.#link.limits.peersPerRequest)) {
        const outcome = await this.#ask(userIds, ask).catch((error: unknown) => refused(error))
        if (outcome instanceof RollcallError) this.#refused(userIds, outcome)
        else news.push(...outcome)
      }
      missed = []
    } finally {
      if (this.#taking === taking) this.#taking = null
      if (news.length > 0) this.#tell(news)
      for (const changes of missed) this.#apply(changes)
    }
  }

  /** The session is over: everything is forgotten. */
  end(): void {
    this.#repairs.stop()
    this.#known.clear()
    this.#asks.clear()
    this.#life = {}
  }

  /** Subscribes to users on some connection; answers what of it is news. */
  async #ask(userIds: readonly string[], ask: AskPeers): Promise<readonly PeerChange[]> {
    const life = this.#life
    const heard = new Map<string, PeerChange | null>(userIds.map((userId) => [userId, null]))
    // First, for events may be here before the reply has been looked at.
    this.#asks.add(heard)
    try {
      const { statuses, timestamp } = await ask({ userIds })
      // Answered as the session ended: it is forgotten with all others.
      if (life !== this.#life) throw new RollcallError('PRESENCE_REQUEST_CANCELLED', 'the session is over', 'subscribePeers')
      return userIds.flatMap((userId) => {
        const { status, lastSeen } = heard.get(userId) ?? (Object.hasOwn(statuses, userId) ? statuses[userId] : undefined) ?? UNKNOWN
        return this.#learn({ userId, status, lastSeen, timestamp }, true)
      })
    } finally {
      this.#asks.delete(heard)
    }
  }

  #apply(changes: readonly PeerChange[]): void {
    const news = changes.flatMap((change) => {
      for (const heard of this.#asks) if (heard.has(change.userId)) heard.set(change.userId, change)
      return this.#learn(change, false)
    })
    if (news.length > 0) this.#tell(news)
  }

  /** Answers the change, if it is one for the app. Nobody is told of the first that is known of somebody: the call answers it. */
  #learn(change: PeerChange, begins: boolean): readonly PeerChange[] {
    const { userId, status, lastSeen } = change
    const before = this.#known.get(userId)
    if (before === undefined && !begins) return []
    this.#known.set(userId, { status, lastSeen: status === 'OFFLINE' && before?.status === 'OFFLINE' ? (lastSeen ?? before.lastSeen) : lastSeen })
    return before !== undefined && isNews(before, change) ? [change] : []
  }

  /** {@link Repairs}: those whom a new connection could not be subscribed to. */
  async #restore(userIds: readonly string[]): Promise<readonly string[]> {
    const again: string[] = []
    for (const ids of chunksOf(userIds.filter((userId) => this.#known.has(userId)), this.#link.limits.peersPerRequest)) {
      try {
        const news = await this.#ask(ids, (request) => this.#link.request('subscribePeers', request, 'subscribePeers', { resend: false }))
        if (news.length > 0) this.#tell(news)
      } catch (error) {
        if (!(error instanceof RollcallError)) throw error
        if (error.retryable) again.push(...ids)
        else this.#drop(ids)
      }
    }
    return again
  }

  #refused(userIds: readonly string[], error: RollcallError): void {
    if (!error.retryable) this.#drop(userIds)
    else for (const userId of userIds) this.#repairs.want(userId)
  }

  /** This node does not take them (it has other limits): they are not followed any more. */
  #drop(userIds: readonly string[]): void {
    for (const userId of userIds) this.#known.delete(userId)
  }

  /** One call at a time, in their order; the time for it runs while it waits. */
  #inTurn<T>(call: (deadline: number) => Promise<T>): Promise<T> {
    const deadline = deadlineFromNow()
    const turn = this.#last.then(() => call(deadline))
    this.#last = turn.catch(() => undefined)
    return turn
  }
}

const UNKNOWN: PeerState = { status: 'OFFLINE', lastSeen: null }

/** A refusal of the server; anything else is thrown. */
function refused(error: unknown): RollcallError {
  if (error instanceof RollcallError && error.code !== 'PRESENCE_REQUEST_CANCELLED') return error
  throw error
}
