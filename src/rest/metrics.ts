import { Router } from 'express'

import type { RestDeps } from './deps.js'
import { methodNotAllowed } from './errors.js'

/** `/metrics`, for Prometheus. */
export function metricsRoute({ metrics, renderMetrics }: Pick<RestDeps, 'metrics' | 'renderMetrics'>): Router {
  const router = Router()
  router
    .route('/metrics')
    .get(async (_req, res) => {
      const text = await (renderMetrics === undefined ? metrics.text() : renderMetrics())
      // Not `send` with a string: it would add a second charset.
      res.set('Content-Type', metrics.contentType).end(text)
    })
    .all(methodNotAllowed('GET'))
  return router
}
