import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

import { Redis } from 'ioredis'

import { freePort, startProcess, type TestProcess } from './process.js'
import { binary, RedisServer } from './redis.js'
import type { Scope } from './scope.js'
import { eventually } from './wait.js'

const MASTER_NAME = 'presence'
/** How soon a master that does not answer is taken for dead, in milliseconds. */
const DOWN_AFTER_MS = 1_000

/** A master, a replica, and three Sentinels that watch them; ended with the scope. */
export class SentinelRedis {
  readonly masterName = MASTER_NAME

  private constructor(
    readonly master: RedisServer,
    readonly replica: RedisServer,
    readonly ports: readonly number[],
    private readonly sentinel: Redis,
  ) {}

  static async start(scope: Scope): Promise<SentinelRedis> {
    const args = ['--repl-diskless-sync', 'yes', '--repl-diskless-sync-delay', '0']
    const master = await RedisServer.start(scope, { args })
    const replica = await RedisServer.start(scope, { args: [...args, '--replicaof', '127.0.0.1', String(master.port)] })
    const ports: number[] = []
    for (let i = 0; i < 3; i += 1) {
      const port = await freePort()
      const sentinel = await startSentinel(scope, port, master.port)
      scope.defer(`sentinel :${port}`, () => sentinel.stop())
      ports.push(port)
    }
    const client = new Redis({ host: '127.0.0.1', port: ports[0] ?? 0, lazyConnect: true, maxRetriesPerRequest: null, retryStrategy: () => 50 })
    client.on('error', () => undefined)
    scope.defer('the connection to a sentinel', () => client.disconnect())
    const all = new SentinelRedis(master, replica, ports, client)
    await all.#agree()
    return all
  }

  /** The port of the server that the Sentinels name as the master now. */
  async masterPort(): Promise<number> {
    const address = (await this.sentinel.call('SENTINEL', 'get-master-addr-by-name', MASTER_NAME)) as string[] | null
    return Number(address?.[1] ?? 0)
  }

  /** The server that is the master now, as the Sentinels say. */
  async current(): Promise<RedisServer> {
    return (await this.masterPort()) === this.replica.port ? this.replica : this.master
  }

  async #agree(): Promise<void> {
    await eventually('the sentinels know each other and the replica', async () => {
      const info = (await this.sentinel.call('SENTINEL', 'MASTER', MASTER_NAME)) as string[]
      const value = (name: string): string | undefined => info[info.indexOf(name) + 1]
      return value('num-slaves') === '1' && value('num-other-sentinels') === '2'
    })
    await eventually('the replica is in step', async () => String(await this.replica.command('INFO', 'replication')).includes('master_link_status:up'))
  }
}

async function startSentinel(scope: Scope, port: number, masterPort: number): Promise<TestProcess> {
  const directory = await mkdtemp(path.join(tmpdir(), 'rollcall-sentinel-'))
  scope.defer(`the directory of sentinel :${port}`, () => rm(directory, { recursive: true, force: true }))
  const file = path.join(directory, 'sentinel.conf')
  await writeFile(
    file,
    [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${directory}`,
      `sentinel monitor ${MASTER_NAME} 127.0.0.1 ${masterPort} 2`,
      `sentinel down-after-milliseconds ${MASTER_NAME} ${DOWN_AFTER_MS}`,
      `sentinel failover-timeout ${MASTER_NAME} 5000`,
      '',
    ].join('\n'),
  )
  return startProcess(`sentinel :${port}`, binary(), [file, '--sentinel'], { directory })
}
