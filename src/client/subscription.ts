import type { ChannelRef, States } from '../protocol/channel.js'
import type { SubscribeRequest } from '../protocol/requests.js'
import type { ChannelView } from './live-channel.js'
import { OwnStates } from './own-states.js'

export interface SubscribeOptions {
  /** Whether to get the channel's presence events, beginning with a SNAPSHOT. @default true */
  readonly withPresence?: boolean
  /** Get the events and appear in none, nor in counts and lists (`000.14`). @default false */
  readonly beQuiet?: boolean
  /** Accepted and without effect: channel messages are not Rollcall's job. */
  readonly withMessage?: boolean
}

/** One channel that this client subscribed to, from the call on. */
export class Subscription {
  readonly channel: ChannelRef
  readonly view: ChannelView
  readonly own = new OwnStates()
  withPresence = true
  beQuiet = false
  /** The server acknowledged it. */
  joined = false
  /** The app has asked for its end: nothing asks for it anew. */
  leaving = false
  /** The changes since would not tell all: what is asked for next is a SNAPSHOT. */
  resnapshot = false

  constructor(view: ChannelView) {
    this.channel = { channelName: view.channelName, channelType: view.channelType }
    this.view = view
  }

  /** The request with which the subscription begins; cached states go along. */
  beginning(options: SubscribeOptions, states: States | undefined): SubscribeRequest {
    const { withPresence = true, beQuiet = false } = options
    return { ...this.channel, withPresence, beQuiet, ...(states !== undefined && !beQuiet && { states }) }
  }

  /** The request that continues it, as a part of `resume`. */
  continuing(): SubscribeRequest {
    const { position } = this.view
    const states = this.own.written
    return {
      ...this.channel,
      withPresence: this.withPresence,
      beQuiet: this.beQuiet,
      // For a stay that has to begin anew (`000.10`); one that goes on has its states.
      ...(!this.beQuiet && Object.keys(states).length > 0 && { states }),
      ...(this.withPresence && !this.resnapshot && position !== null && { since: position }),
    }
  }
}
