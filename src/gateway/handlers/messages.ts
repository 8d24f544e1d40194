import { RollcallError } from '../../protocol/errors.js'
import { parseSendMessage } from '../../protocol/messages.js'
import type { Handler } from '../requests.js'
import { inLine, type HandlerContext } from './context.js'

/** For so long a message waits for those before it, in milliseconds: half of the time that a client waits for its answer. */
const LINE_MS = 5_000

/**
 * Answers when the message was received, or nobody waits for that any more. What a session sends to one user is taken in the order in which
 * it was sent; the next is not kept waiting for the acknowledgement of the one before.
 */
export function sendMessage({ presence, messages, limits }: HandlerContext): Handler {
  return {
    operation: 'sendMessage',
    async handle(connection, payload, respond) {
      const request = parseSendMessage(payload, limits)
      const asked = performance.now()
      const { timestamp, received } = await inLine(connection, `MESSAGE:${request.userId}`, () => {
        // Redis does not answer, one message after the other: the client has given this one up, or is about to.
        if (performance.now() - asked > LINE_MS) throw new RollcallError('PRESENCE_OPERATION_FAILED', 'it has waited too long for the messages before it')
        presence.vouch(connection.session)
        return connection.write(messages.send(connection.session, request))
      })
      respond(received.then((received) => ({ received, timestamp })))
    },
  }
}
