import type { ChannelRef } from '../protocol/channel.js'
import type { Channels } from './channels.js'
import { during } from './failures.js'
import { optionsOf } from './options.js'
import type { Done } from './presence-api.js'
import type { SubscribeOptions } from './subscription.js'

export interface SubscribeResult extends Done {
  readonly channelName: string
}

/** A stream channel: what `subscribe` is for message channels, with the words of RTM 2.x (`000`). */
export class StreamChannel {
  readonly channelName: string
  readonly #channel: ChannelRef
  readonly #channels: Channels
  readonly #assertUsable: (operation: string) => void

  constructor(channelName: string, channels: Channels, assertUsable: (operation: string) => void) {
    this.channelName = channelName
    this.#channel = { channelName, channelType: 'STREAM' }
    this.#channels = channels
    this.#assertUsable = assertUsable
  }

  /** As `client.subscribe`; states that were set before go along (`000.1`). */
  async join(options: Pick<SubscribeOptions, 'withPresence' | 'beQuiet'> = {}): Promise<SubscribeResult> {
    this.#assertUsable('streamJoin')
    const { timestamp } = await this.#channels.subscribe(this.#channel, during('streamJoin', () => optionsOf(options)), 'streamJoin')
    return { timestamp, channelName: this.channelName }
  }

  /** Others see one leave, and the states are gone. CHANNEL_NOT_JOINED. */
  async leave(): Promise<SubscribeResult> {
    this.#assertUsable('streamLeave')
    const { timestamp } = await this.#channels.unsubscribe(this.#channel, 'streamLeave')
    return { timestamp, channelName: this.channelName }
  }
}
