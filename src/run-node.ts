import { ConfigError, loadConfig, toOptions, type Config } from './config.js'
import { createNode } from './node.js'

/** What closing may take beyond the time that clients are given to leave, in ms. */
const CLOSE_MS = 10_000

/**
 * One node as a process: from the environment, until SIGTERM or SIGINT. The first signal lets it say goodbye to its
 * clients, the second one does not wait for that.
 *
 * @returns the exit code: 0 after a signal, 1 when it could not start or not close in time, 130 after a second signal
 */
export async function runNode(config: Config): Promise<number> {
  const node = createNode(toOptions(config))
  const signals = new Signals()
  try {
    const started = node.listen()
    const first = await Promise.race([started, signals.first])
    if (first === undefined) started.catch(() => undefined)
    else {
      console.error(banner(config, first.port))
      await signals.first
    }
    return await Promise.race([inTime(node.close(), config.drainMs + CLOSE_MS), signals.second])
  } catch (error) {
    console.error(`rollcall: ${messageOf(error)}`)
    await inTime(node.close(), CLOSE_MS).catch(() => undefined)
    return 1
  } finally {
    signals.forget()
  }
}

/** The configuration of this process, or null with the reasons on standard error. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config | null {
  try {
    return loadConfig(env)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    console.error(`rollcall: ${error.message}`)
    return null
  }
}

/** What a person at the terminal should know of a node that runs. */
export function banner(config: Pick<Config, 'host' | 'development'>, port: number): string {
  const host = config.host === '0.0.0.0' || config.host === '::' ? '127.0.0.1' : config.host
  const lines = [`Rollcall listens on ${config.host}, port ${port}. See who is there: http://${host.includes(':') ? `[${host}]` : host}:${port}/demo`]
  if (config.development) {
    lines.push('DEVELOPMENT MODE: anybody can log in as anybody, from any origin. ROLLCALL_SECRET (32 bytes or more) ends it.')
  }
  return lines.join('\n')
}

/** Every message on the way to the cause: "cannot reach Redis: connect ECONNREFUSED 127.0.0.1:6379". */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const own = error instanceof AggregateError && error.message === '' ? error.errors.map(messageOf).join(', ') : error.message
  const cause = error.cause === undefined ? '' : messageOf(error.cause)
  return cause === '' || own.includes(cause) ? own : `${own}: ${cause}`
}

/** The signals that end a process, for as long as somebody listens. */
export class Signals {
  readonly first: Promise<undefined>
  /** Resolves with the exit code of the impatient. */
  readonly second: Promise<number>
  readonly #onSignal: () => void

  constructor() {
    const { promise: first, resolve: onFirst } = withResolver<undefined>()
    const { promise: second, resolve: onSecond } = withResolver<number>()
    let seen = 0
    this.first = first
    this.second = second
    this.#onSignal = () => {
      if (++seen === 1) onFirst(undefined)
      else onSecond(130)
    }
    process.on('SIGTERM', this.#onSignal).on('SIGINT', this.#onSignal)
  }

  forget(): void {
    process.off('SIGTERM', this.#onSignal).off('SIGINT', this.#onSignal)
  }
}

function withResolver<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined
  const promise = new Promise<T>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}

async function inTime(closing: Promise<void>, ms: number): Promise<number> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<number>((resolve) => {
    timer = setTimeout(() => {
      console.error(`rollcall: the node did not close within ${ms} ms`)
      resolve(1)
    }, ms)
  })
  try {
    return await Promise.race([closing.then(() => 0), late])
  } finally {
    clearTimeout(timer)
  }
}
