import { createHash, randomBytes } from 'node:crypto'
import type { GatewayServer } from './types.js'

const TAG_LENGTH = 6
/** Engine.IO's own length: `@socket.io/sticky` looks for exactly that. */
const ID_LENGTH = 20
/** The response header by which a balancer learns whose the ids with a tag are (`deploy/haproxy.cfg`). */
const HEADER = 'X-Rollcall-Node'

/**
 * Engine.IO connection ids that begin with a tag of their node, and the header that names it: a balancer can send every
 * request of a connection to its node without cookies, and with one table entry a node. The rest of the id is random.
 */
export function tagConnections(io: GatewayServer, nodeId: string): void {
  const tag = createHash('sha256').update(nodeId).digest('base64url').slice(0, TAG_LENGTH)
  io.engine.generateId = () => tag + randomBytes(ID_LENGTH).toString('base64url').slice(0, ID_LENGTH - TAG_LENGTH)
  io.engine.on('headers', (headers: Record<string, string>) => {
    headers[HEADER] = tag
  })
}
