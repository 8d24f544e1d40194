import type { Session } from '../presence/service.js'
import type { GatewayServer } from './types.js'

/** A session as another node is told of it: who, which session, and the number of its newer connection. */
type Takeover = readonly [userId: string, session: string, attach: number]

export interface TakeoversOptions {
  readonly io: GatewayServer
  readonly nodeId: string
  /** One of this node's sessions has a newer connection elsewhere. */
  readonly onTaken: (...takeover: Takeover) => void
}

/**
 * Tells other nodes that a session of theirs has a newer connection here. What one turn of the event loop brings goes as one
 * message: when a node dies, all its clients come back at once.
 */
export class Takeovers {
  #waiting = new Map<string, Takeover[]>()

  constructor(private readonly options: TakeoversOptions) {
    options.io.on('superseded', (told) => {
      for (const takeover of (told as Readonly<Record<string, readonly Takeover[]>>)[options.nodeId] ?? []) options.onTaken(...takeover)
    })
  }

  /** @param node where the session's older connection is */
  tell(node: string, { userId, id, attach }: Session): void {
    if (this.#waiting.size === 0) setImmediate(() => this.#flush())
    const known = this.#waiting.get(node)
    if (known === undefined) this.#waiting.set(node, [[userId, id, attach]])
    else known.push([userId, id, attach])
  }

  #flush(): void {
    const told = Object.fromEntries(this.#waiting)
    this.#waiting = new Map()
    this.options.io.serverSideEmit('superseded', told)
  }
}
