import { parseBroadcastStatus, parseSendStatus } from '../../protocol/statuses-told.js'
import type { Handler } from '../requests.js'
import { inLine, type HandlerContext } from './context.js'

/** What a session says of itself is heard in the order in which it was said. */
const LINE = 'STATUS'

export function broadcastStatus({ presence, broadcasts, limits }: HandlerContext): Handler {
  return {
    operation: 'broadcastStatus',
    async handle(connection, payload, respond) {
      const fields = parseBroadcastStatus(payload, limits)
      await inLine(connection, LINE, async () => {
        presence.vouch(connection.session)
        await connection.write(broadcasts.broadcast(connection.userId, fields))
        respond({})
      })
    },
  }
}

export function sendStatus({ presence, broadcasts, limits }: HandlerContext): Handler {
  return {
    operation: 'sendStatus',
    async handle(connection, payload, respond) {
      const { userIds, fields } = parseSendStatus(payload, limits)
      await inLine(connection, LINE, async () => {
        presence.vouch(connection.session)
        respond({ failed: await connection.write(broadcasts.send(connection.userId, userIds, fields)) })
      })
    },
  }
}
