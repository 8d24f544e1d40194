import type { ChannelRef, States } from '../protocol/channel.js'
import { RollcallError } from '../protocol/errors.js'
import type { Limits } from '../protocol/limits.js'
import { checkStateCount, mergeStates, withoutStates } from '../protocol/states.js'
import { channelKey } from './wire.js'

/** States that were set before their channel was joined (`000.1`). They go along when it is. */
export class StateCache {
  readonly #states = new Map<string, States>()

  get(channel: ChannelRef): States | undefined {
    return this.#states.get(channelKey(channel))
  }

  /** Merges. PRESENCE_STATE_COUNT_OVERFLOW; PRESENCE_CACHED_TOO_MANY_STATES when it would be one channel too many. */
  set(channel: ChannelRef, states: States, limits: Limits): void {
    const key = channelKey(channel)
    const cached = this.#states.get(key)
    checkStateCount(cached ?? {}, states, limits)
    if (cached === undefined && this.#states.size >= limits.cachedChannels) {
      throw new RollcallError('PRESENCE_CACHED_TOO_MANY_STATES', `states are cached for ${limits.cachedChannels} channels already`)
    }
    this.#states.set(key, mergeStates(cached ?? {}, states))
  }

  /** Removes these keys, or all when none is named. */
  remove(channel: ChannelRef, keys: readonly string[]): void {
    const key = channelKey(channel)
    const left = withoutStates(this.#states.get(key) ?? {}, keys)
    if (Object.keys(left).length > 0) this.#states.set(key, left)
    else this.#states.delete(key)
  }

  clear(): void {
    this.#states.clear()
  }
}
