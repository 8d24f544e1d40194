import type { ChannelRef, ChannelType, States } from '../protocol/channel.js'
import type { Occupant } from '../protocol/events.js'
import { checkChannel, checkUserId } from '../protocol/names.js'
import { mergeStates, parseStateKeys, parseStates, withoutStates } from '../protocol/states.js'
import type { Channels } from './channels.js'
import { during, isUnanswered } from './failures.js'
import { deadlineFromNow, type Link } from './link.js'
import { optionsOf } from './options.js'
import type { Subscription } from './subscription.js'
import type { RequestOf } from './wire.js'

export interface Done {
  /** Milliseconds since the epoch, by the server's clock. */
  readonly timestamp: number
}

export interface GetStateResult extends Occupant, Done {}

export interface RemoveStateOptions {
  /** The keys to remove; none, or no list, removes all. */
  readonly states?: readonly string[]
}

export interface WhoNowOptions {
  /** @default true */
  readonly includedUserId?: boolean
  /** @default false */
  readonly includedState?: boolean
  /** `nextPage` of the page before. */
  readonly page?: string
}

export interface WhoNowResult extends Done {
  /** Of the whole channel, on every page. */
  readonly totalOccupancy: number
  readonly occupants: readonly Occupant[]
  /** Opaque; `''` on the last page. */
  readonly nextPage: string
}

export interface WhereNowResult extends Done {
  readonly totalChannel: number
  readonly channels: readonly ChannelRef[]
}

/**
 * `client.presence`, in the shape of RTM 2.x (`000`).
 *
 * Everything here rejects with a `RollcallError`: INVALID_CHANNEL_NAME, INVALID_CHANNEL_TYPE, NOT_LOGIN,
 * PRESENCE_NOT_CONNECTED, PRESENCE_OPERATION_TIMEOUT (10 s from the call on), PRESENCE_OPERATION_FAILED, RATE_EXCEEDED, and what each
 * names. While the client reconnects, calls wait. Reads that were under way when the connection was lost are sent again;
 * changes are not, but reject with PRESENCE_REQUEST_CANCELLED: their outcome is unknown.
 */
export class PresenceApi {
  readonly #userId: string
  readonly #link: Link
  readonly #channels: Channels

  constructor(userId: string, link: Link, channels: Channels) {
    this.#userId = userId
    this.#link = link
    this.#channels = channels
  }

