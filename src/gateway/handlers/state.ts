import { RollcallError } from '../../protocol/errors.js'
import { parseGetState, parseRemoveState, parseSetState } from '../../protocol/parse.js'
import type { ChannelRef } from '../../protocol/channel.js'
import type { Connection } from '../connection.js'
import type { Handler } from '../requests.js'
import { demand, inTurn, subscriptionTo, type HandlerContext } from './context.js'

export function setState(context: HandlerContext): Handler {
  return {
    operation: 'presenceSetState',
    async handle(connection, payload, respond) {
      const { states, ...channel } = parseSetState(payload, context.limits)
      await inTurn(connection, channel, async () => {
        assertWritable(connection, channel)
        const { version } = await connection.write(context.presence.setState(connection.session, channel, states))
        respond({ version })
      })
    },
  }
}

export function removeState(context: HandlerContext): Handler {
  return {
    operation: 'presenceRemoveState',
    async handle(connection, payload, respond) {
      const { keys, ...channel } = parseRemoveState(payload, context.limits)
      await inTurn(connection, channel, async () => {
        assertWritable(connection, channel)
        const { version } = await connection.write(context.presence.removeState(connection.session, channel, keys))
        respond({ version })
      })
    },
  }
}

/** Reading somebody else's state tells that they are there, and so needs the right to watch; one's own does not. */
export function getState(context: HandlerContext): Handler {
  return {
    operation: 'presenceGetState',
    async handle(connection, payload, respond) {
      const { userId, ...channel } = parseGetState(payload, context.limits)
      await inTurn(connection, channel, async () => {
        if (userId !== connection.userId) demand(connection.grant, 'watch', channel)
        const states = await context.presence.getState(channel, userId)
        respond({ userId, states, statesCount: Object.keys(states).length })
      })
    },
  }
}

function assertWritable(connection: Connection, channel: ChannelRef): void {
  const subscription = subscriptionTo(connection, channel)
  if (!subscription.member) throw new RollcallError('PRESENCE_NOT_WRITABLE', 'a quiet subscriber has no state')
  demand(connection.grant, 'state', channel)
}
