import { connect } from 'node:net'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

import { cleanEnvironment, freePort, ServerProcess } from './process.js'
import { until } from './wait.js'

export type ProbeQuestion = 'cpu' | 'memory' | 'profile' | 'profiled'

export interface ProbeAnswer {
  readonly cpuS?: number
  readonly rss?: number
  readonly heapUsed?: number
  readonly external?: number
  readonly arrayBuffers?: number
  readonly profile?: string
}

/** Where the bench's own bundles are: this file is part of one of them. */
export const BUNDLES = import.meta.dirname
export const ROOT = path.resolve(BUNDLES, '..', '..')

/** A server of a peer, in a Node process of its own that can be asked what it has used. */
export class ServerNode {
  #asked = 0
  readonly #waiting = new Map<number, { readonly resolve: (answer: ProbeAnswer) => void; readonly reject: (reason: Error) => void }>()

  private constructor(
    readonly port: number,
    readonly process: ServerProcess,
  ) {
    process.child.on('message', (answer: ProbeAnswer & { readonly id?: number }) => {
      if (answer.id === undefined) return
      this.#waiting.get(answer.id)?.resolve(answer)
      this.#waiting.delete(answer.id)
    })
    process.child.on('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`${process.what} ended:\n${process.tail}`))
    })
  }

  /** Starts `script` with `env`, which is told the port, and waits until `isReady`. */
  static async start(
    what: string,
    script: readonly string[],
    env: (port: number) => Readonly<Record<string, string>>,
    isReady: (port: number) => Promise<boolean>,
  ): Promise<ServerNode> {
    const port = await freePort()
    const probe = pathToFileURL(path.join(BUNDLES, 'probe.mjs')).href
    const name = `${what} :${port}`
    const started = await ServerProcess.start(name, process.execPath, ['--expose-gc', '--import', probe, ...script], {
      cwd: ROOT,
      ipc: true,
      env: { ...cleanEnvironment(), NODE_ENV: 'test', ...env(port) },
    })
    const ready = async (): Promise<boolean> => {
      if (!started.running) throw new Error(`${name} ended:\n${started.tail}`)
      return isReady(port)
    }
    await until(`${name} is ready`, ready).catch(async (error: unknown) => {
      await started.kill()
      throw new Error(`${name} did not become ready:\n${started.tail}`, { cause: error })
    })
    return new ServerNode(port, started)
  }

  /** Since the process began, by its own accounting. A process that is gone has none. */
  async cpuS(): Promise<number> {
    return this.process.running ? ((await this.#ask('cpu')).cpuS ?? 0) : 0
  }

  /** After a garbage collection, in bytes. */
  async memory(): Promise<{ readonly rss: number; readonly heap: number }> {
    const { rss = 0, heapUsed = 0, external = 0 } = await this.#ask('memory')
    return { rss, heap: heapUsed + external }
  }

  async startProfile(): Promise<void> {
    await this.#ask('profile')
  }

  /** The profile since {@link startProfile}, as Chrome's tools read it. */
  async takeProfile(): Promise<string> {
    return (await this.#ask('profiled')).profile ?? ''
  }

  async kill(): Promise<void> {
    await this.process.kill()
  }

  async #ask(bench: ProbeQuestion): Promise<ProbeAnswer> {
    const id = ++this.#asked
    const answer = new Promise<ProbeAnswer>((resolve, reject) => this.#waiting.set(id, { resolve, reject }))
    this.process.child.send({ bench, id })
    return answer
  }
}

/** Whether an HTTP server answers the path with 200. */
export async function answers(port: number, path: string): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}${path}`)).status === 200
  } catch {
    return false
  }
}

/** Whether somebody accepts connections. */
export function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
