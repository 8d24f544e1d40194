import { freePort } from './process.js'
import { RedisServer } from './redis.js'
import type { Scope } from './scope.js'
import { eventually } from './wait.js'

const SLOTS = 16_384
/** How soon a master that does not answer is taken for dead, in milliseconds. */
const NODE_TIMEOUT_MS = 1_500

/** Three masters with a replica each, ended with the scope. */
export class RedisCluster {
  private constructor(
    readonly masters: readonly RedisServer[],
    readonly replicas: readonly RedisServer[],
  ) {}

  static async start(scope: Scope): Promise<RedisCluster> {
    const busPorts = await Promise.all(Array.from({ length: 6 }, () => freePort()))
    const servers: RedisServer[] = []
    for (const bus of busPorts) {
      servers.push(
        await RedisServer.start(scope, {
          args: [
            ...['--cluster-enabled', 'yes', '--cluster-config-file', 'nodes.conf', '--cluster-port', String(bus)],
            ...['--cluster-node-timeout', String(NODE_TIMEOUT_MS), '--repl-diskless-sync', 'yes', '--repl-diskless-sync-delay', '0'],
            // A replica is to take over whatever it has missed, so that lost writes can be seen.
            ...['--cluster-replica-validity-factor', '0', '--cluster-allow-replica-migration', 'no'],
          ],
        }),
      )
    }
    const cluster = new RedisCluster(servers.slice(0, 3), servers.slice(3))
    await cluster.#form(busPorts)
    return cluster
  }

  get servers(): readonly RedisServer[] {
    return [...this.masters, ...this.replicas]
  }

  /** As `REDIS_CLUSTER` has it. */
  get addresses(): readonly string[] {
    return this.servers.map(({ port }) => `127.0.0.1:${port}`)
  }

  /** Whether this server takes writes now. */
  static async isMaster(server: RedisServer): Promise<boolean> {
    return String(await server.command('ROLE')).startsWith('master')
  }

  /** The server of the cluster that has this key now. */
  async serverOf(key: string): Promise<RedisServer> {
    for (const server of this.servers) {
      const answer = await server.command('EXISTS', key).catch((error: unknown) => String(error))
      if (typeof answer === 'number' && (await RedisCluster.isMaster(server))) return server
    }
    throw new Error(`no server has ${key}`)
  }

  /** Moves the slot of this key to the next master, with all keys in it, as `redis-cli --cluster reshard` does. */
  async moveSlot(key: string): Promise<void> {
    const from = await this.serverOf(key)
    const to = this.masters[(this.masters.indexOf(from) + 1) % this.masters.length]
    if (to === undefined) throw new Error('nowhere to go')
    const slot = Number(await from.command('CLUSTER', 'KEYSLOT', key))
    const [fromId, toId] = [String(await from.command('CLUSTER', 'MYID')), String(await to.command('CLUSTER', 'MYID'))]
    await to.command('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId)
    await from.command('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId)
    for (;;) {
      const keys = (await from.command('CLUSTER', 'GETKEYSINSLOT', slot, 100)) as string[]
      if (keys.length === 0) break
      await from.command('MIGRATE', '127.0.0.1', to.port, '', 0, 5_000, 'KEYS', ...keys)
    }
    await this.#agreeOnNewest(to, toId)
    for (const server of [to, from, ...this.masters.filter((master) => master !== to && master !== from)]) await server.command('CLUSTER', 'SETSLOT', slot, 'NODE', toId)
    await eventually(`all agree on who has slot ${slot}`, async () => {
      const owners = await Promise.all(this.masters.map((master) => ownerOf(master, slot)))
      return owners.every((owner) => owner === to.port)
    })
  }

  /**
   * Gives this master the highest epoch of all, and waits until all know it. Where another has the same, or a higher one,
   * the master believes what that one still says of a slot, and gives it back, without its keys.
   */
  async #agreeOnNewest(master: RedisServer, id: string): Promise<void> {
    await eventually(`all know that :${master.port} has the highest epoch`, async () => {
      const epoch = Number(String(await master.command('CLUSTER', 'BUMPEPOCH')).split(' ')[1])
      const views = await Promise.all(this.servers.map((server) => server.command('CLUSTER', 'NODES')))
      return views.every((view) => mastersOf(String(view)).every((other) => (other.id === id ? other.epoch === epoch : other.epoch < epoch)))
    })
  }

  async #form(busPorts: readonly number[]): Promise<void> {
    const [first] = this.masters
    if (first === undefined) throw new Error('no server')
    const share = Math.ceil(SLOTS / this.masters.length)
    for (const [i, server] of this.servers.entries()) {
      await server.command('CLUSTER', 'SET-CONFIG-EPOCH', i + 1)
      if (i < this.masters.length) await server.command('CLUSTER', 'ADDSLOTSRANGE', i * share, Math.min(SLOTS, (i + 1) * share) - 1)
    }
    for (const [i, server] of this.servers.entries()) {
      if (server !== first) await first.command('CLUSTER', 'MEET', '127.0.0.1', server.port, busPorts[i] ?? 0)
    }
    await eventually('all servers know each other', async () => {
      const known = await Promise.all(this.servers.map((server) => server.command('CLUSTER', 'INFO')))
      return known.every((info) => String(info).includes('cluster_known_nodes:6'))
    })
    for (const [i, replica] of this.replicas.entries()) {
      const id = await this.masters[i]?.command('CLUSTER', 'MYID')
      await eventually('a replica knows its master', async () => (await replica.command('CLUSTER', 'REPLICATE', String(id)).catch(() => '')) === 'OK')
    }
    await eventually('the cluster is whole and replicated', async () => {
      const states = await Promise.all(this.servers.map((server) => server.command('CLUSTER', 'INFO')))
      const links = await Promise.all(this.replicas.map((server) => server.command('INFO', 'replication')))
      return states.every((info) => String(info).includes('cluster_state:ok')) && links.every((info) => String(info).includes('master_link_status:up'))
    })
  }
}

/** The port of whoever has a slot, as this server sees it. */
async function ownerOf(server: RedisServer, slot: number): Promise<number | undefined> {
  const ranges = (await server.command('CLUSTER', 'SLOTS')) as readonly (readonly [first: number, last: number, owner: readonly [host: string, port: number]])[]
  return ranges.find(([first, last]) => first <= slot && slot <= last)?.[2][1]
}

/** The masters in an answer of CLUSTER NODES: `id address flags master ping pong epoch link slots...` a line. */
function mastersOf(view: string): readonly { readonly id: string; readonly epoch: number }[] {
  const rows = view.split('\n').map((line) => line.split(' '))
  return rows.filter(([, , flags]) => flags?.includes('master')).map(([id = '', , , , , , epoch]) => ({ id, epoch: Number(epoch) }))
}
