import { Router } from 'express'

import type { RestDeps } from './deps.js'
import { methodNotAllowed } from './errors.js'

interface NodeRow {
  readonly nodeId: string
  /** How long the node's shortest lease still runs, in ms; 0: it has ended and its memberships are being swept. */
  readonly leaseMs: number
  readonly memberships: number
  readonly self: boolean
}

/** `GET /nodes`: every node that Redis knows, over all partitions. */
export function nodes({ store, presence }: Pick<RestDeps, 'store' | 'presence'>): Router {
  const router = Router()
  router
    .route('/nodes')
    .get(async (_req, res) => {
      const partitions = await Promise.all(Array.from({ length: store.partitions }, (_, partition) => store.leases(partition)))
      const rows = new Map<string, NodeRow>()
      for (const { clock, rows: leases } of partitions) {
        for (const { node: nodeId, leaseEnd, owned } of leases) {
          const leaseMs = Math.max(0, Math.round((leaseEnd - clock) / 1_000))
          const known = rows.get(nodeId) ?? { leaseMs, memberships: 0 }
          rows.set(nodeId, {
            nodeId,
            leaseMs: Math.min(known.leaseMs, leaseMs),
            memberships: known.memberships + owned,
            self: nodeId === presence.nodeId,
          })
        }
      }
      res.json({ nodes: [...rows.values()].sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1)) })
    })
    .all(methodNotAllowed('GET'))
  return router
}
