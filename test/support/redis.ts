import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

import { Redis } from 'ioredis'

import { freePort, startProcess, type TestProcess } from './process.js'
import { monitor, type Monitored } from './redis-monitor.js'
import type { Scope } from './scope.js'
import { eventually } from './wait.js'

/** The tests' own connection calls itself this, so that what it asks is not counted as the cluster's. */
const OUR_NAME = 'rollcall-test'

export interface RedisOptions {
  /** What survives a restart: nothing (the default), the last snapshot at exit, or every write. */
  readonly persistence?: 'none' | 'rdb' | 'aof'
  readonly args?: readonly string[]
}

/** A key's content, whatever its type, in a form that can be compared. */
export type Content = string | readonly string[] | Readonly<Record<string, string>>

/** A private redis-server on a free port of 127.0.0.1, ended with the scope. */
export class RedisServer {
  #process: TestProcess
  readonly #command: Redis

  private constructor(
    readonly port: number,
    private readonly start: () => TestProcess,
  ) {
    this.#process = start()
    this.#command = new Redis({
      host: '127.0.0.1',
      port,
      lazyConnect: true,
      connectionName: OUR_NAME,
      maxRetriesPerRequest: null,
      retryStrategy: () => 50,
    })
    // It is stopped and restarted on purpose; a command that matters says so itself.
    this.#command.on('error', () => undefined)
  }

  static async start(scope: Scope, options: RedisOptions = {}): Promise<RedisServer> {
    const port = await freePort()
    const directory = await mkdtemp(path.join(tmpdir(), 'rollcall-redis-'))
    scope.defer(`the directory of redis-server :${port}`, () => rm(directory, { recursive: true, force: true }))
    const args = [
      ...['--port', String(port), '--bind', '127.0.0.1', '--dir', directory, '--daemonize', 'no'],
      ...['--save', options.persistence === 'rdb' ? '3600 1' : '', '--appendonly', options.persistence === 'aof' ? 'yes' : 'no'],
      ...['--appendfsync', 'always', '--maxclients', '5000', '--protected-mode', 'yes'],
      ...(options.args ?? []),
    ]
    const server = new RedisServer(port, () => startProcess(`redis-server :${port}`, binary(), args, { directory }))
    scope.defer(`redis-server :${port}`, () => server.stop())
    await server.#answers()
    return server
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  get pid(): number {
    return this.#process.pid
  }

  get running(): boolean {
    return this.#process.running
  }

  async command(name: string, ...args: (string | number)[]): Promise<unknown> {
    return this.#command.call(name, ...args)
  }

  async keys(pattern = '*'): Promise<string[]> {
    const keys = new Set<string>()
    for await (const page of this.#command.scanStream({ match: pattern, count: 1000 })) {
      for (const key of page as string[]) keys.add(key)
    }
    return [...keys].sort()
  }

  async hash(key: string): Promise<Record<string, string>> {
    return this.#command.hgetall(key)
  }

  /** Keys that would stay for ever if the whole cluster disappeared. */
  async keysThatStay(): Promise<string[]> {
    const keys = await this.keys()
    const ttls = await Promise.all(keys.map((key) => this.#command.ttl(key)))
    return keys.filter((_, index) => ttls[index] === -1)
  }

  /** Everything that Redis holds, but for the keys whose last part is named: those move by themselves. */
  async contents({ without = ['clock', 'leases'] }: { without?: readonly string[] } = {}): Promise<Record<string, Content>> {
    const keys = (await this.keys()).filter((key) => !without.includes(key.slice(key.lastIndexOf(':') + 1)))
    const entries = await Promise.all(keys.map(async (key) => [key, await this.#content(key)] as const))
    return Object.fromEntries(entries)
  }

  /** Every call that reaches this server, as MONITOR shows it: scripts count once, what they do inside does not. */
  async monitor(scope: Scope): Promise<Monitored> {
    const rows = String(await this.command('CLIENT', 'LIST')).split('\n')
    const ours = rows.filter((row) => row.includes(` name=${OUR_NAME} `)).map((row) => /\baddr=(\S+)/.exec(row)?.[1] ?? '')
    return monitor(scope, this.port, ours)
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  /** Ends the server and starts another on the same port: what was not persisted is lost. */
  async restart(): Promise<void> {
    await this.#process.stop()
    this.#process = this.start()
    await this.#answers()
  }

  async stop(): Promise<void> {
    this.#command.disconnect()
    await this.#process.stop()
  }

  async #answers(): Promise<void> {
    await eventually(`redis-server :${this.port} answers`, async () => {
      if (!this.#process.running) throw new Error(`redis-server ended:\n${this.#process.tail()}`)
      return (await this.#command.ping()) === 'PONG'
    })
  }

  async #content(key: string): Promise<Content> {
    switch (await this.#command.type(key)) {
      case 'string':
        return (await this.#command.get(key)) ?? ''
      case 'hash':
        return this.#command.hgetall(key)
      case 'set':
        return [...(await this.#command.smembers(key))].sort()
      case 'zset':
        // Pairs in RESP3, one flat list in RESP2.
        return ((await this.#command.call('ZRANGE', key, 0, -1, 'WITHSCORES')) as unknown[]).flat().map(String)
      case 'stream':
        return (await this.#command.xrange(key, '-', '+')).map((entry) => JSON.stringify(entry))
      default:
        return 'none'
    }
  }
}

/** The redis-server (or valkey-server) that the tests run on. */
export function binary(): string {
  const named = process.env.ROLLCALL_TEST_REDIS_SERVER
  if (named !== undefined && named !== '') return named
  const folders = [...(process.env.PATH ?? '').split(path.delimiter), '/usr/bin', '/usr/local/bin', '/opt/homebrew/bin']
  for (const name of ['redis-server', 'valkey-server']) {
    for (const folder of folders) {
      const file = path.join(folder, name)
      if (folder !== '' && existsSync(file)) return file
    }
  }
  throw new Error('no redis-server (or valkey-server) on the PATH; name one in ROLLCALL_TEST_REDIS_SERVER')
}
