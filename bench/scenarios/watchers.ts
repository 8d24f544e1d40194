import { setTimeout as pause } from 'node:timers/promises'

import type { Arena } from '../arena.js'
import { Arrivals } from '../lib/arrivals.js'
import { atLeast, type Results, type Row } from '../lib/figures.js'
import { inParallel } from '../lib/wait.js'
import { transportPeer } from '../peers/index.js'
import { isRollcall, RollcallClient } from '../peers/rollcall.js'
import { changeOf } from './change.js'
import type { Figures, Scenario } from './types.js'

const WATCHERS = 1_000
const CHANGES = 200
/** Longer than telling a change takes and Rollcall's window after it, so that each change is told by itself, and at once. */
const EVERY_MS = 60

interface Crowd {
  readonly arrivals: Arrivals
  /** Frames that come to the crowd for one change. */
  readonly size: number
  change(number: number): Promise<unknown>
  bytes(): number
}

async function rollcallCrowd(arena: Arena, size: number): Promise<Crowd> {
  const arrivals = new Arrivals()
  const channelName = 'busy'
  const author = await RollcallClient.connect(arena.nodeFor(0), size)
  await author.ask('subscribe', { channelName, withPresence: false })
  const watchers = await inParallel(Array.from({ length: size }), 50, async (_, user) => {
    const watcher = await RollcallClient.connect(arena.nodeFor(user), user)
    watcher.onPresence = ({ changed }) => {
      if (changed.length === 1) arrivals.add()
    }
    await watcher.ask('subscribe', { channelName, beQuiet: true })
    return watcher
  })
  return {
    arrivals,
    size,
    change: (number) => author.ask('setState', { channelName, states: { n: String(number) } }),
    bytes: () => watchers.reduce((sum, { bytes }) => sum + bytes, 0),
  }
}

async function transportCrowd(arena: Arena, size: number): Promise<Crowd> {
  const arrivals = new Arrivals()
  const peer = transportPeer(arena.peer.name)
  const watchers = await inParallel(Array.from({ length: size }), 50, (_, number) => peer.watch(arena.nodeFor(number), () => arrivals.add()))
  const authors = watchers.slice(0, arena.nodes.length)
  return {
    arrivals,
    size,
    change: async (number) => {
      for (const author of authors) author.say(changeOf(0, number))
    },
    bytes: () => watchers.reduce((sum, { bytes }) => sum + bytes, 0),
  }
}

async function run(arena: Arena): Promise<Figures> {
  const size = arena.size(WATCHERS)
  const changes = arena.size(CHANGES, 20)
  await arena.start()
  const crowd = isRollcall(arena.peer) ? await rollcallCrowd(arena, size) : await transportCrowd(arena, size)
  // What comes at the beginning is over, and code is warm.
  for (let number = 0; number < 20; number++) {
    await Promise.all([crowd.change(number), crowd.arrivals.reach(crowd.arrivals.count + crowd.size), pause(EVERY_MS)])
  }
  const before = { bytes: crowd.bytes(), count: crowd.arrivals.count }
  const cost = await arena.measure(async () => {
    for (let number = 0; number < changes; number++) {
      await Promise.all([crowd.change(number), crowd.arrivals.reach(before.count + (number + 1) * crowd.size), pause(EVERY_MS)])
    }
  })
  const deliveries = changes * size
  return {
    'server CPU s': cost.serverCpuS,
    'Redis CPU s': cost.redisCpuS,
    'deliveries per server CPU s': deliveries / cost.serverCpuS,
    'bytes a delivery': (crowd.bytes() - before.bytes) / deliveries,
  }
}

function rows(results: Results): Row[] {
  const ratio = (of: 'rollcall' | 'rollcall-direct', to: 'socket.io' | 'ws') => results.ratio('deliveries per server CPU s', of, to)
  return [
    { target: '4', what: 'watchers: deliveries per server CPU second, Rollcall with direct frames by stock Socket.IO', unit: '×', spread: ratio('rollcall-direct', 'socket.io'), must: atLeast(1), aim: null },
    { target: '4', what: 'watchers: the same, by raw ws', unit: '×', spread: ratio('rollcall-direct', 'ws'), must: null, aim: atLeast(1) },
    { target: '4', what: 'watchers: the same at defaults, by stock Socket.IO', unit: '×', spread: ratio('rollcall', 'socket.io'), must: null, aim: null },
  ]
}

export const watchers: Scenario = {
  name: 'watchers',
  about:
    'One change after the other, told to 1,000 watchers at two nodes; the next one follows when all have it, and at least 60 ms later, so that none share a frame and none waits for a window to end. ' +
    'Rollcall’s is a call of a client that goes through Redis. The others are only told to broadcast a message of the same bytes, each process to its own clients.',
  peers: ['rollcall', 'rollcall-direct', 'socket.io', 'ws'],
  run,
  rows,
}
