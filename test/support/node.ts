import { afterEach, beforeAll, expect } from '@jest/globals'

import type { NodeOptions } from '../../src/config.js'
import { createNode } from '../../src/node.js'
import { MAY_STAY } from './redis-view.js'
import { RedisServer, type RedisOptions } from './redis.js'
import { useFileScope, type Scope } from './scope.js'

/** Where a node is reached. */
export interface NodeAddress {
  readonly url: string
  readonly port: number
}

export interface TestNode extends NodeAddress {
  readonly nodeId: string
  /** Ends it, before its scope does. */
  close(): Promise<void>
}

/** Timings with which a lost client is noticed and timed out within a few seconds. */
export const SMALL_TIMINGS = {
  heartbeatMs: 250,
  heartbeatTtlMs: 2_000,
  presenceTimeoutMs: 1000,
  pingIntervalMs: 500,
  // Long enough for a machine that is busy for seconds: a test about silence says its own.
  pingTimeoutMs: 3_000,
} as const

/** A node inside this process, on a free port of 127.0.0.1. */
export async function startNode(scope: Scope, options: NodeOptions): Promise<TestNode> {
  const node = createNode({ host: '127.0.0.1', port: 0, logLevel: 'fatal', drainMs: 500, ...SMALL_TIMINGS, ...options })
  let closed: Promise<void> | undefined
  const close = () => (closed ??= node.close())
  scope.defer('a node', close)
  const { port } = await node.listen()
  return { url: `http://127.0.0.1:${port}`, port, nodeId: node.nodeId, close }
}

export interface TestCluster {
  readonly redis: RedisServer
  readonly a: TestNode
  readonly b: TestNode
  readonly scope: Scope
}

/**
 * Two nodes in this process on a Redis of their own, for all tests of a file. After each test every key but the
 * partition count and what users keep must be one that expires by itself.
 */
export function useCluster(options: Partial<NodeOptions> = {}, redisOptions: RedisOptions = {}): TestCluster {
  const scope = useFileScope()
  const started: { redis?: RedisServer; a?: TestNode; b?: TestNode } = {}
  beforeAll(async () => {
    started.redis = await RedisServer.start(scope, redisOptions)
    const all = { ...options, redisUrl: started.redis.url }
    ;[started.a, started.b] = await Promise.all([startNode(scope, all), startNode(scope, all)])
  })
  afterEach(async () => {
    if (started.redis !== undefined) expect((await started.redis.keysThatStay()).filter((key) => !MAY_STAY.test(key))).toEqual([])
  })
  const there = <T>(part: T | undefined): T => {
    if (part === undefined) throw new Error('the cluster is used before it has started')
    return part
  }
  return {
    scope,
    get redis() {
      return there(started.redis)
    },
    get a() {
      return there(started.a)
    },
    get b() {
      return there(started.b)
    },
  }
}

