import { parseAnswerInvitation, parseCancelInvitation, parseGetInvitations, parseInvite } from '../../protocol/invitations.js'
import type { Handler } from '../requests.js'
import { inLine, type HandlerContext } from './context.js'

export function invite({ presence, calls, limits }: HandlerContext): Handler {
  return {
    operation: 'invite',
    async handle(connection, payload, respond) {
      const request = parseInvite(payload, limits)
      await inLine(connection, lineOf(request.id), async () => {
        presence.vouch(connection.session)
        respond({ invitation: await connection.write(calls.invite(connection, request)) })
      })
    },
  }
}

export function cancelInvitation({ invitations, limits }: HandlerContext): Handler {
  return {
    operation: 'cancelInvitation',
    async handle(connection, payload, respond) {
      const ref = parseCancelInvitation(payload, limits)
      await inLine(connection, lineOf(ref.id), async () => respond({ invitation: await connection.write(invitations.cancel(connection, ref)) }))
    },
  }
}

export function acceptInvitation(context: HandlerContext): Handler {
  return answer(context, 'acceptInvitation', 'accept')
}

export function refuseInvitation(context: HandlerContext): Handler {
  return answer(context, 'refuseInvitation', 'refuse')
}

/** From Redis: what was acknowledged before, on whichever node, is seen. */
export function getInvitations({ calls, limits }: HandlerContext): Handler {
  return {
    operation: 'getInvitations',
    async handle(connection, payload, respond) {
      respond({ invitations: await calls.get(connection, parseGetInvitations(payload, limits)) })
    },
  }
}

function answer({ invitations, limits }: HandlerContext, operation: string, kind: 'accept' | 'refuse'): Handler {
  return {
    operation,
    async handle(connection, payload, respond) {
      const request = parseAnswerInvitation(payload, limits)
      await inLine(connection, lineOf(request.id), async () => respond({ invitation: await connection.write(invitations.answer(connection, kind, request)) }))
    },
  }
}

/** A session's requests about one invitation take effect in the order in which they were sent. */
function lineOf(id: string): string {
  return `INVITATION:${id}`
}
