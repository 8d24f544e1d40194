import { afterEach, beforeAll, expect } from '@jest/globals'

import { http } from '../../support/http.js'
import { connectPlain, type PlainClient } from '../../support/plain.js'
import { RedisServer, type Content } from '../../support/redis.js'
import { useFileScope, type Scope } from '../../support/scope.js'
import { spawnNode, type Env, type SpawnedNode } from '../../support/spawned.js'
import { elapse, eventually, within } from '../../support/wait.js'

/** What a normal client is served within, whatever else goes on. */
export const SERVED_MS = 3_000
/** 20 calls a second are allowed by default. */
const BETWEEN_CALLS_MS = 60
/** What may stay in use after everything that was sent: caches, compiled code, what the allocator keeps. */
const GROWTH_BYTES = 48 * 1024 * 1024

export const ROOM = { channelName: 'room', channelType: 'MESSAGE' } as const
/** Where the normal client shows that it is served; nothing else is done there. */
const PULSE = { channelName: 'pulse', channelType: 'MESSAGE' } as const

/**
 * A node that is a process of its own - a rejection that nobody handles ends it - with a client that is served all the
 * time, on a Redis whose content is known.
 */
export class Victim {
  #asked = 0

  constructor(
    readonly redis: RedisServer,
    readonly node: SpawnedNode,
    readonly ada: PlainClient,
  ) {}

  /** A round trip of a normal client through Redis; as often as the rate of calls that a session has allows. */
  async serves(ms = SERVED_MS): Promise<void> {
    await elapse(Math.max(0, this.#asked + BETWEEN_CALLS_MS - Date.now()))
    this.#asked = Date.now()
    const served = (async () => {
      const at = String(Date.now())
      await this.ada.must('setState', { ...PULSE, states: { at } })
      expect(await this.ada.must('getState', { ...PULSE, userId: 'ada' })).toMatchObject({ states: { at } })
    })()
    await within(served, ms, 'a normal client is served')
  }

  /** Alive, of one mind with its client, and without a word of a defect. */
  async unharmed(): Promise<void> {
    expect({ running: this.node.process.running, output: this.node.process.tail() }).toMatchObject({ running: true })
    expect(this.ada.socket.connected).toBe(true)
    await this.serves()
    expect(this.node.process.output).not.toMatch(/failed unexpectedly|an HTTP request failed|unhandled/i)
    expect(await this.metric('rollcall_errors_total{code="INTERNAL"}')).toBe(0)
  }

  async metric(name: string): Promise<number> {
    const { text } = await http(this.node.port, '/metrics')
    const line = text.split('\n').find((row) => row.startsWith(`${name} `))
    return line === undefined ? 0 : Number(line.slice(name.length + 1))
  }

  /** Nobody is connected but the normal client. */
  async alone(ms = 25_000): Promise<void> {
    await eventually('everybody else is gone', async () => (await this.metric('rollcall_sockets')) === 1 && (await this.metric('rollcall_sessions')) === 1, { withinMs: ms, everyMs: 100 })
  }

  /** What Redis holds, but for the normal client's sign of life and for when users were last seen. */
  async contents(): Promise<Record<string, Content>> {
    const all = Object.entries(await this.redis.contents())
    return Object.fromEntries(all.filter(([key]) => !/^rollcall:\{\d+\}:(seen:|members:dev:MESSAGE:pulse$)/.test(key)))
  }

  /** Nothing is left of those who came and went, neither on the node nor in Redis. */
  async nothingLeft(before: Readonly<Record<string, Content>>): Promise<void> {
    await this.alone()
    await eventually('Redis holds what it held', async () => {
      expect(await this.contents()).toEqual(before)
      return true
    })
  }

  /** The least that is in use over some time: garbage comes and goes, a leak stays. */
  async heap(): Promise<number> {
    const used: number[] = []
    for (let sample = 0; sample < 10; sample++) {
      // Each reading makes some garbage of its own, and so brings the next collection nearer.
      for (let reading = 0; reading < 20; reading++) await http(this.node.port, '/metrics')
      used.push(await this.metric('nodejs_heap_size_used_bytes'))
    }
    return Math.min(...used)
  }
}

export interface VictimFixture {
  readonly scope: Scope
  readonly victim: Victim
}

/** A victim for a whole file; after each test it must be unharmed, and at the end its heap where it was. */
export function useVictim(env: Env = {}): VictimFixture {
  const scope = useFileScope()
  let victim: Victim | undefined
  const there = (): Victim => {
    if (victim === undefined) throw new Error('the node is used before it has started')
    return victim
  }
  beforeAll(async () => {
    const redis = await RedisServer.start(scope)
    const node = await spawnNode(scope, { REDIS_URL: redis.url, ROLLCALL_PING_INTERVAL_MS: '5000', ROLLCALL_PING_TIMEOUT_MS: '5000', NODE_OPTIONS: '--max-old-space-size=256', ...env })
    const ada = await connectPlain(scope, 'ada', node)
    await ada.must('subscribe', { ...ROOM, states: { Mode: 'Happy' } })
    await ada.must('subscribe', { ...PULSE, withPresence: false })
    await eventually('the node has said that it is there', async () => (await redis.keys('rollcall:{*}:owned:*')).length >= 16)
    victim = new Victim(redis, node, ada)
  })
  afterEach(async () => {
    await there().unharmed()
  })
  return {
    scope,
    get victim() {
      return there()
    },
  }
}

/** Runs something and sees that the node's heap is about where it was. */
export async function withoutGrowth(victim: Victim, work: () => Promise<void>): Promise<void> {
  const before = await victim.heap()
  await work()
  await victim.alone()
  const after = await victim.heap()
  expect({ grownBy: Math.max(0, after - before - GROWTH_BYTES) }).toEqual({ grownBy: 0 })
}
