import cluster, { type Worker } from 'node:cluster'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'

import { setupMaster } from '@socket.io/sticky'

import type { Config } from '../config.js'
import { createLogger, type Logger } from '../log.js'
import { banner, messageOf, Signals } from '../run-node.js'
import { stopReadingAtHandover } from './handover.js'
import { holdUntilReady } from './held.js'
import { isOurs, tell, type ToPrimary } from './messages.js'
import { MetricsRounds } from './metrics-round.js'

/** A worker that has lived this long was well: the next death is its first, in ms. */
const WELL_MS = 30_000
const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 30_000
/** What ending may take beyond the time that clients are given to leave, in ms. */
const CLOSE_MS = 15_000

type Env = Readonly<Record<string, string | undefined>>

/**
 * Several nodes behind one port: this process, the primary, listens and hands each connection to a worker, one of the
 * same Engine.IO session always to the same. A worker that dies is replaced.
 *
 * A connection is handed over by its first bytes. So answers end their connection (no keep-alive), and what a client
 * posts goes through the primary; WebSockets are passed on as they are and cost the primary nothing more.
 *
 * @returns the exit code: 0 after a signal, 1 when the port is taken or a worker did not end in time
 */
export async function runCluster(config: Config, workers: number, env: Env): Promise<number> {
  const signals = new Signals()
  const server = createServer()
  try {
    setupMaster(server, { loadBalancingMethod: 'least-connection' })
    stopReadingAtHandover(server)
    const port = await listen(server, config)
    const pool = new WorkerPool(env, createLogger(config.logLevel, { primary: process.pid }))
    pool.start(workers)
    if ((await Promise.race([pool.ready, signals.first])) !== undefined) {
      console.error(`${banner(config, port)}\n${workers} workers share it.`)
      await signals.first
    }
    return await Promise.race([pool.end(config.drainMs + CLOSE_MS), signals.second.then((code) => (pool.kill(), code))])
  } catch (error) {
    console.error(`rollcall: ${messageOf(error)}`)
    return 1
  } finally {
    signals.forget()
    server.close()
    server.closeAllConnections()
  }
}

/** The workers, each in a slot with a number that its replacement takes over. */
class WorkerPool {
  /** Resolves with true when the first worker can serve clients. */
  readonly ready: Promise<true>
  readonly #slots = new Map<Worker, string>()
  /** Those that have started but cannot serve yet, with what to call when they can. */
  readonly #starting = new Map<Worker, () => void>()
  readonly #failures = new Map<string, number>()
  readonly #pauses = new Set<NodeJS.Timeout>()
  #onReady: (value: true) => void = () => undefined
  #onAllGone: () => void = () => undefined
  #ending = false

  constructor(
    private readonly env: Env,
    private readonly log: Logger,
  ) {
    this.ready = new Promise((resolve) => {
      this.#onReady = resolve
    })
    const metrics = new MetricsRounds(() => new Map([...this.#slots].filter(([worker]) => !this.#starting.has(worker))))
    // The balancer sends chunks of requests, which plain JSON would mangle.
    cluster.setupPrimary({ exec: fileURLToPath(new URL('worker.js', import.meta.url)), args: [], serialization: 'advanced' })
    cluster.on('message', (worker, message: unknown) => {
      if (!isOurs<ToPrimary>(message)) return
      if (message.type === 'rollcall:ready') this.#serves(worker)
      else if (message.type === 'rollcall:session') expect(worker, message.session)
      else metrics.onMessage(worker, message)
    })
  }

  start(count: number): void {
    for (let slot = 1; slot <= count; slot++) this.#fork(String(slot))
  }

  /** Lets all end, as a node does on a signal; insists after `ms`. Resolves with the exit code. */
  async end(ms: number): Promise<number> {
    this.#ending = true
    for (const pause of this.#pauses) clearTimeout(pause)
    const gone = new Promise<void>((resolve) => {
      this.#onAllGone = resolve
    })
    if (this.#slots.size === 0) return 0
    let code = 0
    const timer = setTimeout(() => {
      console.error(`rollcall: ${this.#slots.size} of the workers did not end within ${ms} ms`)
      code = 1
      this.kill()
    }, ms)
    // Not `worker.kill`: that closes the channel first, and whoever loses it ends at once.
    for (const worker of this.#slots.keys()) worker.process.kill('SIGTERM')
    await gone
    clearTimeout(timer)
    return code
  }

  kill(): void {
    this.#ending = true
    for (const worker of this.#slots.keys()) worker.process.kill('SIGKILL')
  }

  #serves(worker: Worker): void {
    this.#starting.get(worker)?.()
    this.#starting.delete(worker)
    this.#onReady(true)
  }

  #fork(slot: string): void {
    const worker = cluster.fork(this.env)
    const born = performance.now()
    this.#slots.set(worker, slot)
    this.#starting.set(worker, holdUntilReady(worker))
    worker.once('exit', (code: number | null, signal: string | null) => {
      this.#slots.delete(worker)
      this.#starting.delete(worker)
      if (!this.#ending) this.#replace(slot, performance.now() - born, signal ?? code)
      else if (this.#slots.size === 0) this.#onAllGone()
    })
    worker.on('error', (error) => this.log.warn({ err: error, worker: slot }, 'a worker cannot be reached'))
  }

  #replace(slot: string, livedMs: number, status: string | number | null): void {
    const failures = livedMs > WELL_MS ? 0 : (this.#failures.get(slot) ?? 0)
    this.#failures.set(slot, failures + 1)
    // Half of it by chance: workers that died of one cause do not all come back in one instant.
    const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures) * (0.5 + Math.random() / 2)
    this.log.error({ worker: slot, status, pauseMs: Math.round(pauseMs) }, 'a worker ended and is replaced')
    const pause = setTimeout(() => {
      this.#pauses.delete(pause)
      this.#fork(slot)
    }, pauseMs)
    this.#pauses.add(pause)
  }
}

async function listen(server: Server, { host, port }: Config): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
  return (server.address() as AddressInfo).port
}

/** Tells the balancer where a session will be, as its worker does once it is there; that counts the connection, this does not. */
function expect(worker: Worker & { clientsCount?: number }, session: string): void {
  cluster.emit('message', worker, { type: 'sticky:connection', data: session })
  worker.clientsCount = (worker.clientsCount ?? 1) - 1
  tell(worker, { type: 'rollcall:known', session })
}
