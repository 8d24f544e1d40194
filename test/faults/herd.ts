import { fork } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'

import { startProcess } from '../support/process.js'
import type { Scope } from '../support/scope.js'
import { within } from '../support/wait.js'

const ROOT = path.resolve(import.meta.dirname, '..', '..')
const ENTRY = path.join(ROOT, '.cache', 'faults', 'herd-clients.mjs')

/** Everybody is in the hall, and in one of the rooms. */
export const HALL = 'hall'
export const ROOMS = 20
export const roomOf = (number: number): string => `room-${number % ROOMS}`

export type HerdCommand =
  | { readonly do: 'arrive'; readonly count: number; readonly presenceTimeout: number; readonly ports: readonly number[] }
  | { readonly do: 'cut' }
  | { readonly do: 'return'; readonly ports: readonly number[] }

/** What became of those who came or returned. */
export interface HerdReply {
  /** The cluster still knew their sessions. */
  readonly resumed: number
  readonly begunAnew: number
  /** Until the last one was back, in milliseconds. */
  readonly slowestMs: number
  readonly tries: number
}

/** Many light clients in a process of their own, so that whoever watches what they do is not kept busy by them. */
export class Herd {
  private constructor(private readonly ask: (command: HerdCommand) => Promise<HerdReply>) {}

  static async start(scope: Scope): Promise<Herd> {
    await bundle()
    const child = fork(ENTRY, { execArgv: ['--enable-source-maps'] })
    scope.defer('the process of the herd', async () => {
      if (child.exitCode !== null) return
      const gone = once(child, 'exit')
      child.disconnect()
      await gone
    })
    return new Herd(async (command) => {
      const answered = once(child, 'message')
      child.send(command)
      const [reply] = (await answered) as [HerdReply | { readonly error: string }]
      if ('error' in reply) throw new Error(reply.error)
      return reply
    })
  }

  arrive(count: number, presenceTimeout: number, ports: readonly number[]): Promise<HerdReply> {
    return within(this.ask({ do: 'arrive', count, presenceTimeout, ports }), 120_000, 'the herd has arrived')
  }

  /** Every connection ends at once, without a word. */
  async cut(): Promise<void> {
    await within(this.ask({ do: 'cut' }), 10_000, 'the herd is cut off')
  }

  return(ports: readonly number[]): Promise<HerdReply> {
    return within(this.ask({ do: 'return', ports }), 120_000, 'the herd is back')
  }
}

async function bundle(): Promise<void> {
  const options = ['--bundle', '--platform=node', '--format=esm', '--target=node20', '--packages=external', '--sourcemap=inline', '--log-level=warning']
  const args = ['test/faults/herd-clients.ts', ...options, '--alias:@jest/globals=./scripts/lib/no-jest.mjs', `--outfile=${ENTRY}`]
  const bundler = startProcess('the bundler', path.join(ROOT, 'node_modules', '.bin', 'esbuild'), args, { cwd: ROOT })
  const { code } = await within(bundler.exited, 30_000, 'the herd is bundled')
  await bundler.stop()
  if (code !== 0) throw new Error(`the herd could not be bundled:\n${bundler.output}`)
}
