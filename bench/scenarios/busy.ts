import { setTimeout as pause } from 'node:timers/promises'

import type { Arena } from '../arena.js'
import { Arrivals } from '../lib/arrivals.js'
import { atLeast, type Results } from '../lib/figures.js'
import { inParallel, until } from '../lib/wait.js'
import { transportPeer } from '../peers/index.js'
import { isRollcall, RollcallClient } from '../peers/rollcall.js'
import type { Settings } from '../peers/types.js'
import { changeOf } from './change.js'
import type { Figures, Scenario } from './types.js'

const WATCHERS = 1_000
const PER_SECOND = 1_000
const CHANGES = 4_000
const TICK_MS = 10
/** A peer that cannot keep up is not run further ahead of than this, or its backlog would be what is measured. */
const AHEAD = 200

/** Makes changes at the rate, as far as `mayGo` allows. */
async function pace(changes: number, mayGo: (made: number) => boolean, change: (number: number) => void): Promise<void> {
  const began = performance.now()
  for (let made = 0; made < changes; ) {
    const due = Math.min(changes, Math.floor(((performance.now() - began) / 1_000) * PER_SECOND))
    while (made < due && mayGo(made)) change(made++)
    await pause(TICK_MS)
  }
}

async function runRollcall(arena: Arena, size: number, changes: number, settings: Settings): Promise<Figures> {
  const channelName = 'busy'
  await arena.start(2, settings)
  let told = 0
  /** Where each watcher stands. */
  const positions = new Float64Array(size)
  const crowd = await inParallel(Array.from({ length: size }), 50, async (_, user) => {
    const client = await RollcallClient.connect(arena.nodeFor(user), user)
    client.onPresence = ({ changed, span }) => {
      told += changed.length
      positions[user] = span.version
    }
    await client.ask('subscribe', { channelName })
    return client
  })
  // Until everybody is through with everybody's join.
  const settled = Number((await crowd[0]?.ask('setState', { channelName, states: { n: '' } }))?.version)
  await until('all have seen all joins', () => positions.every((version) => version >= settled))
  told = 0
  let last = 0
  let refused = 0
  const bytesBefore = crowd.reduce((sum, { bytes }) => sum + bytes, 0)
  const framesBefore = crowd.reduce((sum, { frames }) => sum + frames, 0)
  const cost = await arena.measure(async () => {
    const replies: Promise<void>[] = []
    await pace(changes, () => true, (number) => {
      const author = crowd[number % size]
      const made = author?.tell('setState', { channelName, states: { n: String(number) } }).then((reply) => {
        if (reply.ok) last = Math.max(last, Number(reply.version))
        else refused++
      })
      if (made !== undefined) replies.push(made)
    })
    await Promise.all(replies)
    await until('all have all changes', () => positions.every((version) => version >= last), { withinMs: 60_000 })
  })
  return {
    'seconds': cost.seconds,
    'server CPU s': cost.serverCpuS,
    'Redis CPU s': cost.redisCpuS,
    'changes delivered per server CPU s': told / cost.serverCpuS,
    'changes refused': refused,
    'told of all (%)': (told / (changes * (size - 1))) * 100,
    'frames a watcher (replies too)': (crowd.reduce((sum, { frames }) => sum + frames, 0) - framesBefore) / size,
    'bytes to clients a change delivered': (crowd.reduce((sum, { bytes }) => sum + bytes, 0) - bytesBefore) / told,
  }
}

async function runTransport(arena: Arena, size: number, changes: number): Promise<Figures> {
  const peer = transportPeer(arena.peer.name)
  await arena.start()
  const arrivals = new Arrivals()
  const crowd = await inParallel(Array.from({ length: size }), 50, (_, number) => peer.watch(arena.nodeFor(number), () => arrivals.add()))
  const authors = crowd.slice(0, arena.nodes.length)
  const cost = await arena.measure(async () => {
    await pace(changes, (made) => made - arrivals.count / size < AHEAD, (number) => {
      for (const author of authors) author.say(changeOf(number % size, number))
    })
    await arrivals.reach(changes * size)
  })
  return {
    'seconds': cost.seconds,
    'server CPU s': cost.serverCpuS,
    'changes delivered per server CPU s': (changes * size) / cost.serverCpuS,
    'bytes to clients a change delivered': crowd.reduce((sum, { bytes }) => sum + bytes, 0) / (changes * size),
  }
}

async function run(arena: Arena, settings: Settings = {}): Promise<Figures> {
  const size = arena.size(WATCHERS)
  const changes = arena.size(CHANGES, 1_000)
  return isRollcall(arena.peer) ? runRollcall(arena, size, changes, settings) : runTransport(arena, size, changes)
}

const ratio = (results: Results) => results.ratio('changes delivered per server CPU s', 'rollcall', 'ws')

export const busy: Scenario = {
  name: 'busy',
  about:
    '1,000 members of one channel at two nodes, who all watch it, change their state a thousand times a second in all. “Delivered” is a change that a watcher was told by name. ' +
    'ws is told to broadcast each change by itself, in a message of the bytes that one change has in Rollcall’s words, at that rate or as fast as it can.',
  peers: ['rollcall', 'rollcall-direct', 'ws'],
  run: (arena) => run(arena),
  rows: (results) => [
    { target: '5', what: 'busy: changes delivered per server CPU second, changes sharing packets, Rollcall by raw ws', unit: '×', spread: ratio(results), must: atLeast(10), aim: atLeast(15) },
  ],
}

export const busyInterval: Scenario = {
  ...busy,
  name: 'busy-interval',
  run: (arena) => run(arena, { ROLLCALL_ANNOUNCE_MAX: String(Math.floor(arena.size(WATCHERS) / 2)) }),
  about: 'The same channel above the number of members from which on Rollcall sums changes up (500 here), a net every 2 s. Only what is in the nets counts as delivered: a second change of the same member in one interval is not.',
  // No target: half of the changes are not told on purpose, so each that is carries the price of two.
  rows: (results) => [{ target: '5', what: 'busy-interval: the same, changes summed up', unit: '×', spread: ratio(results), must: null, aim: null }],
}
