import type { Presence } from '../presence/service.js'
import type { StatesChanged } from '../presence/state-writer.js'
import type { StateChange } from '../presence/types.js'
import type { ChannelRef } from '../protocol/channel.js'
import { RollcallError } from '../protocol/errors.js'
import type { Limits } from '../protocol/limits.js'
import type { Metrics } from '../metrics/index.js'
import { keyOf, type Connection } from './connection.js'
import type { Slot } from './rate.js'

/** Calls that will be one change. */
interface Batch {
  readonly changes: StateChange[]
  /** Its place in the channel's line. */
  readonly turn: unknown
  readonly done: Promise<StatesChanged>
}

export interface StateCallsDeps {
  readonly presence: Pick<Presence, 'changeStates'>
  readonly limits: Pick<Limits, 'messageBytes'>
  readonly metrics: Pick<Metrics, 'coalesced'>
}

export interface StateCallReply {
  readonly version: number
  /** How many calls the change is made of, if they are several. */
  readonly coalesced?: number
}

/**
 * The calls of one connection that change states. Within the rate each is a change of its own. Those over it are not
 * refused, for then the last of a burst - the one that says how things are - would be the one that is lost: they wait
 * for the next free slot in the place of the first of them, and become one change, each on top of the one before.
 *
 * It is here and not where states are written because all that decides is of the connection: its rate, its line of
 * requests a channel (a call joins only as long as nothing else was asked on the channel since) and its answers. The
 * domain is only asked to make several changes as one.
 */
export class StateCalls {
  /** The batch of each channel that calls may still join. */
  readonly #waiting = new Map<string, Batch>()
  #waitingBytes = 0

  constructor(
    private readonly connection: Connection,
    private readonly deps: StateCallsDeps,
  ) {}

  /**
   * Makes a change when it is its turn and there is a slot for it. `allowed` is asked right before and throws what
   * forbids it. RATE_EXCEEDED when what waits is as large as a message may be; what {@link Presence.changeStates} throws.
   */
  async change(channel: ChannelRef, change: StateChange, slot: Slot, allowed: () => void): Promise<StateCallReply> {
    const waiting = this.#waiting.get(keyOf(channel))
    const open = waiting !== undefined && waiting.turn === this.connection.turns.last(keyOf(channel)) ? waiting : null
    const bytes = open === null && slot.free ? 0 : bytesOf(change)
    if (this.#waitingBytes + bytes > this.deps.limits.messageBytes) {
      throw new RollcallError('RATE_EXCEEDED', `state changes of at most ${this.deps.limits.messageBytes} bytes wait for the rate`)
    }
    this.#waitingBytes += bytes
    try {
      const batch = open ?? this.#begin(channel, slot, allowed)
      const place = batch.changes.push(change) - 1
      const { version, refused } = await batch.done
      const error = refused[place]
      if (error != null) throw error
      const made = refused.filter((refusal) => refusal === null).length
      if (made === 1) return { version }
      this.deps.metrics.coalesced.inc()
      return { version, coalesced: made }
    } finally {
      this.#waitingBytes -= bytes
    }
  }

  #begin(channel: ChannelRef, slot: Slot, allowed: () => void): Batch {
    const changes: StateChange[] = []
    const done = this.#make(channel, changes, slot, allowed)
    const batch = { changes, done, turn: this.connection.turns.last(keyOf(channel)) }
    if (!slot.free) this.#waiting.set(keyOf(channel), batch)
    return batch
  }

  /** Enters the channel's line at once, and makes what has gathered in `changes` when both turn and slot are there. */
  async #make(channel: ChannelRef, changes: readonly StateChange[], slot: Slot, allowed: () => void): Promise<StatesChanged> {
    const { connection } = this
    const key = keyOf(channel)
    const turn = connection.turns.enter(key)
    const taken = slot.free ? Promise.resolve() : slot.next()
    taken.catch(() => undefined)
    const leave = await turn
    try {
      await taken
      // From here on nobody joins.
      if (this.#waiting.get(key)?.changes === changes) this.#waiting.delete(key)
      connection.assertAlive()
      allowed()
      return await connection.write(this.deps.presence.changeStates(connection.session, channel, changes))
    } finally {
      if (this.#waiting.get(key)?.changes === changes) this.#waiting.delete(key)
      leave()
    }
  }
}

/** About what a change holds in memory. */
function bytesOf(change: StateChange): number {
  const parts = 'set' in change ? Object.entries(change.set).flat() : change.remove
  return parts.reduce((sum, part) => sum + part.length, 0)
}
