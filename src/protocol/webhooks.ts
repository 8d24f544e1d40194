import type { ChannelType, States } from './channel.js'

/** Why a session ended for good (`003.7`): 1 logout, 2 connection lost, 3 replaced by another login, 4 ended by the application. */
export type CloseCode = 1 | 2 | 3 | 4

/** What each event says. A property with a question mark is left out where there is nothing to say. */
export interface WebhookData {
  /** A user came online; with `reconnect`, by a login that replaced another session. */
  _clientOnline: { readonly peerId: string; readonly sourceIP: string; readonly tag?: string; readonly reconnect?: true }
  /** A user went offline, or, with closeCode 3, lost a session to another login. */
  _clientOffline: {
    readonly peerId: string
    readonly closeCode: CloseCode
    readonly closeMsg: string
    readonly sourceIP?: string
    readonly tag?: string
    readonly errorCode?: number
    readonly errorMsg?: string
  }
  'member.joined': { readonly channelName: string; readonly channelType: ChannelType; readonly userId: string }
  'member.left': { readonly channelName: string; readonly channelType: ChannelType; readonly userId: string }
  'member.timeout': { readonly channelName: string; readonly channelType: ChannelType; readonly userId: string }
  /** All of a member's states, as they are now. */
  'member.state': { readonly channelName: string; readonly channelType: ChannelType; readonly userId: string; readonly states: States }
  'channel.occupied': { readonly channelName: string; readonly channelType: ChannelType }
  'channel.vacated': { readonly channelName: string; readonly channelType: ChannelType }
}

export type WebhookType = keyof WebhookData

/** One event, as every receiver is told it. */
export type WebhookMessage = {
  [Type in WebhookType]: {
    /** The same however often the event is sent. */
    readonly id: string
    readonly type: Type
    /** When it happened, ISO 8601. */
    readonly timestamp: string
    readonly data: WebhookData[Type]
  }
}[WebhookType]

/** Whom the cluster tells what happens. One node at a time delivers a user's events to a receiver, one after the other. */
export interface Receiver {
  /** 1 to 64 of `A-Z a-z 0-9 . _ -`: nodes that name the same one share its work. */
  readonly name: string
  /** Once this has resolved, the event counts as delivered; after a rejection, or half a minute, it is sent again. */
  deliver(message: WebhookMessage): Promise<void>
}
