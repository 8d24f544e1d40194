import { once } from 'node:events'
import { createServer } from 'node:net'

import type { Limits } from '../../src/protocol/limits.js'
import { Actor } from '../model/actor.js'
import { collect } from '../model/collect.js'
import { Ears } from '../model/ears.js'
import type { Breach, Evidence } from '../model/evidence.js'
import { PlainActor } from '../model/plain-actor.js'
import { PresenceModel } from '../model/presence-model.js'
import type { Random } from '../model/random.js'
import type { Scope } from '../support/scope.js'
import { spawnNode, type SpawnedNode } from '../support/spawned.js'
import { TcpProxy } from '../support/tcp-proxy.js'
import { elapse } from '../support/wait.js'
import type { Fault } from './fault.js'
import { RedisSetup, type SetupName, type Way } from './setups.js'
import { WallClock } from './wall-clock.js'

export const HEARTBEAT_MS = 250
export const LEASE_MS = 1_000
/** A silent connection is noticed by both sides within this; a busy machine takes longer than the ping. */
export const DETECTION_MS = 1_500
/** Half of the clients have the short grace, half the long one. */
export const TIMEOUTS_MS = [4_000, 6_000] as const

/** Short, so that what users tell each other comes to its end within a run. Milliseconds. */
export const TALK_LIMITS = { messageWaitMs: 1_500, invitationReceiptMs: 1_000, invitationAnswerMs: 1_000 } as const satisfies Partial<Limits>

/** Of a node, what one fault at a time may have for itself: its process, or its network to Redis. */
export type Part = 'process' | 'network'

/** A node process, with the networks on both of its sides. */
export interface Place {
  readonly way: Way
  /** Between the node and Redis; only a fault that is run on `single` may ask for it. */
  readonly store: TcpProxy
  /** For clients, unless a fault has taken it away. */
  readonly port: number
  node: SpawnedNode
  alive: boolean
  /** What faults have of it now. */
  readonly taken: Set<Part>
  /** Where the fault asked for one. */
  readonly clock?: WallClock
}

/** A client with wires of its own, one to each node. */
export interface Crowdling {
  readonly actor: Actor
  readonly wires: readonly TcpProxy[]
  /** It was cut off for good: nothing more is expected of it but that it is gone in the end. */
  dead: boolean
}

/** Real nodes on a real Redis, with a network in between that can fail, and a crowd. */
export class World {
  readonly model = new PresenceModel()
  readonly crowd: Crowdling[] = []
  readonly plain: PlainActor[] = []
  readonly places: Place[] = []
  /** What a fault saw for itself: what broke, how late news came while somebody read slowly, and what else there is to say. */
  readonly breaches: Breach[] = []
  readonly delays: { readonly watcher: string; readonly ms: number }[] = []
  readonly notes: string[] = []
  ears!: Ears

  private constructor(
    readonly scope: Scope,
    readonly random: Random,
    readonly redis: RedisSetup,
    readonly channels: readonly string[],
    private readonly limits: Partial<Limits>,
  ) {}

