import { readConfig, runNode } from '../../run-node.js'
import { runCluster } from '../cluster.js'
import type { Terminal } from '../terminal.js'

/** One node in this process, or `workers` of them behind one port. Resolves with the exit code when they have ended. */
export async function start({ workers, port }: { workers: number | undefined; port: number | undefined }, { env }: Terminal): Promise<number> {
  const given = port === undefined ? env : { ...env, PORT: String(port) }
  const config = readConfig(given)
  if (config === null) return 1
  return workers === undefined ? runNode(config) : runCluster(config, workers, given)
}
