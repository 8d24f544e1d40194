import type { Feed, Missed } from '../../feeds/types.js'
import type { ChannelRef } from '../../protocol/channel.js'
import { RollcallError } from '../../protocol/errors.js'
import type { ResumeResult } from '../../protocol/requests.js'
import type { Subscribe } from '../../protocol/parse.js'
import { keyOf, type Connection, type Subscription } from '../connection.js'
import { clusterName, demand, type HandlerContext } from './context.js'

/** A subscription that holds, of which the client has not been told yet. It ends with {@link settle}. */
export interface Opened {
  readonly request: Subscribe
  readonly subscription: Subscription
  readonly version: number
  /** It began a stay, and continued none. */
  readonly isNew: boolean
  /** The feed to watch, with a reference to it. */
  readonly feed: Feed | null
}

export interface Plan {
  readonly result: Exclude<ResumeResult['result'], 'error'>
  readonly missed: Missed | null
  /** The client's view is of an earlier life. */
  readonly returns: boolean
}

/**
 * Makes a session what a subscription says: a member or quiet, a watcher or not. Repeating it changes nothing, and what
 * differs from before is changed.
 *
 * The feed comes first, for it is what may be missing: then nothing has happened yet. When it fails after the join, the
 * join stands - it may continue a stay that others have seen, and nobody shall see that end because of us - and the
 * error, which is retryable, is the answer; the client subscribes again or unsubscribes.
 *
 * @param again the client continues what it had: its states are for a stay that begins anew, beneath what has been set since.
 */
export async function open(context: HandlerContext, connection: Connection, request: Subscribe, again = false): Promise<Opened> {
  const { presence, feeds } = context
  const key = keyOf(request)
  authorize(connection, request, again)
  connection.reserve(ref(request), context.limits.channelsPerClient)
  let feed: Feed | null = null
  try {
    if (request.withPresence) {
      feed = await feeds.acquire(clusterName(presence.app, request))
      connection.assertAlive()
    }
    const subscription = connection.subscriptions.get(key) ?? { channel: ref(request), member: false, feed: null }
    const { version, isNew } = await placed(context, connection, request, subscription, again)
    if (feed !== null) {
      await feed.atLeast(version)
      connection.assertAlive()
      if (!feed.fresh) throw new RollcallError('PRESENCE_OPERATION_FAILED', 'the node cannot vouch for this channel right now')
    }
    connection.subscriptions.set(key, subscription)
    return { request, subscription, version: request.beQuiet && feed !== null ? feed.replica.version : version, isNew, feed }
  } catch (error) {
    if (feed !== null) feeds.release(feed)
    throw error
  } finally {
    connection.unreserve(request)
  }
}

/** What will follow for this subscription; holds for the current turn of the event loop, in which it is settled. */
export function plan({ request, feed, isNew }: Opened): Plan {
  if (feed === null) return { result: 'unchanged', missed: null, returns: false }
  const returns = request.since !== null && request.since.life !== feed.replica.life
  // Changes do not tell a user of its own states, and a stay that begins anew has others than the one before.
  const missed = request.since === null || isNew ? null : feed.missedSince(request.since)
  if (missed === null) return { result: 'snapshot', missed, returns }
  return { result: missed.version === missed.previous ? 'unchanged' : 'changes', missed, returns }
}

/** Begins to send, or stops. To be called when the answer has been sent, for the answer comes first. */
export function settle(context: HandlerContext, connection: Connection, opened: Opened, { missed, returns }: Plan): void {
  const { subscription, feed } = opened
  if (!connection.alive) abandon(context, opened)
  else if (feed === null) connection.unwatch(subscription)
  else connection.watch(subscription, feed, missed, returns)
}

/** Gives up what {@link open} took, when there is nobody to settle it for. */
export function abandon(context: HandlerContext, { feed }: Opened): void {
  if (feed !== null) context.feeds.release(feed)
}

function authorize({ grant }: Connection, request: Subscribe, again: boolean): void {
  if (!request.beQuiet) demand(grant, 'join', request)
  if (request.withPresence) demand(grant, 'watch', request)
  if (request.states !== null && !again) demand(grant, 'state', request)
}

interface Placed {
  readonly version: number
  readonly isNew: boolean
}

/** Joins or leaves as asked for; answers the version from which on the channel shows it. */
async function placed(context: HandlerContext, connection: Connection, request: Subscribe, subscription: Subscription, again: boolean): Promise<Placed> {
  const { presence } = context
  if (!request.beQuiet) return joined(context, connection, request, subscription, again)
  const channel = ref(request)
  if (!subscription.member) return { version: presence.acknowledged(channel), isNew: false }
  const { version } = await connection.write(presence.leave(connection.session, channel))
  connection.assertAlive()
  subscription.member = false
  return { version, isNew: false }
}

async function joined({ presence }: HandlerContext, connection: Connection, request: Subscribe, subscription: Subscription, again: boolean): Promise<Placed> {
  const channel = ref(request)
  const hold = (): void => {
    subscription.member = true
    connection.subscriptions.set(keyOf(channel), subscription)
  }
  const states = connection.grant.can('state', channel) ? (request.states ?? undefined) : undefined
  try {
    const { version, isNew } = await connection.write(presence.join(connection.session, channel, states, again))
    connection.assertAlive()
    hold()
    return { version, isNew }
  } catch (error) {
    if (connection.alive && !subscription.member && isMember(connection, channel)) {
      // The join was done and the states were not. For good: then nothing shall have happened. For now: the client tries again.
      if (error instanceof RollcallError && !error.retryable) await connection.write(presence.leave(connection.session, channel)).catch(hold)
      else hold()
    }
    throw error
  }
}

function isMember({ session }: Connection, { channelName, channelType }: ChannelRef): boolean {
  return session.channels.some(({ name, type }) => name === channelName && type === channelType)
}

function ref({ channelName, channelType }: Subscribe): ChannelRef {
  return { channelName, channelType }
}
