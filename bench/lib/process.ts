import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'

/** A process that a run started, with what it has said so far. */
export class ServerProcess {
  readonly pid: number
  readonly #exited: Promise<unknown>
  #output = ''

  private constructor(
    readonly what: string,
    readonly child: ChildProcess,
    private readonly guard: ChildProcess,
  ) {
    this.pid = child.pid ?? 0
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-256_000)
      })
    }
    this.#exited = once(child, 'exit')
  }

  /**
   * Starts a process that ends when this one does, however this one ends: its guard is a shell that waits for the end of a
   * pipe that only this process holds open.
   */
  static async start(what: string, command: string, args: readonly string[], options: { env?: NodeJS.ProcessEnv; cwd?: string; ipc?: boolean } = {}): Promise<ServerProcess> {
    const { ipc = false, ...rest } = options
    const child = spawn(command, args, { ...rest, stdio: ['ignore', 'pipe', 'pipe', ...(ipc ? ['ipc' as const] : [])] })
    await once(child, 'spawn')
    const guard = spawn('/bin/sh', ['-c', 'cat >/dev/null; kill -9 "$1" 2>/dev/null', 'guard', String(child.pid)], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
    return new ServerProcess(what, child, guard)
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null
  }

  get output(): string {
    return this.#output
  }

  /** The last lines of its output, for a failure's message. */
  get tail(): string {
    return this.#output.split('\n').slice(-20).join('\n')
  }

  async kill(): Promise<void> {
    if (this.running) this.child.kill('SIGKILL')
    await this.#exited
    this.guard.kill('SIGKILL')
  }
}

/** A port that is free on 127.0.0.1 right now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** The environment of this process without what could lead a server elsewhere. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(ROLLCALL_|REDIS_|SOKETI_|NODE_|PORT$|HOST$)/.test(name)))
}
