import { RollcallError } from '../protocol/errors.js'
import type { Limits } from '../protocol/limits.js'
import type { AddFriendReply, RosterReply } from '../protocol/roster.js'
import { superseded } from './local-session.js'
import type { Session } from './service.js'
import { settled } from './settled.js'
import { askByPartition } from './statuses.js'
import type { Channel } from './types.js'

/** What one user holds of another: has them as a friend, or has blocked them. Two are friends when both hold an edge of a friend. */
export type EdgeKind = 'friend' | 'blocked'

export interface Edge {
  readonly kind: EdgeKind
  /** Which of several edges between the same two, one after the other: a later one has a higher number. */
  readonly generation: number
}

/** A session that writes, under the number of its connection: what comes late, when it has a newer connection, is refused. */
export type Writer = Pick<Session, 'userId' | 'id' | 'attach'>

/** `removed`: the edge is taken away, whatever it was. */
export type EdgeChange = EdgeKind | 'removed'

export type Written =
  /** Of a removal: a number above that of whatever it took away. */
  | { readonly outcome: 'done' | 'same'; readonly generation: number }
  /** The session has a newer connection. */
  | { readonly outcome: 'stale' }
  /** The store does not know that the session is connected: the node has lost its lease, or Redis data. */
  | { readonly outcome: 'unvouched' }
  | { readonly outcome: 'full' }

/** An edge of somebody else to a user, as the user is told of it. */
export interface Tidings {
  readonly from: string
  readonly change: EdgeChange
  readonly generation: number
  readonly message: string
}

/** One who has this user in their roster, as far as it is known where this user's data is. */
export interface Asking {
  readonly from: string
  readonly generation: number
  readonly message: string
}

/**
 * What the domain needs of the store for rosters, which last. Each user's are in a partition of their own, so that of a friendship there are
 * two edges, and each is written by its owner alone (a removal takes the other one away as well).
 *
 * Calls reject with `UnknownOutcomeError` or `StoreRefusedError`.
 */
export interface RosterStore {
  partitionOf(channel: Channel): number

  /** Writes the writer's edge to a peer. */
  write(app: string, writer: Writer, peer: string, change: EdgeChange, most: number): Promise<Written>
  /**
   * Says to a user that somebody's edge to them has changed, once for each such change, and puts it down where the user's data is. Answers
   * the user's own edge back. What is older than what the user has been told is not told, and a removal takes the user's own edge away unless
   * that is newer, or a block.
   */
  tell(app: string, userId: string, tidings: Tidings, most: number): Promise<Edge | null>

  /** All edges of a user. */
  edges(app: string, owner: string): Promise<ReadonlyMap<string, Edge>>
  /** The edges of a user to some others, in order. */
  edgesTo(app: string, owner: string, peers: readonly string[]): Promise<readonly (Edge | null)[]>
  /** The edges of some users of one partition to one, in order; and whether that is put down where it is. */
  edgesBack(partition: number, app: string, owners: readonly string[], peer: string): Promise<readonly EdgeBack[]>
  /** Who has added this user, as far as it is put down: it may lag behind the edges themselves. */
  asking(app: string, userId: string): Promise<readonly Asking[]>
  /** Forgets these, unless there is news of them: there are no such edges any more. */
  forget(app: string, userId: string, gone: readonly Asking[]): Promise<void>
  /** Whether one user has blocked another. */
  blocks(app: string, owner: string, peer: string): Promise<boolean>
}

export interface EdgeBack {
  readonly edge: Edge | null
  /** The generation of the peer's edge that the owner has been told of; 0 for none. */
  readonly told: number
}

export type RosterLimits = Pick<Limits, 'rosterEntries'>

/**
 * Who has whom as a friend (`001.13`). All methods reject with a `RollcallError`: PRESENCE_OPERATION_FAILED,
 * PRESENCE_OPERATION_TIMEOUT (outcome unknown; to repeat it does no harm), DUPLICATE_USER_ID (the session has a newer connection), and what
 * each names.
 */
export class Roster {
  constructor(
    private readonly store: RosterStore,
    private readonly app: string,
    private readonly limits: RosterLimits,
  ) {}

