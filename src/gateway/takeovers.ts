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
  readonly onRemoved: (userId: string, session: string, attach: number, removal: Removal) => void
}

/**
 * Tells other nodes that a session of theirs has a newer connection here, or was ended for good. What one turn of the event loop brings
 * goes as one message: when a node dies, all its clients come back at once. A node that does not get it learns it from Redis.
 */
export class Takeovers {
  #waiting = new Map<string, Takeover[]>()

  constructor(private readonly options: TakeoversOptions) {
    options.io.on('superseded', (told) => {
      for (const [userId, session, attach, removal] of (told as Readonly<Record<string, readonly Takeover[]>>)[options.nodeId] ?? []) {
        if (removal === undefined) options.onTaken(userId, session, attach)
        else options.onRemoved(userId, session, attach, removal)
      }
    })
  }

  /** @param node where the session's older connection is */
  tell(node: string, { userId, id, attach }: Session): void {
    this.#add(node, [userId, id, attach])
  }

  /** @param node where the session is that was ended for good */
  tellRemoved(node: string, userId: string, { session, attach }: Removed, removal: Removal): void {
    this.#add(node, [userId, session, attach, removal])
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
