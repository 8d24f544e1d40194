import type { OutboxEntry, OutboxEvent } from '../presence/outbox.js'
import { ERRORS } from '../protocol/errors.js'
import type { ChannelType } from '../protocol/channel.js'
import type { WebhookData, WebhookMessage } from '../protocol/webhooks.js'
import type { Channel } from '../presence/types.js'

const CLOSE_MESSAGES = { 1: 'logout', 2: 'connection lost', 3: 'replaced by another login', 4: 'ended by the application' } as const

/** Ends of a session that its client was told as an error. */
const CLOSE_ERRORS = { 3: ERRORS.DUPLICATE_USER_ID.errorCode, 4: ERRORS.NOT_LOGIN.errorCode } as const

const MEMBER_TYPES = { join: 'member.joined', leave: 'member.left', timeout: 'member.timeout' } as const
const CHANNEL_TYPES = { occupied: 'channel.occupied', vacated: 'channel.vacated' } as const

/** What receivers are told of an entry. */
export function messageOf({ id, at, event }: OutboxEntry): WebhookMessage {
  const head = { id, timestamp: new Date(at).toISOString() }
  switch (event.kind) {
    case 'online':
      return { ...head, type: '_clientOnline', data: onlineOf(event) }
    case 'offline':
      return { ...head, type: '_clientOffline', data: offlineOf(event) }
    case 'join':
    case 'leave':
    case 'timeout':
      return { ...head, type: MEMBER_TYPES[event.kind], data: { ...nameOf(event.channel), userId: event.userId } }
    case 'state':
      return { ...head, type: 'member.state', data: { ...nameOf(event.channel), userId: event.userId, states: event.states } }
    case 'occupied':
    case 'vacated':
      return { ...head, type: CHANNEL_TYPES[event.kind], data: nameOf(event.channel) }
  }
}

function onlineOf({ userId, sourceIP, tag, reconnect }: OutboxEvent & { readonly kind: 'online' }): WebhookData['_clientOnline'] {
  return { peerId: userId, sourceIP, ...(tag !== '' && { tag }), ...(reconnect && { reconnect }) }
}

function offlineOf({ userId, sourceIP, tag, closeCode, reason }: OutboxEvent & { readonly kind: 'offline' }): WebhookData['_clientOffline'] {
  const closeMsg = CLOSE_MESSAGES[closeCode]
  return {
    peerId: userId,
    closeCode,
    closeMsg,
    // Where a connection was that is no more says nothing of where its user is.
    ...(closeCode !== 2 && sourceIP !== '' && { sourceIP }),
    ...(tag !== '' && { tag }),
    ...((closeCode === 3 || closeCode === 4) && { errorCode: CLOSE_ERRORS[closeCode], errorMsg: reason === '' ? closeMsg : reason }),
  }
}

function nameOf(channel: Channel): { readonly channelName: string; readonly channelType: ChannelType } {
  if (channel.type === 'USER') throw new Error('of a USER channel only who comes and goes is told')
  return { channelName: channel.name, channelType: channel.type }
}
