import { totalOf, type Arena } from '../arena.js'
import { atLeast, atMost, type Results, type Row } from '../lib/figures.js'
import { inParallel, Signal, until } from '../lib/wait.js'
import { rosterPeer } from '../peers/index.js'
import type { News, RosterClient } from '../peers/types.js'
import type { Figures, Scenario } from './types.js'

const CLIENTS = 500
/** A peer that has lost something never gets there: it is over when nobody has learned anything for so long. */
const SILENCE_MS = 8_000
const PATIENCE_MS = 120_000

/** Who knows of whom, checked user by user. */
class Acquaintance {
  readonly done = new Signal()
  readonly #known: readonly Uint8Array[]
  #missing: number
  /** When somebody learned of somebody last. */
  lastAt = performance.now()

  constructor(private readonly size: number) {
    this.#known = Array.from({ length: size }, () => new Uint8Array(size))
    this.#missing = size * size
  }

  /** Pairs that are known. */
  get known(): number {
    return this.size * this.size - this.#missing
  }

  learn(who: number, { roster, joined }: News): void {
    const known = this.#known[who]
    if (known === undefined) return
    for (const list of [roster, joined]) {
      for (const user of list) {
        if (known[user] !== 0) continue
        known[user] = 1
        this.lastAt = performance.now()
        if (--this.#missing === 0) this.done.fire()
      }
    }
  }
}

async function run(arena: Arena): Promise<Figures> {
  const size = arena.size(CLIENTS)
  const peer = rosterPeer(arena.peer.name)
  await arena.start()
  const acquaintance = new Acquaintance(size)
  const users = Array.from({ length: size }, (_, user) => user)
  const clients: readonly RosterClient[] = await inParallel(users, 50, (user) => peer.enter(arena.nodeFor(user), user, (news) => acquaintance.learn(user, news)))

  let seconds = 0
  const cost = await arena.measure(async () => {
    const began = performance.now()
    for (const client of clients) void client.join('storm')
    const isQuiet = (): boolean => performance.now() - acquaintance.lastAt > SILENCE_MS
    const isOver = until('the storm is over', isQuiet, { withinMs: PATIENCE_MS, everyMs: 100 })
    await Promise.race([acquaintance.done.reached, isOver])
    seconds = (acquaintance.lastAt - began) / 1_000
  })
  const sum = (of: (client: RosterClient) => number): number => clients.reduce((total, client) => total + of(client), 0)
  const told = acquaintance.known - size
  return {
    seconds,
    'server CPU s': cost.serverCpuS,
    'Redis CPU s': cost.redisCpuS,
    'changes told per server CPU s': told / cost.serverCpuS,
    'not told': size * size - size - told,
    'errors': sum(({ errors }) => errors),
    'subscribers cut off': arena.redis.cutOff,
    'KiB to Redis': cost.toRedis / 1024,
    'KiB from Redis': cost.fromRedis / 1024,
    'KiB to clients': sum(({ bytes }) => bytes) / 1024,
    'frames a client': sum(({ frames }) => frames) / size,
    ...(cost.calls === null ? {} : { 'calls to Redis a join': totalOf(cost.calls) / size }),
  }
}

function rows(results: Results): Row[] {
  return [
    { target: '1', what: 'storm: time until all know all, naive by Rollcall', unit: '×', spread: results.ratio('seconds', 'naive', 'rollcall'), must: atLeast(20), aim: atLeast(40) },
    { target: '1', what: 'storm: server CPU, naive by Rollcall', unit: '×', spread: results.ratio('server CPU s', 'naive', 'rollcall'), must: atLeast(10), aim: null },
    { target: '1', what: 'storm: Rollcall’s errors', unit: '', spread: results.of('rollcall', 'errors'), must: atMost(0), aim: null },
    { target: '1', what: 'storm: Rollcall’s subscribers cut off by Redis', unit: '', spread: results.of('rollcall', 'subscribers cut off'), must: atMost(0), aim: null },
    { target: '2', what: 'storm: changes told per server CPU second, Rollcall by naive', unit: '×', spread: results.ratio('changes told per server CPU s', 'rollcall', 'naive'), must: atLeast(12), aim: null },
    { target: '2', what: 'storm: the same, Rollcall by soketi', unit: '×', spread: results.ratio('changes told per server CPU s', 'rollcall', 'soketi'), must: atLeast(10), aim: null },
    { target: '7', what: 'storm: Rollcall’s calls to Redis a join', unit: '', spread: results.of('rollcall', 'calls to Redis a join'), must: atMost(0.05), aim: atMost(0.02) },
  ]
}

export const storm: Scenario = {
  name: 'storm',
  about:
    '500 clients, logged in at two nodes, join one channel in the same moment. It is over when each of them knows all the others by name, from a list or from a change; where something was lost, when nobody has learned anything for 8 s, and the time is taken to the last thing learned. ' +
    '“Changes told” are the pairs of client and other user that became known, counted once however they were told; so the unit is the same for all.',
  peers: ['rollcall', 'naive', 'soketi'],
  counted: true,
  run,
  rows,
}
