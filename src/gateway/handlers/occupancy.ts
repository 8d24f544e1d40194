import { whoNow as pageOf } from '../../presence/occupancy.js'
import { RollcallError } from '../../protocol/errors.js'
import { parseWhereNow, parseWhoNow } from '../../protocol/parse.js'
import type { Handler } from '../requests.js'
import { clusterName, demand, inTurn, type HandlerContext } from './context.js'

/** From the node's feed, once that has seen what this node has acknowledged (`docs/architecture.md`, consistency). */
export function whoNow(context: HandlerContext): Handler {
  const { presence, feeds, limits } = context
  return {
    operation: 'presenceWhoNow',
    async handle(connection, payload, respond) {
      const { includedUserId, includedState, page, ...channel } = parseWhoNow(payload, limits)
      await inTurn(connection, channel, async () => {
        demand(connection.grant, 'watch', channel)
        const feed = await feeds.acquire(clusterName(presence.app, channel))
        try {
          await feed.atLeast(presence.acknowledged(channel))
          if (!feed.fresh) throw new RollcallError('PRESENCE_OPERATION_FAILED', 'the node cannot vouch for this channel right now')
          respond(pageOf(feed, { includedUserId, includedState, page }, limits))
        } finally {
          feeds.release(feed)
        }
      })
    },
  }
}

/** Only channels that the client may watch are told of, unless it asks where it is itself. */
export function whereNow(context: HandlerContext): Handler {
  return {
    operation: 'presenceWhereNow',
    async handle(connection, payload, respond) {
      const { userId } = parseWhereNow(payload, context.limits)
      const all = await context.presence.whereNow(userId)
      const channels = all.filter((channel) => userId === connection.userId || connection.grant.can('watch', channel))
      respond({ totalChannel: channels.length, channels })
    },
  }
}
