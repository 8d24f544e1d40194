import { setTimeout as pause } from 'node:timers/promises'

import type { Arena } from '../arena.js'
import { atMost, type Results, type Row } from '../lib/figures.js'
import { inParallel } from '../lib/wait.js'
import { rosterPeer, transportPeer } from '../peers/index.js'
import type { Figures, Scenario } from './types.js'

const CONNECTIONS = 10_000
const WARM_UP = 500
const MEMBERS_A_CHANNEL = 50
const SETTLE_MS = 3_000

async function enter(arena: Arena, user: number): Promise<void> {
  if (arena.peer.name === 'socket.io') {
    await transportPeer('socket.io').watch(arena.nodeFor(user), () => undefined)
    return
  }
  const client = await rosterPeer(arena.peer.name).enter(arena.nodeFor(user), user, () => undefined)
  await client.join(`idle-${Math.floor(user / MEMBERS_A_CHANNEL)}`)
}

async function memory(arena: Arena): Promise<{ readonly rss: number; readonly heap: number }> {
  await pause(SETTLE_MS)
  const all = await Promise.all(arena.nodes.map((node) => node.memory()))
  return all.reduce((sum, { rss, heap }) => ({ rss: sum.rss + rss, heap: sum.heap + heap }), { rss: 0, heap: 0 })
}

async function run(arena: Arena): Promise<Figures> {
  await arena.start()
  const [first, total] = [Math.min(WARM_UP, arena.size(CONNECTIONS)), arena.size(CONNECTIONS) + WARM_UP]
  const users = Array.from({ length: total }, (_, user) => user)
  await inParallel(users.slice(0, first), 50, (user) => enter(arena, user))
  const before = await memory(arena)
  await inParallel(users.slice(first), 50, (user) => enter(arena, user))
  const after = await memory(arena)
  const each = (what: 'rss' | 'heap'): number => (after[what] - before[what]) / (total - first) / 1024
  return { 'RSS KiB a connection': each('rss'), 'heap and buffers KiB a connection': each('heap') }
}

function rows(results: Results): Row[] {
  return [
    { target: '9', what: 'idle-memory: RSS a connection, Rollcall by stock Socket.IO', unit: '×', spread: results.ratio('RSS KiB a connection', 'rollcall', 'socket.io'), must: atMost(1.15), aim: null },
    { target: '9', what: 'idle-memory: the same, Rollcall by soketi', unit: '×', spread: results.ratio('RSS KiB a connection', 'rollcall', 'soketi'), must: null, aim: atMost(1) },
  ]
}

export const idleMemory: Scenario = {
  name: 'idle-memory',
  about:
    'What the servers’ resident memory grows by, after garbage collections, from 500 to 10,500 idle connections at two nodes. At Rollcall and soketi each is logged in and in one channel of 50 with presence; at stock Socket.IO each is in one room.',
  peers: ['rollcall', 'socket.io', 'soketi'],
  run,
  rows,
}
