import { RollcallError } from '../../protocol/errors.js'
import { parseGetState, parseRemoveState, parseSetState } from '../../protocol/parse.js'
import type { ChannelRef } from '../../protocol/channel.js'
import type { Connection } from '../connection.js'
import type { Handler } from '../requests.js'
import { StateCalls } from '../state-calls.js'
import { demand, inTurn, subscriptionTo, type HandlerContext } from './context.js'

/** The state changes of each connection wait together, whichever request they come by. */
export function stateCalls(context: HandlerContext): (connection: Connection) => StateCalls {
  const calls = new WeakMap<Connection, StateCalls>()
  return (connection) => {
    const known = calls.get(connection) ?? new StateCalls(connection, context)
    calls.set(connection, known)
    return known
  }
}

export function setState(context: HandlerContext, callsOf: ReturnType<typeof stateCalls>): Handler {
  return {
    operation: 'presenceSetState',
    waits: true,
    async handle(connection, payload, respond, slot) {
      const { states, ...channel } = parseSetState(payload, context.limits)
      respond(await callsOf(connection).change(channel, { set: states }, slot, () => assertWritable(connection, channel)))
    },
  }
}

export function removeState(context: HandlerContext, callsOf: ReturnType<typeof stateCalls>): Handler {
  return {
    operation: 'presenceRemoveState',
    waits: true,
    async handle(connection, payload, respond, slot) {
      const { keys, ...channel } = parseRemoveState(payload, context.limits)
      respond(await callsOf(connection).change(channel, { remove: keys }, slot, () => assertWritable(connection, channel)))
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
