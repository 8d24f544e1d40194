import { randomUUID } from 'node:crypto'
import type { Logger } from '../log.js'
import { ERRORS, RollcallError } from '../protocol/errors.js'
import type { Connections } from './connections.js'
import type { GatewayServer } from './types.js'

/** How long the other nodes have to say how many sessions they ended. */
const ANSWER_MS = 2_000

interface Order {
  readonly id: string
  readonly userId: string
  readonly reason: string
}

interface Report {
  readonly id: string
  readonly sessions: number
}

/**
 * Ends all sessions of a user, on all nodes, as a logout. Each node does it for its own sockets and says how many there
 * were. The adapter's own acknowledgements are not used: one that cannot count the nodes rejects a promise that nobody
 * holds.
 */
export class Kicks {
  readonly #awaited = new Map<string, (sessions: number) => void>()

  constructor(
    private readonly io: GatewayServer,
    private readonly connections: Connections,
    private readonly log: Logger,
  ) {
    io.on('kick', (order) => {
      if (!isOrder(order)) return
      const report: Report = { id: order.id, sessions: this.#kickHere(order) }
      io.serverSideEmit('kickDone', report)
    })
    io.on('kickDone', (report) => {
      if (isReport(report)) this.#awaited.get(report.id)?.(report.sessions)
    })
  }

  /**
   * Answers the number of sessions that were reached: all of the user's that have a connection, or, when a node does not
   * answer in time, those that are known of. PRESENCE_OPERATION_FAILED when the other nodes cannot be asked.
   */
  async disconnectUser(userId: string, reason: string): Promise<number> {
    const order: Order = { id: randomUUID(), userId, reason }
    const here = this.#kickHere(order)
    return here + (await this.#kickElsewhere(order))
  }

  #kickHere({ userId, reason }: Order): number {
    const connections = this.connections.ofUser(userId).filter(({ alive }) => alive)
    for (const connection of connections) {
      // Whoever was kicked has to log in again.
      connection.socket.emit('kicked', { reason, errorCode: ERRORS.NOT_LOGIN.errorCode })
      connection.expel('kicked')
    }
    return connections.length
  }

  async #kickElsewhere(order: Order): Promise<number> {
    let others: number
    try {
      others = (await this.io.of('/').adapter.serverCount()) - 1
    } catch (error) {
      throw new RollcallError('PRESENCE_OPERATION_FAILED', 'the other nodes cannot be reached', '', { cause: error })
    }
    if (others <= 0) return 0
    return new Promise<number>((resolve) => {
      let sum = 0
      let missing = others
      const finish = (): void => {
        clearTimeout(timer)
        this.#awaited.delete(order.id)
        resolve(sum)
      }
      const timer = setTimeout(() => {
        this.log.warn({ missing }, 'not all nodes said how many sessions of a user they ended')
        finish()
      }, ANSWER_MS)
      this.#awaited.set(order.id, (sessions) => {
        sum += sessions
        if (--missing === 0) finish()
      })
      this.io.serverSideEmit('kick', order)
    })
  }
}

function isOrder(value: unknown): value is Order {
  const { id, userId, reason } = (value ?? {}) as Partial<Record<keyof Order, unknown>>
  return typeof id === 'string' && typeof userId === 'string' && typeof reason === 'string'
}

function isReport(value: unknown): value is Report {
  const { id, sessions } = (value ?? {}) as Partial<Record<keyof Report, unknown>>
  return typeof id === 'string' && typeof sessions === 'number'
}
