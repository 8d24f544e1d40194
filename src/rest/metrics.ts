import { Router } from 'express'

import type { RestDeps } from './deps.js'
import { methodNotAllowed } from './errors.js'

/** `/metrics`, for Prometheus: in this one spelling, which is what a load balancer's rule keeps from the public. */
export function metricsRoute({ metrics, renderMetrics }: Pick<RestDeps, 'metrics' | 'renderMetrics'>): Router {
  const router = Router({ caseSensitive: true, strict: true })
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
