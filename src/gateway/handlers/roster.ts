import { parseAddFriend, parseGetRoster, parsePeer } from '../../protocol/roster.js'
import type { Writer } from '../../presence/roster.js'
import type { Connection } from '../connection.js'
import type { Handler } from '../requests.js'
import { inLine, type HandlerContext } from './context.js'

/** A session's requests about its roster take effect in the order in which they were sent. */
const LINE = 'ROSTER'

export function addFriend({ roster, limits }: HandlerContext): Handler {
  return {
    operation: 'addFriend',
    async handle(connection, payload, respond) {
      const { userId, message } = parseAddFriend(payload, limits)
      await inLine(connection, LINE, async () => respond(await connection.write(roster.add(writerOf(connection), userId, message))))
    },
  }
}

export function removeFriend({ roster, limits }: HandlerContext): Handler {
  return {
    operation: 'removeFriend',
    async handle(connection, payload, respond) {
      const { userId } = parsePeer(payload, limits)
      await inLine(connection, LINE, async () => {
        await connection.write(roster.remove(writerOf(connection), userId))
        respond({})
      })
    },
  }
}

export function blockUser({ roster, limits }: HandlerContext): Handler {
  return {
    operation: 'blockUser',
    async handle(connection, payload, respond) {
      const { userId } = parsePeer(payload, limits)
      await inLine(connection, LINE, async () => {
        await connection.write(roster.block(writerOf(connection), userId))
        respond({})
      })
    },
  }
}

export function getRoster({ roster }: HandlerContext): Handler {
  return {
    operation: 'getRoster',
    async handle(connection, payload, respond) {
      parseGetRoster(payload)
      await inLine(connection, LINE, async () => respond(await roster.list(connection.userId)))
    },
  }
}

function writerOf({ session }: Connection): Writer {
  return session
}
