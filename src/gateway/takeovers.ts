import type { Removal } from '../presence/local-session.js'
import type { Session } from '../presence/service.js'
import type { Removed } from '../presence/types.js'
import type { GatewayServer } from './types.js'

/**
 * A session as another node is told of it: who, which session, and the number of its newer connection; or of its last one, and why it
 * was ended for good.
 */
type Takeover = readonly [userId: string, session: string, attach: number, removal?: Removal]

export interface TakeoversOptions {
  readonly io: GatewayServer
  readonly nodeId: string
  /** One of this node's sessions has a newer connection elsewhere. */
  readonly onTaken: (userId: string, session: string, attach: number) => void
  /** A session was ended for good, wherever its connection was, if it had one. */
  readonly onRemoved: (userId: string, session: string, attach: number, removal: Removal) => void
}

/** Stands for the node of a session that had no connection. */
const NOWHERE = ''

/**
 * Tells other nodes that a session of theirs has a newer connection here, or was ended for good. What one turn of the event loop brings
 * goes as one message: when a node dies, all its clients come back at once. A node that does not get it learns it from Redis.
 */
export class Takeovers {
  #waiting = new Map<string, Takeover[]>()

  constructor(private readonly options: TakeoversOptions) {
    options.io.on('superseded', (told) => {
      for (const [node, takeovers] of Object.entries(told as Readonly<Record<string, readonly Takeover[]>>)) {
        for (const [userId, session, attach, removal] of takeovers) {
          if (removal !== undefined) options.onRemoved(userId, session, attach, removal)
          else if (node === options.nodeId) options.onTaken(userId, session, attach)
        }
      }
    })
  }

  /** @param node where the session's older connection is */
  tell(node: string, { userId, id, attach }: Session): void {
    this.#add(node, [userId, id, attach])
  }

  /** Tells all nodes, this one too: those of whoever the session has called have something to do as well. */
  tellRemoved(userId: string, { node, session, attach }: Removed, removal: Removal): void {
    this.options.onRemoved(userId, session, attach, removal)
    this.#add(node ?? NOWHERE, [userId, session, attach, removal])
  }

  #add(node: string, takeover: Takeover): void {
    if (this.#waiting.size === 0) setImmediate(() => this.#flush())
    const known = this.#waiting.get(node)
    if (known === undefined) this.#waiting.set(node, [takeover])
    else known.push(takeover)
  }

  #flush(): void {
    const told = Object.fromEntries(this.#waiting)
    this.#waiting = new Map()
    this.options.io.serverSideEmit('superseded', told)
  }
}
