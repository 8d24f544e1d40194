import { RollcallError } from '../../protocol/errors.js'
import { parseAnswerInvitation, parseCancelInvitation, parseGetInvitations, parseInvite } from '../../protocol/invitations.js'
import type { Limits } from '../../protocol/limits.js'
import type { Handler } from '../requests.js'
import type { HandlerContext } from './context.js'

export function invite({ limits }: HandlerContext): Handler {
  return unready('invite', limits, parseInvite)
}

export function cancelInvitation({ limits }: HandlerContext): Handler {
  return unready('cancelInvitation', limits, parseCancelInvitation)
}

export function acceptInvitation({ limits }: HandlerContext): Handler {
  return unready('acceptInvitation', limits, parseAnswerInvitation)
}

export function refuseInvitation({ limits }: HandlerContext): Handler {
  return unready('refuseInvitation', limits, parseAnswerInvitation)
}

export function getInvitations({ limits }: HandlerContext): Handler {
  return unready('getInvitations', limits, parseGetInvitations)
}

function unready(operation: string, limits: Limits, parse: (payload: unknown, limits: Limits) => unknown): Handler {
  return {
    operation,
    handle(_connection, payload) {
      parse(payload, limits)
      return Promise.reject(new RollcallError('PRESENCE_OPERATION_FAILED', 'invitations are not served yet'))
    },
  }
}
