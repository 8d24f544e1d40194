import type { Action, Auth, Grant } from '../../auth/index.js'
import type { Feeds } from '../../feeds/types.js'
import type { Metrics } from '../../metrics/index.js'
import type { Broadcasts } from '../../presence/broadcasts.js'
import type { Invitations } from '../../presence/invitations.js'
import type { Messages } from '../../presence/messages.js'
import type { UserMetadata } from '../../presence/metadata.js'
import type { Roster } from '../../presence/roster.js'
import type { Presence } from '../../presence/service.js'
import type { Channel } from '../../presence/types.js'
import type { ChannelRef } from '../../protocol/channel.js'
import { RollcallError } from '../../protocol/errors.js'
import type { Limits } from '../../protocol/limits.js'
import type { Calls } from '../calls.js'
import { keyOf, type Connection, type Subscription } from '../connection.js'
import type { PeerFanout } from '../peer-fanout.js'

/** What handlers work with. */
export interface HandlerContext {
  readonly presence: Presence
  readonly metadata: UserMetadata
  readonly messages: Pick<Messages, 'send'>
  readonly roster: Roster
  readonly broadcasts: Broadcasts
  readonly invitations: Pick<Invitations, 'cancel' | 'answer'>
  readonly calls: Pick<Calls, 'invite' | 'get'>
  readonly feeds: Feeds
  readonly peers: Pick<PeerFanout, 'subscribe' | 'unsubscribe' | 'status'>
  readonly auth: Pick<Auth, 'verify'>
  readonly limits: Limits
  readonly metrics: Pick<Metrics, 'coalesced'>
}

/** Throws PERMISSION_DENIED. */
export function demand(grant: Grant, action: Action, channel: ChannelRef): void {
  if (!grant.can(action, channel)) throw new RollcallError('PERMISSION_DENIED', `the token does not allow "${action}" in this channel`)
}

/** The connection's subscription; throws CHANNEL_NOT_SUBSCRIBED, or CHANNEL_NOT_JOINED for a stream channel. */
export function subscriptionTo(connection: Connection, channel: ChannelRef): Subscription {
  const subscription = connection.subscriptions.get(keyOf(channel))
  if (subscription !== undefined) return subscription
  if (channel.channelType === 'STREAM') throw new RollcallError('CHANNEL_NOT_JOINED', 'this stream channel is not joined')
  throw new RollcallError('CHANNEL_NOT_SUBSCRIBED', 'this channel is not subscribed to')
}

export function clusterName(app: string, { channelType, channelName }: ChannelRef): Channel {
  return { app, type: channelType, name: channelName }
}

/** Does the work when everything that was asked before on this channel is done, and nobody else in the meantime. */
export function inTurn(connection: Connection, channel: ChannelRef, work: () => Promise<void>): Promise<void> {
  return waited(connection, keyOf(channel), work)
}

/** The same for what is no channel: `line` is a name of the caller's. */
export function inLine<T>(connection: Connection, line: string, work: () => Promise<T>): Promise<T> {
  // No channel's key begins so: what is sent to a user "lobby" does not wait for the channel "lobby".
  return waited(connection, `:${line}`, work)
}

async function waited<T>(connection: Connection, key: string, work: () => Promise<T>): Promise<T> {
  const leave = await connection.turns.enter(key)
  try {
    connection.assertAlive()
    return await work()
  } finally {
    leave()
  }
}
