import { parseChannel, parseSubscribe } from '../../protocol/parse.js'
import { keyOf } from '../connection.js'
import type { Handler } from '../requests.js'
import { inTurn, subscriptionTo, type HandlerContext } from './context.js'
import { open, plan, settle } from './subscription.js'

export function subscribe(context: HandlerContext): Handler {
  return {
    operation: 'subscribe',
    async handle(connection, payload, respond) {
      const request = parseSubscribe(payload, context.limits)
      await inTurn(connection, request, async () => {
        const opened = await open(context, connection, request)
        const planned = plan(opened)
        respond({ version: opened.version })
        settle(context, connection, opened, planned)
      })
    },
  }
}

export function unsubscribe(context: HandlerContext): Handler {
  return {
    operation: 'unsubscribe',
    async handle(connection, payload, respond) {
      const channel = parseChannel(payload, context.limits)
      await inTurn(connection, channel, async () => {
        const subscription = subscriptionTo(connection, channel)
        // First what can fail: until it has succeeded the subscription is what it was.
        if (subscription.member) {
          await connection.write(context.presence.leave(connection.session, channel))
          connection.assertAlive()
        }
        connection.unwatch(subscription)
        connection.subscriptions.delete(keyOf(channel))
        respond({})
      })
    },
  }
}
