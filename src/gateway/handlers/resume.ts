import type { ResumeResult } from '../../protocol/requests.js'
import { parseResume, type Subscribe } from '../../protocol/parse.js'
import { RollcallError } from '../../protocol/errors.js'
import { keyOf, type Connection } from '../connection.js'
import type { Logger } from '../../log.js'
import { refusalOf } from '../refusal.js'
import type { Handler } from '../requests.js'
import type { HandlerContext } from './context.js'
import { abandon, open, plan, settle, type Opened, type Plan } from './subscription.js'

const OPERATION = 'resume'

/**
 * All channels of a client that was away, in one request: each is a subscribe, all at once, so that the store gets few
 * large batches. The answer says what follows for each channel, and that follows on the answer.
 */
export function resume(context: HandlerContext, log: Logger): Handler {
  return {
    operation: OPERATION,
    async handle(connection, payload, respond) {
      const requests = parseResume(payload, context.limits)
      const turns: (() => void)[] = []
      try {
        const opened = await Promise.all(requests.map((request) => openInTurn(context, connection, request, turns)))
        if (!connection.alive) {
          for (const one of opened) if (!(one instanceof Failed)) abandon(context, one)
          throw new RollcallError('PRESENCE_REQUEST_CANCELLED', 'the connection has ended')
        }
        const planned = opened.map((one) => (one instanceof Failed ? one : { opened: one, plan: plan(one) }))
        respond({ channels: planned.map((one) => resultOf(one, log)) })
        for (const one of planned) if (!(one instanceof Failed)) settle(context, connection, one.opened, one.plan)
      } finally {
        for (const leave of turns) leave()
      }
    },
  }
}

/** Why one channel could not be resumed; the others are not held up by it. */
class Failed {
  constructor(
    readonly request: Subscribe,
    readonly error: unknown,
  ) {}
}

async function openInTurn(context: HandlerContext, connection: Connection, request: Subscribe, turns: (() => void)[]): Promise<Opened | Failed> {
  turns.push(await connection.turns.enter(keyOf(request)))
  try {
    connection.assertAlive()
    return await open(context, connection, request, true)
  } catch (error) {
    return new Failed(request, error)
  }
}

function resultOf(one: Failed | { opened: Opened; plan: Plan }, log: Logger): ResumeResult {
  const { channelName, channelType } = one instanceof Failed ? one.request : one.opened.request
  if (one instanceof Failed) return { channelName, channelType, result: 'error', error: refusalOf(one.error, OPERATION, log) }
  return { channelName, channelType, result: one.plan.result, version: one.opened.version }
}
