import type { PeerState } from '../client/index.js'
import { recall, remember } from './tab-memory.js'

/** People that are followed at once: the cards, and some who have gone. */
const MOST_FOLLOWED = 250
/** How many of those who have gone are shown. */
export const MOST_GONE = 6

/** What the company needs of `client.peers`. */
export interface Peers {
  readonly subscribed: ReadonlyMap<string, PeerState>
  subscribe(userIds: readonly string[]): Promise<unknown>
  unsubscribe(userIds: readonly string[]): Promise<unknown>
}

/** User ids of who is in the room. */
type Present = Pick<ReadonlyMap<string, unknown>, 'keys' | 'has'>

/** Somebody one has met in the room, who is not in it now. */
export interface Gone extends PeerState {
  readonly userId: string
}

/**
 * Those whom one has met in the room: whether they are there is followed, also after they have left it. One call at a
 * time; what fails is asked for again when somebody looks next.
 */
export class Company {
  readonly #peers: Peers
  readonly #selfId: string
  readonly #changed: () => void
  readonly #memory: string
  readonly #met: Set<string>
  #isBusy = false

  constructor(peers: Peers, selfId: string, room: string, changed: () => void) {
    this.#peers = peers
    this.#selfId = selfId
    this.#changed = changed
    this.#memory = `met in ${room}`
    this.#met = new Set(recall(this.#memory)?.split('\n'))
  }

  /** These are in the room now. */
  meet(present: Present): void {
    let isNews = false
    for (const userId of present.keys()) {
      if (userId === this.#selfId || this.#met.has(userId)) continue
      if (this.#met.size >= MOST_FOLLOWED && !this.#forgetOne(present)) break
      this.#met.add(userId)
      isNews = true
    }
    // The last ones; a reload then shows whom one has missed.
    if (isNews) remember(this.#memory, [...this.#met].slice(-2 * MOST_GONE).join('\n'))
    void this.#follow()
  }

  isAway(userId: string): boolean {
    return this.#peers.subscribed.get(userId)?.status === 'UNREACHABLE'
  }

  /** Who is not in the room: first who can be reached, then who was seen last. */
  gone(present: Present): readonly Gone[] {
    const known = [...this.#met].flatMap((userId) => {
      const state = this.#peers.subscribed.get(userId)
      // Of somebody without a time nobody knows when that was.
      return state === undefined || present.has(userId) || (state.status === 'OFFLINE' && state.lastSeen === null) ? [] : [{ userId, ...state }]
    })
    return known.sort((a, b) => (b.lastSeen ?? Infinity) - (a.lastSeen ?? Infinity) || (a.userId < b.userId ? -1 : 1)).slice(0, MOST_GONE)
  }

  /** Makes room for somebody else, if there is anybody who has gone. */
  #forgetOne(present: Present): boolean {
    const stranger = [...this.#met].find((userId) => !present.has(userId))
    return stranger !== undefined && this.#met.delete(stranger)
  }

  async #follow(): Promise<void> {
    if (this.#isBusy) return
    const { subscribed } = this.#peers
    const wanted = [...this.#met].filter((userId) => !subscribed.has(userId))
    const unwanted = [...subscribed.keys()].filter((userId) => !this.#met.has(userId))
    if (wanted.length === 0 && unwanted.length === 0) return
    this.#isBusy = true
    try {
      if (unwanted.length > 0) await this.#peers.unsubscribe(unwanted)
      if (wanted.length > 0) await this.#peers.subscribe(wanted)
      this.#changed()
    } catch {
      // The page does without: it says less of them, and asks again.
    } finally {
      this.#isBusy = false
    }
  }
}

/** When somebody was seen, in words for a glance. */
export function ago(ms: number): string {
  const minutes = Math.floor(ms / 60_000)
  if (minutes < 1) return 'just now'
  if (minutes < 60) return `${minutes} min ago`
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return `${hours} h ago`
  const days = Math.floor(hours / 24)
  return days === 1 ? 'yesterday' : `${days} days ago`
}
