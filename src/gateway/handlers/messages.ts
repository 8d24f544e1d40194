import { parseSendMessage } from '../../protocol/messages.js'
import { RollcallError } from '../../protocol/errors.js'
import type { Handler } from '../requests.js'
import type { HandlerContext } from './context.js'

export function sendMessage({ limits }: HandlerContext): Handler {
  return {
    operation: 'sendMessage',
    handle(_connection, payload) {
      parseSendMessage(payload, limits)
      return Promise.reject(new RollcallError('PRESENCE_OPERATION_FAILED', 'messages are not served yet'))
    },
  }
}
