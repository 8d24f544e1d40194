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

export function removeFriend(context: HandlerContext): Handler {
  return about(context, 'removeFriend', (writer, userId) => context.roster.remove(writer, userId))
}

export function blockUser(context: HandlerContext): Handler {
  return about(context, 'blockUser', (writer, userId) => context.roster.block(writer, userId))
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

/** What names a user and has nothing to answer. */
function about({ limits }: HandlerContext, operation: string, write: (writer: Writer, userId: string) => Promise<void>): Handler {
  return {
    operation,
    async handle(connection, payload, respond) {
      const { userId } = parsePeer(payload, limits)
      await inLine(connection, LINE, async () => {
        await connection.write(write(writerOf(connection), userId))
        respond({})
      })
    },
  }
}

function writerOf({ session }: Connection): Writer {
  return session
}
