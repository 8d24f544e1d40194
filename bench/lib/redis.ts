import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import path from 'node:path'

import { Redis } from 'ioredis'

import { freePort, ServerProcess } from './process.js'
import { until } from './wait.js'

/** What Redis says of itself, since it began. */
export interface RedisFigures {
  readonly cpuS: number
  readonly toRedis: number
  readonly fromRedis: number
}

/** A redis-server of a run's own, with Redis's default limits and nothing kept on disk. */
export class RedisServer {
  #monitor: Monitor | null = null

  private constructor(
    readonly port: number,
    private readonly process: ServerProcess,
    private readonly directory: string,
    private readonly command: Redis,
  ) {}

  static async start(extra: readonly string[] = []): Promise<RedisServer> {
    const port = await freePort()
    const directory = await mkdtemp(path.join(tmpdir(), 'rollcall-bench-'))
    const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory, '--save', '', '--appendonly', 'no', ...extra]
    const started = await ServerProcess.start(`redis-server :${port}`, redisBinary(), args)
    const command = new Redis({ host: '127.0.0.1', port, maxRetriesPerRequest: null, retryStrategy: () => 50 })
    // It does not listen yet.
    command.on('error', () => undefined)
    await until('redis-server answers', async () => (await command.ping()) === 'PONG')
    return new RedisServer(port, started, directory, command)
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  /** Any command. */
  async call(name: string, ...args: readonly (string | number)[]): Promise<unknown> {
    return this.command.call(name, ...args.map(String))
  }

  async figures(): Promise<RedisFigures> {
    const info = await this.info()
    return { cpuS: info('used_cpu_user') + info('used_cpu_sys'), toRedis: info('total_net_input_bytes'), fromRedis: info('total_net_output_bytes') }
  }

  /** `INFO`, by name. */
  async info(): Promise<(name: string) => number> {
    const text = await this.command.info('everything')
    return (name) => Number(new RegExp(`^${name}:([^\\r]*)`, 'm').exec(text)?.[1] ?? NaN)
  }

  /** Calls of a command and their time in Redis, those inside scripts too. */
  async commandStats(name: string): Promise<{ readonly calls: number; readonly usec: number }> {
    const text = await this.command.info('commandstats')
    const [, calls = '0', usec = '0'] = new RegExp(`^cmdstat_${name}:calls=(\\d+),usec=(\\d+)`, 'm').exec(text) ?? []
    return { calls: Number(calls), usec: Number(usec) }
  }

  async memory(): Promise<number> {
    return (await this.info())('used_memory')
  }

  /** Connections that Redis cut because their output had grown past its limit, as its log has it. */
  get cutOff(): number {
    return this.process.output.split('overcoming of output buffer limits').length - 1
  }

  /** From here on, calls are counted: what clients send, not what scripts do inside. It costs Redis much time. */
  async count(): Promise<void> {
    this.#monitor = await Monitor.start(this.port, `127.0.0.1:${this.command.stream.localPort ?? 0}`)
  }

  /** Calls since {@link count}, by command; null when nobody counts. */
  async calls(): Promise<ReadonlyMap<string, number> | null> {
    if (this.#monitor === null) return null
    // What MONITOR shows before this was called before this.
    const mark = `mark-${Math.random()}`
    const reached = this.#monitor.reaches(mark)
    await this.command.echo(mark)
    await reached
    return new Map(this.#monitor.calls)
  }

  async stop(): Promise<void> {
    this.#monitor?.close()
    this.command.disconnect()
    await this.process.kill()
    await rm(this.directory, { recursive: true, force: true })
  }
}

/** Reads MONITOR: `+1700000000.000000 [0 127.0.0.1:4711] "evalsha" …`, with `lua` for an address inside scripts. */
class Monitor {
  readonly calls = new Map<string, number>()
  #rest = ''
  #marks = new Map<string, () => void>()

  private constructor(
    private readonly socket: Socket,
    private readonly own: string,
  ) {
    socket.setEncoding('latin1').on('data', (text: string) => this.#read(text))
  }

  static async start(port: number, own: string): Promise<Monitor> {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    const monitor = new Monitor(socket, own)
    const started = monitor.reaches('+OK')
    socket.write('MONITOR\r\n')
    await started
    return monitor
  }

  /** Resolves when a line with this text has come. */
  async reaches(mark: string): Promise<void> {
    return new Promise((resolve) => this.#marks.set(mark, resolve))
  }

  close(): void {
    this.socket.destroy()
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split('\r\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) {
      const [, from = '', name = ''] = /^\+[\d.]+ \[\d+ ([^\]]+)\] "([^"]+)"/.exec(line) ?? []
      if (from === this.own || from === '') this.#settle(line)
      else if (from !== 'lua') this.calls.set(name.toLowerCase(), (this.calls.get(name.toLowerCase()) ?? 0) + 1)
    }
  }

  #settle(line: string): void {
    for (const [mark, resolve] of this.#marks) {
      if (!line.includes(mark)) continue
      this.#marks.delete(mark)
      resolve()
    }
  }
}

/** The redis-server (or valkey-server) that all runs use. */
export function redisBinary(): string {
  const named = process.env.ROLLCALL_TEST_REDIS_SERVER
  if (named !== undefined && named !== '') return named
  const folders = [...(process.env.PATH ?? '').split(path.delimiter), '/usr/bin', '/usr/sbin', '/usr/local/bin', '/opt/homebrew/bin']
  for (const name of ['redis-server', 'valkey-server']) {
    for (const folder of folders) {
      const file = path.join(folder, name)
      if (folder !== '' && existsSync(file)) return file
    }
  }
  throw new Error('no redis-server (or valkey-server) on the PATH; name one in ROLLCALL_TEST_REDIS_SERVER')
}