  /**
   * Sets states of oneself: existing keys are overwritten, new ones added, others untouched. Before the channel is
   * joined they are kept here and go along with the join (`000.1`).
   *
   * In this order: PRESENCE_INVALID_ARGUMENT (no states), PRESENCE_INVALID_STATE_KEY, PRESENCE_STATE_KEY_SIZE_OVERFLOW,
   * PRESENCE_INVALID_STATE_VALUE, PRESENCE_STATE_VALUE_SIZE_OVERFLOW, PRESENCE_STATE_COUNT_OVERFLOW; then
   * PRESENCE_CACHED_TOO_MANY_STATES (before joining), PRESENCE_NOT_WRITABLE (a quiet subscriber).
   */
  async setState(channelName: string, channelType: ChannelType, state: Readonly<Record<string, string>>): Promise<Done> {
    const operation = 'presenceSetState'
    const { channel, states } = during(operation, () => {
      const named = checkChannel(channelName, channelType)
      return { channel: named, states: parseStates(state, this.#link.limits) }
    })
    this.#link.assertUsable(operation)
    const deadline = deadlineFromNow()
    const subscription = await this.#channels.settled(channel)
    if (subscription === undefined) {
      during(operation, () => this.#channels.cache.set(channel, states, this.#link.limits))
      return { timestamp: Date.now() }
    }
    return this.#write('setState', { ...channel, states }, operation, deadline, subscription, (before) => mergeStates(before, states))
  }

  /**
   * A member's states, as they are now. One's own, when they are still cached for a channel that is not joined yet, come
   * from the cache. PRESENCE_USER_NOT_EXIST for whoever is not in the channel; INVALID_USER_ID.
   */
  async getState(userId: string, channelName: string, channelType: ChannelType): Promise<GetStateResult> {
    const operation = 'presenceGetState'
    const request = during(operation, () => ({ userId: checkUserId(userId), ...checkChannel(channelName, channelType) }))
    this.#link.assertUsable(operation)
    const deadline = deadlineFromNow()
    if (userId === this.#userId && (await this.#channels.settled(request)) === undefined) {
      const cached = this.#channels.cache.get(request)
      if (cached !== undefined) return { userId, states: { ...cached }, statesCount: Object.keys(cached).length, timestamp: Date.now() }
    }
    const { states, statesCount, timestamp } = await this.#link.request('getState', request, operation, { deadline })
    return { userId, states, statesCount, timestamp }
  }

  /** Removes states of oneself: those that are named, or all (`000.6`). PRESENCE_INVALID_STATE_KEY, PRESENCE_NOT_WRITABLE. */
  async removeState(channelName: string, channelType: ChannelType, options: RemoveStateOptions = {}): Promise<Done> {
    const operation = 'presenceRemoveState'
    const { channel, states } = during(operation, () => {
      const named = checkChannel(channelName, channelType)
      return { channel: named, states: parseStateKeys(optionsOf(options).states, this.#link.limits) }
    })
    this.#link.assertUsable(operation)
    const deadline = deadlineFromNow()
    const subscription = await this.#channels.settled(channel)
    if (subscription === undefined) {
      this.#channels.cache.remove(channel, states)
      return { timestamp: Date.now() }
    }
    return this.#write('removeState', { ...channel, states }, operation, deadline, subscription, (before) => withoutStates(before, states))
  }

  /** Who is in a channel now; needs no subscription (`000.15`). PERMISSION_DENIED, PRESENCE_INVALID_ARGUMENT for a page that is none. */
  async whoNow(channelName: string, channelType: ChannelType, options: WhoNowOptions = {}): Promise<WhoNowResult> {
    const operation = 'presenceWhoNow'
    const request = during(operation, () => {
      const channel = checkChannel(channelName, channelType)
      const { includedUserId = true, includedState = false, page = '' } = optionsOf(options)
      return { ...channel, includedUserId, includedState, ...(page !== '' && { page }) }
    })
    const { totalOccupancy, occupants, nextPage, timestamp } = await this.#link.request('whoNow', request, operation)
    return { totalOccupancy, occupants, nextPage, timestamp }
  }

  /** Alias of {@link whoNow}. */
  getOnlineUsers(channelName: string, channelType: ChannelType, options: WhoNowOptions = {}): Promise<WhoNowResult> {
    return this.whoNow(channelName, channelType, options)
  }

  /** Where a user is now; needs no subscription (`000.15`). INVALID_USER_ID. */
  async whereNow(userId: string): Promise<WhereNowResult> {
    const operation = 'presenceWhereNow'
    const request = during(operation, () => ({ userId: checkUserId(userId) }))
    const { totalChannel, channels, timestamp } = await this.#link.request('whereNow', request, operation)
    return { totalChannel, channels, timestamp }
  }

  /** Alias of {@link whereNow}. */
  getUserChannels(userId: string): Promise<WhereNowResult> {
    return this.whereNow(userId)
  }

  async #write<Name extends 'setState' | 'removeState'>(
    name: Name,
    request: RequestOf<Name>,
    operation: string,
    deadline: number,
    subscription: Subscription,
    apply: (before: States) => States,
  ): Promise<Done> {
    try {
      const { timestamp, version } = await this.#link.request(name, request, operation, { resend: false, deadline })
      this.#channels.wrote(subscription, version, apply)
      return { timestamp }
    } catch (error) {
      if (isUnanswered(error)) this.#channels.unsure(subscription)
      throw error
    }
  }
}
