import { mkdir, readdir, rmdir, stat } from 'node:fs/promises'
import path from 'node:path'

import { http } from './http.js'
import type { NodeAddress } from './node.js'
import { freePort, startProcess, type TestProcess } from './process.js'
import type { Scope } from './scope.js'
import { eventually, within } from './wait.js'

const ROOT = path.resolve(import.meta.dirname, '..', '..')
const BUILT = path.join(ROOT, 'dist', '.built')

/** A node that is a process of its own. */
export interface SpawnedNode extends NodeAddress {
  readonly process: TestProcess
}

/** Environment variables on top of the tests' defaults; `undefined` takes a default away. */
export type Env = Readonly<Record<string, string | undefined>>

const DEFAULTS: Env = {
  HOST: '127.0.0.1',
  ROLLCALL_LOG_LEVEL: 'warn',
  ROLLCALL_HEARTBEAT_MS: '250',
  ROLLCALL_HEARTBEAT_TTL_MS: '2000',
  ROLLCALL_PRESENCE_TIMEOUT_MS: '1500',
  ROLLCALL_PING_INTERVAL_MS: '500',
  // As in `SMALL_TIMINGS`.
  ROLLCALL_PING_TIMEOUT_MS: '3000',
}

/** `node dist/main.js`, ready. With `port` it takes that one: the same node again, after a kill. */
export async function spawnNode(scope: Scope, env: Env & { readonly REDIS_URL: string }, port?: number): Promise<SpawnedNode> {
  return spawnReady(scope, 'node', ['dist/main.js'], env, port ?? (await freePort()))
}

/** `rollcall start --workers N`: several nodes behind one port. */
export async function spawnWorkers(scope: Scope, env: Env & { readonly REDIS_URL: string }, workers: number): Promise<SpawnedNode> {
  return spawnReady(scope, 'rollcall start', ['dist/cli/main.js', 'start', '--workers', String(workers)], env, await freePort())
}

async function spawnReady(scope: Scope, what: string, args: readonly string[], env: Env, port: number): Promise<SpawnedNode> {
  await ensureBuilt()
  const name = `${what} :${port}`
  const started = startProcess(name, process.execPath, args, { cwd: ROOT, env: environment({ ...env, PORT: String(port) }) })
  scope.defer(name, async () => {
    // A test that killed it has said so; one that ended by itself is a failure of its own.
    await started.stop()
  })
  await eventually(
    `${name} is ready; it said:\n${started.tail()}`,
    async () => {
      if (!started.running) throw new Error(`${name} ended:\n${started.tail()}`)
      return (await http(port, '/readyz')).status === 200
    },
    { withinMs: 20_000, everyMs: 50 },
  ).catch((error: unknown) => {
    throw new Error(`${name} did not become ready:\n${started.tail()}`, { cause: error })
  })
  return { url: `http://127.0.0.1:${port}`, port, process: started }
}

function environment(env: Env): NodeJS.ProcessEnv {
  // Nothing of the shell that runs the tests may lead a node elsewhere.
  const clean = Object.entries(process.env).filter(([name]) => !/^(ROLLCALL_|REDIS_|NODE_ENV$|NODE_OPTIONS$|PORT$|HOST$|JEST_)/.test(name))
  const entries = [...clean, ...Object.entries(DEFAULTS), ...Object.entries(env)]
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== undefined))
}

let built: Promise<void> | undefined

/** Builds dist/ when it is missing or older than the sources; test files that run side by side build it once. */
export async function ensureBuilt(): Promise<void> {
  built ??= build()
  return built
}

async function build(): Promise<void> {
  if (!(await outdated())) return
  const lock = path.join(ROOT, '.cache', 'build.lock')
  await mkdir(path.dirname(lock), { recursive: true })
  await eventually('the lock on dist/ is free (a lock left by a build that was killed is .cache/build.lock)', () => take(lock), { withinMs: 120_000, everyMs: 200 })
  try {
    if (!(await outdated())) return
    const compiler = startProcess('the build', process.execPath, ['scripts/build.mjs'], { cwd: ROOT })
    const { code } = await within(compiler.exited, 120_000, 'dist/ is built')
    await compiler.stop()
    if (code !== 0) throw new Error(`the build failed:\n${compiler.output}`)
  } finally {
    await rmdir(lock)
  }
}

async function take(lock: string): Promise<boolean> {
  try {
    await mkdir(lock)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

async function outdated(): Promise<boolean> {
  const made = await modified(BUILT)
  if (made === 0) return true
  const files = await readdir(path.join(ROOT, 'src'), { recursive: true, withFileTypes: true })
  const times = await Promise.all(files.filter((file) => file.isFile()).map((file) => modified(path.join(file.parentPath, file.name))))
  return times.some((time) => time > made)
}

async function modified(file: string): Promise<number> {
  try {
    return (await stat(file)).mtimeMs
  } catch {
    return 0
  }
}
