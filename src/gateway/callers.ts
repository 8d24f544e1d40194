import { setTimeout as delay } from 'node:timers/promises'
import type { Peers } from '../feeds/peer-statuses.js'
import { MultiMap } from '../presence/multi-map.js'

/** The pause before a caller whose status could not be read is asked for again, in milliseconds; it doubles up to the second. */
const RETRY_MS = 200
const RETRY_MAX_MS = 5_000

/** Something that is open for as long as somebody is there. */
export interface Call {
  readonly caller: string
}

interface Following {
  over: boolean
  held: boolean
}

/** Follows the statuses of those who have invited somebody here, for as long as that is open. */
export class Callers<C extends Call> {
  readonly #calls = new MultiMap<C>()
  readonly #followed = new Map<C, Following>()

  /** @param onGone told of each call whose caller is OFFLINE, when that turns or was so from the beginning */
  constructor(
    private readonly peers: Peers,
    private readonly onGone: (call: C) => void,
  ) {
    peers.listen((news) => {
      for (const { userId, status } of news) if (status === 'OFFLINE') for (const call of [...this.#calls.of(userId)]) onGone(call)
    })
  }

  /** To repeat it changes nothing. */
  follow(call: C): void {
    if (this.#followed.has(call)) return
    const following: Following = { over: false, held: false }
    this.#followed.set(call, following)
    this.#calls.add(call.caller, call)
    void this.#acquire(call, following)
  }

  /** Does nothing for one that is not followed. */
  unfollow(call: C): void {
    const following = this.#followed.get(call)
    if (following === undefined) return
    following.over = true
    this.#followed.delete(call)
    this.#calls.delete(call.caller, call)
    if (following.held) this.peers.release([call.caller])
  }

  /** Until the status is known, or nobody wants to know it any more. */
  async #acquire(call: C, following: Following): Promise<void> {
    for (let pauseMs = RETRY_MS; !following.over; pauseMs = Math.min(2 * pauseMs, RETRY_MAX_MS)) {
      try {
        await this.peers.acquire([call.caller])
      } catch {
        await delay(pauseMs * (0.5 + Math.random() / 2), undefined, { ref: false })
        continue
      }
      if (following.over) {
        this.peers.release([call.caller])
        return
      }
      following.held = true
      if (this.peers.status(call.caller).status === 'OFFLINE') this.onGone(call)
      return
    }
  }
}
