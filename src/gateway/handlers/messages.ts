import { parseSendMessage } from '../../protocol/messages.js'
import type { Handler } from '../requests.js'
import { inLine, type HandlerContext } from './context.js'

/**
 * Answers when the message was received, or nobody waits for that any more. What a session sends to one user is taken in the order in which
 * it was sent; the next is not kept waiting for the acknowledgement of the one before.
 */
export function sendMessage({ messages, limits }: HandlerContext): Handler {
  return {
    operation: 'sendMessage',
    async handle(connection, payload, respond) {
      const request = parseSendMessage(payload, limits)
      const { timestamp, received } = await inLine(connection, `MESSAGE:${request.userId}`, () => connection.write(messages.send(connection.session, request)))
      respond(received.then((received) => ({ received, timestamp })))
    },
  }
}
