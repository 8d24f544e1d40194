import { Router } from 'express'

import { checkUserId } from '../protocol/names.js'
import { recordOf } from '../protocol/record.js'
import { bodyObject, userList, userListBody } from './body.js'
import type { RestDeps } from './deps.js'
import { methodNotAllowed } from './errors.js'
import type { NamedFunction } from './functions.js'

type StatusDeps = Pick<RestDeps, 'config' | 'presence'>

/** `GET /users/{userId}/status`, and `POST /status/query { userIds }` for many at once. */
export function status({ config: { limits }, presence }: StatusDeps): Router {
  const router = Router()
  router
    .route('/users/:userId/status')
    .get(async (req, res) => {
      const userId = checkUserId(req.params.userId, limits)
      const [found] = await presence.statuses([userId])
      res.json({ userId, ...found })
    })
    .all(methodNotAllowed('GET'))
  router
    .route('/status/query')
    .post(userListBody(limits), async (req, res) => {
      const userIds = userList(bodyObject(req), 'userIds', limits)
      const found = await presence.statuses(userIds)
      res.json({ statuses: recordOf(userIds.map((userId, i) => [userId, found[i]])) })
    })
    .all(methodNotAllowed('POST'))
  return router
}

/**
 * `getOnOffStatus({ peerIds })` (`003.3`): for each id, in order, `"1"` while the user is there or may come back, `"0"` for seven days
 * after that, and null for who was never seen, or not for so long.
 */
export function getOnOffStatus({ config: { limits }, presence }: StatusDeps): NamedFunction {
  return async ({ params }) => {
    const found = await presence.statuses(userList(params, 'peerIds', limits))
    return found.map(({ status, lastSeen }) => (status !== 'OFFLINE' ? '1' : lastSeen === null ? null : '0'))
  }
}
