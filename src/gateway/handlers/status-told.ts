import { RollcallError } from '../../protocol/errors.js'
import { parseBroadcastStatus, parseSendStatus } from '../../protocol/statuses-told.js'
import type { Connection } from '../connection.js'
import type { Handler } from '../requests.js'
import { inLine, type HandlerContext } from './context.js'

/** What a session says of itself is heard in the order in which it was said. */
const LINE = 'STATUS'
/** For so long, in seconds, one to some users may wait for the rate: half of the time that a client waits for its answer. */
const WAIT_S = 5

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

/**
 * Those over the rate wait for it. Who is asked how they are by many at once (`001.6`) answers each in a call of its own, and nobody asks
 * again: refused, the answer would be missing for good.
 */
export function sendStatus({ presence, broadcasts, limits }: HandlerContext): Handler {
  const waiting = new WeakMap<Connection, number>()
  const count = (connection: Connection, by: number): number => {
    const now = (waiting.get(connection) ?? 0) + by
    waiting.set(connection, now)
    return now
  }
  return {
    operation: 'sendStatus',
    waits: true,
    async handle(connection, payload, respond, slot) {
      const { userIds, fields } = parseSendStatus(payload, limits)
      let taken: Promise<void> | null = null
      if (!slot.free) {
        const most = WAIT_S * limits.callsPerSecond
        if (count(connection, 0) >= most) throw new RollcallError('RATE_EXCEEDED', `at most ${most} statuses wait for the rate`)
        count(connection, 1)
        taken = slot.next().finally(() => count(connection, -1))
        // It is awaited in its turn.
        taken.catch(() => undefined)
      }
      await inLine(connection, LINE, async () => {
        if (taken !== null) await taken
        presence.vouch(connection.session)
        respond({ failed: await connection.write(broadcasts.send(connection.userId, userIds, fields)) })
      })
    },
  }
}
