import { Router } from 'express'

import type { RestDeps } from './deps.js'
import { methodNotAllowed } from './errors.js'

/** A probe that hangs is an answer too. */
const CHECK_MS = 2_000

/**
 * `/livez`: the process runs. `/readyz`: clients may be sent here; 503 while Redis does not answer commands, the
 * subscriber is silent or the node drains, with what of it holds.
 */
export function health(deps: Pick<RestDeps, 'draining' | 'ready' | 'store' | 'presence'>): Router {
  const router = Router()
  router
    .route('/livez')
    .get((_req, res) => {
      res.json({ status: 'alive', nodeId: deps.presence.nodeId })
    })
    .all(methodNotAllowed('GET'))
  router
    .route('/readyz')
    .get(async (_req, res) => {
      const draining = deps.draining()
      const [commands, service] = await Promise.all([holds(() => deps.store.ping()), holds(() => deps.ready())])
      const ready = commands && service && !draining
      res.status(ready ? 200 : 503).json({ status: ready ? 'ready' : 'unready', checks: { commands, service, draining } })
    })
    .all(methodNotAllowed('GET'))
  return router
}

async function holds(check: () => Promise<boolean | void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, CHECK_MS, false)
  })
  try {
    return (await Promise.race([check(), late])) !== false
  } catch {
    return false
  } finally {
    clearTimeout(timer)
  }
}
