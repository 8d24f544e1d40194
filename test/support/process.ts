import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'

import { within } from './wait.js'

/** A real process that a test started, with what it has said so far. */
export class TestProcess {
  readonly pid: number
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
  #output = ''
  #over = false

  constructor(
    readonly what: string,
    private readonly child: ChildProcess,
    private readonly guard: ChildProcess,
  ) {
    this.pid = pidOf(child, what)
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-64_000)
      })
    }
    this.exited = once(child, 'close').then((args) => {
      this.#over = true
      return { code: args[0] as number | null, signal: args[1] as NodeJS.Signals | null }
    })
  }

  get output(): string {
    return this.#output
  }

  get running(): boolean {
    return !this.#over
  }

  kill(signal: NodeJS.Signals): void {
    if (!this.#over) process.kill(this.pid, signal)
  }

  /** Ends the process, politely at first; rejects when it had to be killed. */
  async stop(signal: NodeJS.Signals = 'SIGTERM', patienceMs = 15_000): Promise<void> {
    let killed: Error | undefined
    if (!this.#over) {
      this.kill('SIGCONT')
      this.kill(signal)
      try {
        await within(this.exited, patienceMs, `${this.what} ends after ${signal}`)
      } catch (error) {
        killed = new Error(`${this.what} did not end after ${signal}; it said:\n${this.tail()}`, { cause: error })
        this.kill('SIGKILL')
        await this.exited
      }
    }
    await this.letGo()
    if (killed !== undefined) throw killed
  }

  /** The last lines of its output, for a failure's message. */
  tail(lines = 40): string {
    return this.#output.split('\n').slice(-lines).join('\n')
  }

  private async letGo(): Promise<void> {
    if (this.guard.exitCode !== null || this.guard.signalCode !== null) return
    const gone = once(this.guard, 'close')
    this.guard.kill('SIGKILL')
    await gone
  }
}

/**
 * Starts a process that ends when this one does, however this one ends: its guard is a shell that waits for the end of
 * a pipe which only this process holds open, and then kills it and removes its directory.
 */
export function startProcess(
  what: string,
  command: string,
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; cwd?: string; directory?: string } = {},
): TestProcess {
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  })
  const script = 'cat >/dev/null; kill -9 "$1" 2>/dev/null; [ -z "$2" ] || rm -rf "$2"'
  const guard = spawn('/bin/sh', ['-c', script, 'guard', String(pidOf(child, what)), options.directory ?? ''], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  return new TestProcess(what, child, guard)
}

/** A port that is free on 127.0.0.1 right now. */
export async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

function pidOf(child: ChildProcess, what: string): number {
  if (child.pid !== undefined) return child.pid
  // Without a listener the reason, which comes as an event, would end the whole test run.
  child.on('error', () => undefined)
  throw new Error(`${what} could not be started: ${child.spawnargs.join(' ')}`)
}
