import type { UserStatus } from '../../presence/status.js'
import { parseQueryPeers, parseSubscribePeers, parseUnsubscribePeers } from '../../protocol/parse.js'
import { recordOf } from '../../protocol/record.js'
import type { Handler } from '../requests.js'
import { inLine, type HandlerContext } from './context.js'

/** Requests that move a connection's subscriptions take effect in the order in which they were sent. */
const LINE = 'PEERS'

/**
 * Who is there may be asked by whoever is logged in: a token's `channels` say who is where, which this does not. What the
 * answer says is from the node's table, in step with Redis; changes follow on it.
 */
export function subscribePeers({ peers, limits }: HandlerContext): Handler {
  return {
    operation: 'subscribePeers',
    async handle(connection, payload, respond) {
      const { userIds } = parseSubscribePeers(payload, limits)
      await inLine(connection, LINE, async () => {
        await peers.subscribe(connection, userIds, limits.peersPerClient)
        respond({ statuses: recordOf(userIds.map((userId) => [userId, peers.status(userId)])) })
      })
    },
  }
}

export function unsubscribePeers({ peers, limits }: HandlerContext): Handler {
  return {
    operation: 'unsubscribePeers',
    async handle(connection, payload, respond) {
      const { userIds } = parseUnsubscribePeers(payload, limits)
      await inLine(connection, LINE, async () => {
        peers.unsubscribe(connection, userIds)
        respond({})
        return Promise.resolve()
      })
    },
  }
}

/** From Redis: what was acknowledged before is seen. */
export function queryPeers({ presence, limits }: HandlerContext): Handler {
  return {
    operation: 'queryPeers',
    async handle(_connection, payload, respond) {
      const { userIds } = parseQueryPeers(payload, limits)
      const statuses = await presence.statuses(userIds)
      respond({ statuses: recordOf(userIds.map((userId, i): [string, UserStatus] => [userId, statuses[i] ?? { status: 'OFFLINE', lastSeen: null }])) })
    },
  }
}
