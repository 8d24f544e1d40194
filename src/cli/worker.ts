import { createServer } from 'node:http'

import { setupWorker } from '@socket.io/sticky'

import { loadConfig, toOptions } from '../config.js'
import { createNode, type Node } from '../node.js'
import { messageOf } from '../run-node.js'
import { isOurs, type ToPrimary, type ToWorker } from './messages.js'

/** How long somebody may be silent in the middle of a request, in ms. Servers that do not listen have no other limit. */
const SILENCE_MS = 60_000

/**
 * One worker of `start --workers`: a node behind the primary's port. The primary has checked the environment, hands
 * over connections, ends the worker with SIGTERM, and takes it along when it dies itself (Node's cluster does).
 */
class Worker {
  readonly #pending = new Map<number, (text: string) => void>()
  readonly #beginning = new Map<string, () => void>()
  #reading: (() => Promise<unknown>) | null = null
  #requests = 0

  constructor() {
    process.on('message', (message: unknown) => {
      if (isOurs<ToWorker>(message)) this.#onPrimary(message)
    })
    // Ctrl-C goes to the whole process group; when to end is the primary's to say.
    process.on('SIGINT', () => undefined)
  }

  async run(): Promise<number> {
    const asked = new Promise<'asked'>((resolve) => {
      process.on('SIGTERM', () => resolve('asked'))
    })
    const config = loadConfig(process.env)
    const server = createServer()
    server.timeout = SILENCE_MS + config.pingIntervalMs
    const node = createNode({ ...toOptions(config), server, shareMetrics: (own) => this.#shareMetrics(own) })
    const started = node.listen()
    try {
      if ((await Promise.race([started, asked])) !== 'asked') {
        setupWorker(node.io)
        this.#announceSessions(node.io)
        send({ type: 'rollcall:ready' })
        await asked
      } else started.catch(() => undefined)
      await node.close()
      return 0
    } catch (error) {
      console.error(`rollcall: a worker ends: ${messageOf(error)}`)
      return 1
    }
  }

  /**
   * A client may make its second request before the balancer has heard from its worker where the session is, and be sent to another
   * worker, which does not know it. So the primary is told before the client is.
   */
  #announceSessions({ engine }: Node['io']): void {
    const generateId = engine.generateId.bind(engine)
    engine.generateId = async (request) => {
      const session: string = await generateId(request)
      await new Promise<void>((resolve) => {
        this.#beginning.set(session, resolve)
        send({ type: 'rollcall:session', session })
      })
      return session
    }
  }

  #onPrimary(message: ToWorker): void {
    if (message.type === 'rollcall:known') {
      this.#beginning.get(message.session)?.()
      this.#beginning.delete(message.session)
      return
    }
    if (message.type === 'rollcall:collected') {
      this.#pending.get(message.id)?.(message.text)
      this.#pending.delete(message.id)
      return
    }
    const { id } = message
    void (this.#reading?.() ?? Promise.resolve([])).then(
      (reading) => send({ type: 'rollcall:reading', id, reading }),
      () => send({ type: 'rollcall:reading', id, reading: [] }),
    )
  }

  /** The primary has the metrics of all: it asks each worker for its own. */
  #shareMetrics(own: () => Promise<unknown>): () => Promise<string> {
    this.#reading = own
    return () =>
      new Promise((resolve) => {
        const id = ++this.#requests
        this.#pending.set(id, resolve)
        send({ type: 'rollcall:collect', id })
      })
  }
}

function send(message: ToPrimary): void {
  // Without a primary there is nobody to tell, and this process is about to end.
  process.send?.(message, undefined, {}, () => undefined)
}

process.exit(await new Worker().run())