  /** Adds a friend, and lifts a block. INVALID_PEER for oneself, USER_BLOCKED when the peer has blocked the user, ROSTER_FULL. */
  async add(writer: Writer, peer: string, message: string): Promise<AddFriendReply> {
    assertAnother(writer, peer)
    const { userId } = writer
    if (await this.blocks(peer, userId)) throw new RollcallError('USER_BLOCKED', 'this user has blocked you')
    const generation = await this.#write(writer, peer, 'friend')
    // Blocked by now: then it was added before.
    return { isFriend: await this.#tellBoth(userId, peer, generation, message) }
  }

  /** Ends a friendship for both, refuses a request, lifts a block; whoever is not there is gone already. INVALID_PEER. */
  async remove(writer: Writer, peer: string): Promise<void> {
    assertAnother(writer, peer)
    const generation = await this.#write(writer, peer, 'removed')
    await this.#tell(peer, { from: writer.userId, change: 'removed', generation, message: '' })
  }

  /** From here on nothing passes between the two, in either direction. INVALID_PEER, ROSTER_FULL. */
  async block(writer: Writer, peer: string): Promise<void> {
    assertAnother(writer, peer)
    const generation = await this.#write(writer, peer, 'blocked')
    await this.#tell(peer, { from: writer.userId, change: 'blocked', generation, message: '' })
  }

  /** From Redis. Two calls where the user's own data is, and one a partition for up to `STATUS_CHUNK` of the others. */
  async list(userId: string): Promise<RosterReply> {
    const [edges, asking] = await settled(Promise.all([this.store.edges(this.app, userId), this.store.asking(this.app, userId)]))
    const others = new Set([...edges].flatMap(([peer, { kind }]) => (kind === 'friend' ? [peer] : [])))
    for (const { from } of asking) if (!edges.has(from)) others.add(from)
    const backs = await settled(this.#backs(others, userId))
    await this.#repair(userId, edges, asking, backs)

    const holds = (peer: string, kind: EdgeKind): boolean => edges.get(peer)?.kind === kind
    const heldBack = (peer: string): boolean => backs.get(peer)?.edge?.kind === 'friend'
    const mine = [...edges.keys()].sort()
    return {
      friends: mine.filter((peer) => holds(peer, 'friend') && heldBack(peer)),
      asked: mine.filter((peer) => holds(peer, 'friend') && !heldBack(peer)),
      requests: asking.filter(({ from }) => !edges.has(from) && heldBack(from)).map(({ from, message }) => ({ userId: from, message })).sort(byUser),
      blocked: mine.filter((peer) => holds(peer, 'blocked')),
    }
  }

  /** Whether one user has blocked another. From Redis. */
  blocks(owner: string, peer: string): Promise<boolean> {
    return settled(this.store.blocks(this.app, owner, peer))
  }

  async #write(writer: Writer, peer: string, change: EdgeChange): Promise<number> {
    const written = await settled(this.store.write(this.app, writer, peer, change, this.limits.rosterEntries))
    switch (written.outcome) {
      case 'done':
      case 'same':
        return written.generation
      case 'stale':
        throw superseded()
      case 'unvouched':
        throw new RollcallError('PRESENCE_OPERATION_FAILED', 'Redis does not know of this connection right now: try again')
      case 'full':
        throw new RollcallError('ROSTER_FULL', `a roster has at most ${this.limits.rosterEntries} users`)
    }
  }

  /**
   * Of a user who has added a peer. Answers whether they are friends. The two may add each other at once, on two nodes: then each node does
   * this for both, and whoever comes second tells nobody.
   */
  async #tellBoth(userId: string, peer: string, generation: number, message: string): Promise<boolean> {
    const back = await this.#tell(peer, { from: userId, change: 'friend', generation, message })
    if (back?.kind !== 'friend') return false
    await this.#tell(userId, { from: peer, change: 'friend', generation: back.generation, message: '' })
    return true
  }

  #tell(userId: string, tidings: Tidings): Promise<Edge | null> {
    return settled(this.store.tell(this.app, userId, tidings, this.limits.rosterEntries))
  }

  async #backs(others: Iterable<string>, userId: string): Promise<ReadonlyMap<string, EdgeBack>> {
    const found = new Map<string, EdgeBack>()
    await askByPartition(this.store, this.app, others, async (partition, some) => {
      const backs = await this.store.edgesBack(partition, this.app, some, userId)
      some.forEach((owner, i) => found.set(owner, backs[i] ?? { edge: null, told: 0 }))
    })
    return found
  }

  /**
   * Of a change there are two halves: a node that was killed between them has left those undone who were to be told. What they have not
   * been told of an edge that is there they are told now; what is put down of edges that are not there is forgotten.
   */
  async #repair(userId: string, edges: ReadonlyMap<string, Edge>, asking: readonly Asking[], backs: ReadonlyMap<string, EdgeBack>): Promise<void> {
    const untold = [...edges].filter(([peer, { kind, generation }]) => kind === 'friend' && (backs.get(peer)?.told ?? 0) < generation && backs.get(peer)?.edge?.kind !== 'blocked')
    await Promise.all(untold.slice(0, REPAIRS_MAX).map(([peer, { generation }]) => this.#tellBoth(userId, peer, generation, '')))
    const gone = asking.filter(({ from }) => backs.has(from) && backs.get(from)?.edge?.kind !== 'friend')
    if (gone.length > 0) await settled(this.store.forget(this.app, userId, gone))
  }
}

/** Edges that one look at a roster tells anew: with a peer that takes no more requests it has to be done in vain. */
const REPAIRS_MAX = 100

function assertAnother({ userId }: Writer, peer: string): void {
  if (peer === userId) throw new RollcallError('INVALID_PEER', 'nobody is in their own roster')
}

function byUser(a: { readonly userId: string }, b: { readonly userId: string }): number {
  return a.userId < b.userId ? -1 : 1
}
