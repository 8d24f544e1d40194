import type { Load, Outcome } from './load.js'

/** At defaults. */
const HEARTBEAT_S = 5
export const PARTITIONS = { single: 16, cluster: 256 } as const

/** What each thing costs: CPU in µs, bytes as they are. */
export interface Coefficients {
  /** Node CPU a second: of a node with nobody, and of each idle connection. */
  readonly nodeIdle: number
  readonly connectionIdle: number
  /** Node CPU: a login with its join, into a channel of 50. */
  readonly enter: number
  /** Node CPU: a change at the node that makes it, at each node that watches it, and each delivery. */
  readonly change: number
  readonly event: number
  readonly delivery: number
  /** Redis CPU: a heartbeat with what of the audit goes with it, a login with its join, a change, and a change told to a node. */
  readonly redisBeat: number
  readonly redisEnter: number
  readonly redisChange: number
  readonly redisEvent: number
  /** Bytes: to a client for a delivery, to Redis for a change, from Redis for a change told to a node. */
  readonly bytesDelivery: number
  readonly bytesToRedis: number
  readonly bytesFromRedis: number
  /** Memory in bytes: of a node for a connection with one channel, and of Redis for it. */
  readonly memoryConnection: number
  readonly redisConnection: number
}

/** The loads that coefficients are taken from: each differs from another one in one thing. */
export const CALIBRATION = {
  oneNode: { nodes: 1, masters: 1, connections: 1_000, channelSize: 2, changesPerSecond: 400 },
  twoNodes: { nodes: 2, masters: 1, connections: 1_000, channelSize: 2, changesPerSecond: 400 },
  large: { nodes: 2, masters: 1, connections: 3_000, channelSize: 50, changesPerSecond: 100 },
} as const satisfies Record<string, Load>

export type Calibration = Readonly<Record<keyof typeof CALIBRATION, Outcome>>

const MICRO = 1e6

export function coefficientsOf({ oneNode, twoNodes, large }: Calibration): Coefficients {
  const added = ({ busy, idle, changes }: Outcome, what: 'nodeCpuS' | 'redisCpuS'): number => ((busy[what] - idle[what]) / changes) * MICRO
  const connectionIdle = Math.max(0, ((large.idle.nodeCpuS - twoNodes.idle.nodeCpuS) / (large.load.connections - twoNodes.load.connections)) * MICRO)
  const event = Math.max(0, added(twoNodes, 'nodeCpuS') - added(oneNode, 'nodeCpuS'))
  const delivery = (added(large, 'nodeCpuS') - added(twoNodes, 'nodeCpuS')) / (large.load.channelSize - twoNodes.load.channelSize)
  const redisEvent = Math.max(0, added(twoNodes, 'redisCpuS') - added(oneNode, 'redisCpuS'))
  const fromRedis = ({ busy, idle, changes }: Outcome): number => (busy.fromRedis - idle.fromRedis) / changes
  return {
    nodeIdle: ((twoNodes.idle.nodeCpuS * MICRO) - connectionIdle * twoNodes.load.connections) / twoNodes.load.nodes,
    connectionIdle,
    enter: large.enter.node * MICRO,
    change: added(twoNodes, 'nodeCpuS') - 2 * event - delivery,
    event,
    delivery,
    redisBeat: (twoNodes.idle.redisCpuS * MICRO) / beatsPerSecond(twoNodes.load),
    redisEnter: large.enter.redis * MICRO,
    redisChange: added(twoNodes, 'redisCpuS') - 2 * redisEvent,
    redisEvent,
    bytesDelivery: large.toClients / large.deliveries,
    bytesToRedis: (twoNodes.busy.toRedis - twoNodes.idle.toRedis) / twoNodes.changes,
    bytesFromRedis: fromRedis(twoNodes) - fromRedis(oneNode),
    memoryConnection: (large.memory.nodes - large.empty.nodes) / large.load.connections,
    redisConnection: (large.memory.redis - large.empty.redis) / large.load.connections,
  }
}

export interface Prediction {
  /** CPU seconds a second. */
  readonly nodesIdle: number
  readonly nodesBusy: number
  readonly redisIdle: number
  readonly redisBusy: number
  /** MB a second. */
  readonly toClients: number
  readonly fromRedis: number
  /** MB. */
  readonly nodesMemory: number
  readonly redisMemory: number
}

export function predict(c: Coefficients, load: Load): Prediction {
  const { nodes, connections, channelSize, changesPerSecond } = load
  const watching = Math.min(nodes, channelSize)
  const deliveries = changesPerSecond * (channelSize - 1)
  const nodesIdle = (nodes * c.nodeIdle + connections * c.connectionIdle) / MICRO
  const redisIdle = (beatsPerSecond(load) * c.redisBeat) / MICRO
  return {
    nodesIdle,
    nodesBusy: nodesIdle + (changesPerSecond * (c.change + watching * c.event) + deliveries * c.delivery) / MICRO,
    redisIdle,
    redisBusy: redisIdle + (changesPerSecond * (c.redisChange + watching * c.redisEvent)) / MICRO,
    toClients: (deliveries * c.bytesDelivery) / MICRO,
    fromRedis: (changesPerSecond * watching * c.bytesFromRedis) / MICRO,
    nodesMemory: (connections * c.memoryConnection) / MICRO,
    redisMemory: (connections * c.redisConnection) / MICRO,
  }
}

/** The same of a measured load; connections' memory, without what an empty node takes. */
export function measuredOf({ idle, busy, toClients, memory, empty }: Outcome): Prediction {
  return {
    nodesIdle: idle.nodeCpuS,
    nodesBusy: busy.nodeCpuS,
    redisIdle: idle.redisCpuS,
    redisBusy: busy.redisCpuS,
    toClients: toClients / MICRO,
    fromRedis: (busy.fromRedis - idle.fromRedis) / MICRO,
    nodesMemory: (memory.nodes - empty.nodes) / MICRO,
    redisMemory: (memory.redis - empty.redis) / MICRO,
  }
}

function beatsPerSecond({ nodes, masters }: Load): number {
  return (nodes * (masters === 1 ? PARTITIONS.single : PARTITIONS.cluster)) / HEARTBEAT_S
}
