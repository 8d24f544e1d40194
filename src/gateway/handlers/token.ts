import type { ChannelRef } from '../../protocol/channel.js'
import { parseRenewToken } from '../../protocol/parse.js'
import { keyOf, type Connection, type Subscription } from '../connection.js'
import type { Handler } from '../requests.js'
import { inTurn, type HandlerContext } from './context.js'

/**
 * A new token replaces the old one with all its rights: a subscription that it does not cover as it stands is ended, as
 * if the client had unsubscribed, and named in the answer as `ended`. A token that is refused changes nothing.
 */
export function renewToken(context: HandlerContext): Handler {
  return {
    operation: 'renewToken',
    async handle(connection, payload, respond) {
      const { token } = parseRenewToken(payload)
      const grant = await context.auth.verify(token, { userId: connection.userId }, false)
      connection.assertAlive()
      connection.renew(grant)
      respond({ ended: await endUncovered(context, connection) })
    },
  }
}

async function endUncovered(context: HandlerContext, connection: Connection): Promise<readonly ChannelRef[]> {
  const ended: ChannelRef[] = []
  // What is being subscribed to right now was allowed by the old token, so it is looked at when that is done.
  await Promise.all(
    connection.channelsInUse().map((channel) =>
      inTurn(connection, channel, async () => {
        const subscription = connection.subscriptions.get(keyOf(channel))
        if (subscription === undefined || covers(connection, subscription)) return
        if (subscription.member) {
          await connection.write(context.presence.leave(connection.session, channel))
          connection.assertAlive()
        }
        connection.unwatch(subscription)
        connection.subscriptions.delete(keyOf(channel))
        ended.push(channel)
      }),
    ),
  )
  return ended
}

function covers({ grant }: Connection, { channel, member, feed }: Subscription): boolean {
  return (!member || grant.can('join', channel)) && (feed === null || grant.can('watch', channel))
}
