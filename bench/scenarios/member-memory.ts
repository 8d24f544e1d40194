import { setTimeout as pause } from 'node:timers/promises'

import type { Arena } from '../arena.js'
import { atMost, type Results, type Row } from '../lib/figures.js'
import { connectAll, joinAll, type Load } from './memberships.js'
import type { Figures, Scenario } from './types.js'

const SESSIONS = 10_000
const CHANNELS = 1_000
const CHANNELS_EACH = 10
const SETTLE_MS = 3_000

async function run(arena: Arena): Promise<Figures> {
  await arena.start()
  const load: Load = { from: 0, to: arena.size(SESSIONS), channels: arena.size(CHANNELS), channelsEach: CHANNELS_EACH, states: { mood: 'curious', mic: 'on' }, withPresence: false }
  const clients = await connectAll(arena, load)
  await pause(SETTLE_MS)
  const before = await arena.redis.memory()
  await joinAll(clients, load)
  await pause(SETTLE_MS)
  const members = clients.length * CHANNELS_EACH
  return { 'bytes a member': ((await arena.redis.memory()) - before) / members, 'bytes a session (USER channels)': before / clients.length, members }
}

function rows(results: Results): Row[] {
  return [{ target: '13', what: 'member-memory: bytes in Redis a member', unit: '', spread: results.of('rollcall', 'bytes a member'), must: atMost(450), aim: atMost(250) }]
}

export const memberMemory: Scenario = {
  name: 'member-memory',
  about: 'What Redis’s used_memory grows by when 10,000 sessions, logged in already, join ten channels each, of a thousand, with two short states in each: 100,000 members, with everything that their memberships cost.',
  peers: ['rollcall'],
  run,
  rows,
}
