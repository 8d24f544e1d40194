import { setTimeout as pause } from 'node:timers/promises'

import type { Inspector, PartitionLeases } from '../../store/index.js'
import { fail, ok, warn, type Check } from './check.js'

/** A node that is starting or leaving looks wrong for a moment: what is wrong is still so after this, in ms. */
const LONGEST_PAUSE_MS = 5_000
const NODES_NAMED = 10

interface Expected {
  readonly partitions: number
  readonly heartbeatMs: number
  readonly heartbeatTtlMs: number
  /** The node that answered over HTTP, if one did. */
  readonly answering: string | null
}

/** The nodes that there are, and whether each keeps a lease in every partition. */
export async function leases(inspector: Inspector, expected: Expected): Promise<Check> {
  const first = judge(await look(inspector, expected.partitions), expected)
  if (first.status === 'ok') return first
  await pause(Math.min(2 * expected.heartbeatMs, LONGEST_PAUSE_MS))
  return judge(await look(inspector, expected.partitions), expected)
}

async function look(inspector: Inspector, partitions: number): Promise<readonly PartitionLeases[]> {
  return Promise.all(Array.from({ length: partitions }, (_, partition) => inspector.leases(partition)))
}

function judge(seen: readonly PartitionLeases[], { partitions, heartbeatTtlMs, answering }: Expected): Check {
  const name = 'leases'
  const held = new Map<string, { partitions: number; shortestMs: number; memberships: number }>()
  const ended = new Set<string>()
  for (const { clock, idleMs, rows } of seen) {
    // The partition's clock moves with the nodes' heartbeats: where none comes, it stands still, and no lease runs out by it.
    const stale = idleMs === null || idleMs > heartbeatTtlMs
    for (const { node, leaseEnd, owned } of rows) {
      const leftMs = Math.round((leaseEnd - clock) / 1_000) - (idleMs ?? 0)
      if (stale || leftMs <= 0) ended.add(node)
      else {
        const known = held.get(node) ?? { partitions: 0, shortestMs: Infinity, memberships: 0 }
        held.set(node, { partitions: known.partitions + 1, shortestMs: Math.min(known.shortestMs, leftMs), memberships: known.memberships + owned })
      }
    }
  }
  if (answering !== null && !held.has(answering)) {
    return fail(name, `the node that answers at --url (${answering}) has no lease in this Redis`, 'It uses another Redis than this environment names: compare REDIS_URL and what else begins with REDIS_.')
  }
  if (held.size === 0) {
    return warn(name, ended.size === 0 ? 'no node runs on this Redis' : `no node runs on this Redis; ${ended.size} did`, 'Start one, or compare REDIS_URL here with that of the nodes.')
  }
  const nodes = [...held].sort(([a], [b]) => (a < b ? -1 : 1))
  const partial = nodes.filter(([, { partitions: count }]) => count < partitions)
  if (partial.length > 0) {
    const those = partial.map(([node, { partitions: count }]) => `${node} in ${count} of ${partitions}`).join(', ')
    return fail(name, `nodes without a lease in every partition: ${those}`, 'Its heartbeats do not get through to some of Redis: see the node\'s log and rollcall_heartbeats_total{outcome="failed"}.')
  }
  const gone = [...ended].filter((node) => !held.has(node))
  if (gone.length > 0) {
    return warn(name, `${held.size} nodes hold leases; of ${gone.join(', ')} there are leases that have ended`, 'The others clear that up within some heartbeats; if it stays, see their logs.')
  }
  const listed = nodes.slice(0, NODES_NAMED).map(([node, { shortestMs, memberships }]) => `${node} (${(shortestMs / 1_000).toFixed(1)} s left, memberships: ${memberships})`)
  return ok(name, `nodes: ${held.size}, each with a lease in all ${partitions} partitions: ${listed.join(', ')}${nodes.length > NODES_NAMED ? ', …' : ''}`)
}
