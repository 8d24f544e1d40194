import { Router } from 'express'

import { RollcallError } from '../protocol/errors.js'
import type { RestDeps } from './deps.js'
import { methodNotAllowed } from './errors.js'
import { queryText } from './query.js'

const DEFAULT_LIMIT = 100
const LIMIT_MAX = 1_000

/** `GET /webhooks/failed?limit`: what was given up, the newest first; `POST /webhooks/failed/{id}/resend?receiver` sends it once more, now. */
export function webhooks({ failedWebhooks }: Pick<RestDeps, 'failedWebhooks'>): Router {
  const router = Router()
  router
    .route('/webhooks/failed')
    .get(async (req, res) => {
      const limit = readLimit(queryText(req, 'limit'))
      res.json({ failed: (await failedWebhooks?.list(limit)) ?? [] })
    })
    .all(methodNotAllowed('GET'))
  router
    .route('/webhooks/failed/:id/resend')
    .post(async (req, res) => {
      const receiver = queryText(req, 'receiver')
      if (failedWebhooks === undefined) throw new RollcallError('NOT_FOUND', 'this node has no receivers')
      res.json({ id: req.params.id, receivers: await failedWebhooks.resend(req.params.id, receiver) })
    })
    .all(methodNotAllowed('POST'))
  return router
}

function readLimit(text: string | undefined): number {
  if (text === undefined) return DEFAULT_LIMIT
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0
  if (limit >= 1 && limit <= LIMIT_MAX) return limit
  throw new RollcallError('PRESENCE_INVALID_ARGUMENT', `limit is a whole number from 1 to ${LIMIT_MAX}`)
}
