/** The channel types that clients may name. The same name in two types is two channels (`000.12`). */
export const CHANNEL_TYPES = ['MESSAGE', 'STREAM'] as const
export type ChannelType = (typeof CHANNEL_TYPES)[number]

/** A channel as clients name it. */
export interface ChannelRef {
  readonly channelName: string
  readonly channelType: ChannelType
}

/** A member's own key/value strings in one channel. They end with the membership. */
export type States = Readonly<Record<string, string>>