  static async open(scope: Scope, random: Random, setup: SetupName, { limits = {}, clocks }: Pick<Fault, 'limits' | 'clocks'> = {}): Promise<World> {
    const redis = await RedisSetup.start(scope, setup)
    const world = new World(scope, random, redis, ['x', 'y', 'z'], limits)
    world.ears = await Ears.open(scope, redis.servers.map(({ port }) => port), world.channels)
    await Promise.all(Array.from({ length: 3 }, (_, index) => world.#place(clocks?.[index])))
    await world.#gather()
    return world
  }

  /** The same node again, after its process has ended. */
  async respawn(place: Place): Promise<void> {
    place.node = await this.#spawn(place)
    place.alive = true
  }

  /** Users with more than one session. */
  get twins(): ReadonlySet<string> {
    const users = this.crowd.map(({ actor }) => actor.user)
    return new Set(users.filter((user, index) => users.indexOf(user) !== index))
  }

  alive(): readonly Place[] {
    return this.places.filter((place) => place.alive)
  }

  /** Something that a client does at random. Rejections are answers: while there is a fault, much is refused. */
  async act(): Promise<void> {
    const { random } = this
    const crowdling = random.pick(this.crowd)
    const { actor, dead } = crowdling
    const channel = random.pick(this.channels)
    const dice = random.next()
    const joined = actor.channels.length > 0 ? random.pick(actor.channels) : channel
    const ms = random.between(0, 700)
    if (dead || !actor.loggedIn) return
    if (dice < 0.6) return actor.set(joined)
    if (dice < 0.65) return actor.remove(joined)
    if (dice < 0.8) return actor.join(channel, random.chance(0.85))
    if (dice < 0.92) return actor.leave(joined)
    return this.flap(crowdling, ms)
  }

  /** A client loses its connection and may come back after a while. */
  async flap(crowdling: Crowdling, ms: number): Promise<void> {
    const { actor, wires } = crowdling
    actor.cut(Date.now())
    for (const wire of wires) wire.cut()
    await elapse(ms)
    if (!crowdling.dead) for (const wire of wires) wire.heal()
  }

  /** A client is cut off for good. */
  lose(crowdling: Crowdling): void {
    crowdling.dead = true
    crowdling.actor.cut(Date.now())
    for (const wire of crowdling.wires) wire.cut()
  }

  /** What is to be seen now. Rejects while a node or Redis does not answer. */
  async evidence(): Promise<Evidence> {
    const users = [...new Set([...this.crowd.map(({ actor }) => actor.user), ...this.plain.map(({ user }) => user)])]
    const held = await collect(this.redis, this.alive().map(({ node }) => node.port), this.channels, users)
    const all = [...this.crowd.filter(({ dead }) => !dead).map(({ actor }) => actor), ...this.plain]
    return {
      ...held,
      at: Date.now(),
      model: this.model,
      watched: all.flatMap((actor) => actor.watched()),
      connected: all.flatMap((actor) => actor.connected()),
      published: this.ears.published,
    }
  }

  /** The nodes' wall clocks are so many seconds ahead, where that is said. */
  async #place(aheadS: number | undefined): Promise<void> {
    const way = await this.redis.way(this.scope)
    const begun = {
      way,
      get store() {
        if (way.wire === undefined) throw new Error('there is no proxy between a node and this Redis: the fault is for `single` only')
        return way.wire
      },
      port: await nodePort(),
      alive: true,
      taken: new Set<Part>(),
      ...(aheadS !== undefined && { clock: await WallClock.open(this.scope, aheadS) }),
    }
    this.places.push(Object.assign(begun, { node: await this.#spawn(begun) }))
  }

  #spawn({ way, port, clock }: Pick<Place, 'way' | 'port' | 'clock'>): Promise<SpawnedNode> {
    const env = {
      ...way.env,
      ...clock?.env,
      ROLLCALL_HEARTBEAT_MS: String(HEARTBEAT_MS),
      ROLLCALL_HEARTBEAT_TTL_MS: String(LEASE_MS),
      // What is put back for somebody who is away gets the node's grace, not its own: nobody's is longer here.
      ROLLCALL_PRESENCE_TIMEOUT_MS: String(TIMEOUTS_MS[1]),
      ROLLCALL_LOG_LEVEL: process.env.ROLLCALL_FAULTS_LOG ?? 'warn',
      ROLLCALL_LIMITS: JSON.stringify({ ...TALK_LIMITS, ...this.limits }),
    }
    return spawnNode(this.scope, env, port)
  }

  /** Ten SDK clients, two of them second tabs, and in each channel a plain member and a plain watcher. */
  async #gather(): Promise<void> {
    const tabs = [...Array.from({ length: 8 }, (_, index) => ({ user: `user-${index}`, tab: 0 })), { user: 'user-0', tab: 1 }, { user: 'user-1', tab: 1 }]
    for (const [index, { user, tab }] of tabs.entries()) {
      const wires = await Promise.all(this.places.map(({ port }) => TcpProxy.open(this.scope, { port })))
      const urls = [...wires.slice(index % 3), ...wires.slice(0, index % 3)]
      const timeoutMs = TIMEOUTS_MS[index % 2] ?? TIMEOUTS_MS[0]
      const actor = new Actor(this.scope, this.model, { user, tab, urls, timeoutMs, detectionMs: DETECTION_MS })
      this.crowd.push({ actor, wires, dead: false })
    }
    await Promise.all(this.crowd.map(({ actor }) => actor.login()))
    await Promise.all(this.crowd.flatMap(({ actor }) => [actor.join(this.random.pick(this.channels)), actor.join('x')]))
    for (const [index, channel] of this.channels.entries()) {
      for (const as of ['member', 'quiet'] as const) await this.#plain(`plain-${as}-${channel}`, channel, as, index)
    }
    await Promise.all(this.plain.map((actor) => actor.settle(10_000)))
  }

  async #plain(user: string, channel: string, as: 'member' | 'quiet', index: number): Promise<void> {
    let next = index
    const wire = await TcpProxy.open(this.scope, this.places[index % this.places.length]?.node ?? { port: 1 })
    const onLost = () => {
      next += 1
      wire.lead(this.places[next % this.places.length]?.node ?? { port: 1 })
    }
    this.plain.push(new PlainActor(this.scope, this.model, { user, channel, at: wire, timeoutMs: TIMEOUTS_MS[1], detectionMs: DETECTION_MS, as, onLost }))
  }
}

/**
 * Below the range from which the system takes ports by itself: while a killed node is down, nobody else, another run
 * beside this one included, may get its port.
 */
let nextPort = 20_000 + (process.pid % 1_000) * 10

async function nodePort(): Promise<number> {
  for (;;) {
    nextPort = nextPort >= 32_000 ? 20_000 : nextPort + 1
    const port = nextPort
    const server = createServer()
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false))
      server.listen(port, '127.0.0.1', () => resolve(true))
    })
    if (!free) continue
    server.close()
    await once(server, 'close')
    return port
  }
}
