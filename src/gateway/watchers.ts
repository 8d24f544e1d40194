import { MultiMap } from '../presence/multi-map.js'
import type { Packet } from './packet.js'

/** A socket as the fan-out sees it. */
export interface Watcher {
  /** The socket's id. */
  readonly id: string
  readonly userId: string
  readonly sessionId: string
  /** Bytes that wait to be sent to it. */
  readonly backlogBytes: number
}

/** How packets leave: each call encodes its packet once, however many sockets get it. */
export interface Outlet {
  /** Answers whether it is known that nobody in the room had anything waiting before it. */
  toRoom(room: string, except: readonly string[], packet: Packet): boolean
  toSockets(ids: readonly string[], packet: Packet): void
  join(id: string, room: string): void
  leave(id: string, room: string): void
}

/** Watchers who stand at the same position, ahead of the room. */
export interface Early {
  readonly position: number
  readonly watchers: readonly Watcher[]
}

/**
 * The live watchers of one audience. Nearly all are in the room, which stands at one position. Those who began while the
 * room had something pending stand ahead of it, each where it began, until the room has caught up.
 */
export class Watchers {
  readonly #all = new Map<string, Watcher>()
  readonly #ofUser = new MultiMap<Watcher>()
  readonly #early = new Map<Watcher, number>()
  /** The last packet found nothing waiting with anybody, and nobody came since: none of them can be slow. */
  #clear = false

  constructor(
    private readonly room: string,
    private readonly outlet: Outlet,
  ) {}

  get size(): number {
    return this.#all.size
  }

  /** How many of them are ahead of the room. */
  get ahead(): number {
    return this.#early.size
  }

  [Symbol.iterator](): Iterator<Watcher> {
    return this.#all.values()
  }

  /** @param position where it stands, if that is ahead of the room; else null. */
  add(watcher: Watcher, position: number | null): void {
    this.#all.set(watcher.id, watcher)
    this.#ofUser.add(watcher.userId, watcher)
    this.#clear = false
    if (position === null) this.outlet.join(watcher.id, this.room)
    else this.#early.set(watcher, position)
  }

  /** Does nothing for one that is not here. */
  delete(id: string): void {
    const watcher = this.#all.get(id)
    if (watcher === undefined) return
    this.#all.delete(id)
    this.#ofUser.delete(watcher.userId, watcher)
    if (!this.#early.delete(watcher)) this.outlet.leave(id, this.room)
  }

  /** Those of a user who are in the room. */
  inRoom(userId: string): Watcher[] {
    return [...this.#ofUser.of(userId)].filter((watcher) => !this.#early.has(watcher))
  }

  /** Those who are ahead of the room, the furthest first. */
  early(): Early[] {
    const at = new Map<number, Watcher[]>()
    for (const [watcher, position] of this.#early) {
      const others = at.get(position)
      if (others === undefined) at.set(position, [watcher])
      else others.push(watcher)
    }
    return [...at].map(([position, watchers]) => ({ position, watchers })).sort((a, b) => b.position - a.position)
  }

  tellRoom(except: readonly string[], packet: Packet): void {
    this.#clear = this.outlet.toRoom(this.room, except, packet)
  }

  /** Those with more than so many bytes waiting. One packet at most is sent between two looks at them. */
  *slow(backlogBytes: number): Generator<Watcher> {
    if (this.#clear) return
    for (const watcher of this.#all.values()) if (watcher.backlogBytes > backlogBytes) yield watcher
  }

  /** Everybody stands at one position: all go into the room. */
  gather(): void {
    if (this.#early.size > 0) this.#clear = false
    for (const { id } of this.#early.keys()) this.outlet.join(id, this.room)
    this.#early.clear()
  }
}
