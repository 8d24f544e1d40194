import { Cluster, type Redis } from 'ioredis'
import calculateSlot from 'cluster-key-slot'
import type { Client } from './connections.js'

/** Which servers there are, and which partitions are on them; without a cluster it is one server with all. */
export class Topology {
  constructor(private readonly client: Client) {}

  get isCluster(): boolean {
    return this.client instanceof Cluster
  }

  /** The servers that take writes, in a stable order. */
  masters(): readonly Redis[] {
    if (!(this.client instanceof Cluster)) return [this.client]
    const key = (node: Redis): string => `${node.options.host ?? ''}:${String(node.options.port)}`
    return this.client.nodes('master').sort((a, b) => key(a).localeCompare(key(b)))
  }

  /** One partition of each server. `keyOf` is any key of a partition. */
  representatives(partitions: number, keyOf: (partition: number) => string): readonly number[] {
    if (!(this.client instanceof Cluster)) return [0]
    const byServer = new Map<string, number>()
    for (let partition = 0; partition < partitions; partition += 1) {
      const [server] = this.client.slots[calculateSlot(keyOf(partition))] ?? []
      if (server !== undefined && !byServer.has(server)) byServer.set(server, partition)
    }
    return [...byServer.values()]
  }

  /** The partitions that have a probe channel of their own: all in a cluster, where any may move; else one for all. */
  eachPartition(partitions: number): readonly number[] {
    return Array.from({ length: this.client instanceof Cluster ? partitions : 1 }, (_, partition) => partition)
  }

  /** The partition whose probe channel stands for this one. */
  probed(partition: number): number {
    return this.client instanceof Cluster ? partition : 0
  }

  /**
   * Subscribes again after a connection was made anew. ioredis does so by itself, and forgets it: on one server when the
   * connection breaks again before it was ready, in a cluster when a slot is just moving. What is there already stays.
   */
  async subscribeAgain(channels: readonly string[]): Promise<void> {
    const together = new Map<number, string[]>()
    for (const channel of channels) {
      const slot = this.client instanceof Cluster ? calculateSlot(channel) : 0
      const others = together.get(slot)
      if (others === undefined) together.set(slot, [channel])
      else others.push(channel)
    }
    await Promise.all([...together.values()].map((group) => this.client.ssubscribe(...group)))
  }
}
