import { writeFile } from 'node:fs/promises'

import { RedisServer } from './lib/redis.js'
import type { ServerNode } from './lib/server-node.js'
import type { Peer, Settings } from './peers/types.js'

/** What something cost, by the accounting of the processes that did it. */
export interface Cost {
  readonly seconds: number
  /** Of all server processes; Redis's apart. */
  readonly serverCpuS: number
  readonly redisCpuS: number
  readonly toRedis: number
  readonly fromRedis: number
  /** By command; null unless this run counts them. */
  readonly calls: ReadonlyMap<string, number> | null
}

export interface ArenaOptions {
  readonly scale: number
  /** Whether every call to Redis is counted. */
  readonly counting: boolean
  /** What the names of the profiles of the measured stretch begin with, a file a server; null for none. */
  readonly profileTo: string | null
}

/** The place of one run: a Redis of its own, servers of one peer, and what they cost. */
export class Arena {
  readonly nodes: ServerNode[] = []

  private constructor(
    readonly peer: Peer,
    readonly redis: RedisServer,
    private readonly settings: Settings,
    private readonly options: ArenaOptions,
  ) {}

  static async open(peer: Peer, settings: Settings, options: ArenaOptions): Promise<Arena> {
    const redis = await RedisServer.start()
    if (options.counting) await redis.count()
    return new Arena(peer, redis, settings, options)
  }

  get counting(): boolean {
    return this.options.counting
  }

  /** A number of clients, calls and the like, made smaller for a trial run; never below `least`. */
  size(full: number, least = 2): number {
    return Math.max(Math.min(full, least), Math.round(full * this.options.scale))
  }

  /** Starts servers of the peer. `settings` go over the scenario's. */
  async start(count = 2, settings: Settings = {}): Promise<readonly ServerNode[]> {
    for (let number = 0; number < count; number++) {
      this.nodes.push(await this.peer.start(this.redis, { ...this.settings, ...settings }))
    }
    return this.nodes
  }

  /** Servers take clients in turn. */
  nodeFor(number: number): ServerNode {
    const node = this.nodes[number % this.nodes.length]
    if (node === undefined) throw new Error('no server was started')
    return node
  }

  /** Does something and says what it cost. */
  async measure(act: () => Promise<unknown>): Promise<Cost> {
    if (this.options.profileTo !== null) for (const node of this.nodes) await node.startProfile()
    const before = await this.#state()
    const began = performance.now()
    await act()
    const seconds = (performance.now() - began) / 1_000
    const after = await this.#state()
    await this.#writeProfiles()
    const calls = after.calls === null ? null : new Map([...after.calls].map(([name, count]) => [name, count - (before.calls?.get(name) ?? 0)]))
    return {
      seconds,
      serverCpuS: after.cpuS - before.cpuS,
      redisCpuS: after.redis.cpuS - before.redis.cpuS,
      toRedis: after.redis.toRedis - before.redis.toRedis,
      fromRedis: after.redis.fromRedis - before.redis.fromRedis,
      calls,
    }
  }

  async close(): Promise<void> {
    for (const node of this.nodes) await node.kill()
    await this.redis.stop()
  }

  async #state() {
    const cpu = await Promise.all(this.nodes.map((node) => node.cpuS()))
    return { cpuS: cpu.reduce((sum, cpuS) => sum + cpuS, 0), redis: await this.redis.figures(), calls: await this.redis.calls() }
  }

  async #writeProfiles(): Promise<void> {
    const { profileTo } = this.options
    if (profileTo === null) return
    for (const [index, node] of this.nodes.entries()) {
      await writeFile(`${profileTo}-${this.peer.name}-${index + 1}.cpuprofile`, await node.takeProfile())
    }
  }
}

/** Calls in all. */
export function totalOf(calls: ReadonlyMap<string, number>): number {
  return [...calls.values()].reduce((sum, count) => sum + count, 0)
}
