import type { States } from '../protocol/channel.js'

interface Write {
  readonly version: number
  readonly apply: (states: States) => States
}

/**
 * One's own states in one channel, put together from two sources that may come in either order: what the server
 * acknowledged to this session (it gets no event of its own changes, `000.7`), and events and snapshots with the full
 * states, in which changes of the user's other sessions come. Versions tell which of them is newer.
 *
 * Invariant: `states` = what was known in full at `knownAt`, with the later acknowledged writes on top, in order: first
 * those that are settled.
 */
export class OwnStates {
  #known: States = {}
  #knownAt = 0
  /** The last write that became part of what is known. Others may have the same version: several calls can be one change. */
  #settledAt = 0
  #writes: readonly Write[] = []
  readonly #written = new Set<string>()

  /**
   * What this session itself wrote, as it is now: what it applies again when its stay had ended (`000.10`). Keys of the
   * user's other sessions are theirs: they may have changed them meanwhile, and nothing late undoes something newer.
   */
  get written(): States {
    return Object.fromEntries(Object.entries(this.states).filter(([key]) => this.#written.has(key)))
  }

  get states(): States {
    return this.#writes.reduce((states, write) => write.apply(states), this.#known)
  }

  /** The full states as of a version, from an event or a snapshot. */
  known(states: States, version: number): void {
    if (version < this.#knownAt || version < this.#settledAt) return
    this.#known = states
    this.#knownAt = version
    this.#writes = this.#writes.filter((write) => write.version > version)
  }

  /** An acknowledged write of this session. One that the known states include already changes nothing. */
  wrote(version: number, apply: Write['apply']): void {
    for (const key of Object.keys(apply({}))) this.#written.add(key)
    if (version <= this.#knownAt) return
    this.#writes = [...this.#writes, { version, apply }].sort((a, b) => a.version - b.version)
  }

  /** No event of an older version can come any more: the writes up to there become part of what is known. */
  settle(version: number): void {
    for (const write of this.#writes) {
      if (write.version > version) break
      this.#known = write.apply(this.#known)
      this.#settledAt = write.version
    }
    this.#writes = this.#writes.filter((write) => write.version > version)
  }
}
