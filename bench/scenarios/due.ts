import { setTimeout as pause } from 'node:timers/promises'

import { totalOf, type Arena } from '../arena.js'
import { atMost, type Results, type Row } from '../lib/figures.js'
import { until } from '../lib/wait.js'
import { connectAll, joinAll, type Load } from './memberships.js'
import type { Figures, Scenario } from './types.js'

const CHANNELS = 1_000
const CHANNELS_EACH = 100
const FEW_SESSIONS = 100
const MANY_SESSIONS = 1_000
const WINDOW_MS = 20_000
const SETTLE_MS = 3_000
/** Rollcall's default. */
const PARTITIONS = 16

/** They join, and their connections are lost: all are under way to a deadline that is minutes off. */
async function joinAndLose(arena: Arena, from: number, to: number): Promise<void> {
  const load: Load = { from, to, channels: arena.size(CHANNELS), channelsEach: Math.min(CHANNELS_EACH, arena.size(CHANNELS)), withPresence: false, auth: { presenceTimeout: 300_000 } }
  const clients = await connectAll(arena, load)
  await joinAll(clients, load)
  for (const client of clients) client.destroy()
  // Nodes take their time over it: what they still write would be measured as looking.
  await until('all are under way to their deadline', async () => (await dueIn(arena)) >= to * (load.channelsEach + 1), { withinMs: 120_000, everyMs: 500 })
  await pause(SETTLE_MS)
}

/** Memberships on the lists of what may fall due, those in USER channels among them. */
async function dueIn({ redis }: Arena): Promise<number> {
  const counts = await Promise.all(Array.from({ length: PARTITIONS }, (_, partition) => redis.call('ZCARD', `rollcall:{${partition}}:due`)))
  return counts.reduce<number>((sum, count) => sum + Number(count), 0)
}

async function look(arena: Arena): Promise<{ readonly usec: number; readonly calls: number | null }> {
  const before = await arena.redis.commandStats('evalsha')
  const { calls } = await arena.measure(() => pause(WINDOW_MS))
  const after = await arena.redis.commandStats('evalsha')
  return { usec: (after.usec - before.usec) / (after.calls - before.calls), calls: calls === null ? null : totalOf(calls) }
}

async function run(arena: Arena): Promise<Figures> {
  await arena.start()
  const [fewer, more] = [arena.size(FEW_SESSIONS), arena.size(MANY_SESSIONS)]
  await joinAndLose(arena, 0, fewer)
  const few = await look(arena)
  await joinAndLose(arena, fewer, more)
  const many = await look(arena)
  return {
    'µs a script, 10,000 members': few.usec,
    'µs a script, 100,000 members': many.usec,
    'time, many by few': many.usec / few.usec,
    ...(few.calls === null || many.calls === null ? {} : { 'calls, 10,000 members': few.calls, 'calls, 100,000 members': many.calls, 'calls, many by few': many.calls / few.calls }),
  }
}

function rows(results: Results): Row[] {
  return [
    { target: '10', what: 'due: calls in 20 s when nothing is due, 100,000 members by 10,000', unit: '×', spread: results.of('rollcall', 'calls, many by few'), must: atMost(1.05), aim: null },
    { target: '10', what: 'due: their time in Redis, 100,000 members by 10,000', unit: '×', spread: results.of('rollcall', 'time, many by few'), must: atMost(2), aim: null },
  ]
}

export const due: Scenario = {
  name: 'due',
  about:
    'Members of a thousand channels, 10,000 and then 100,000, who have all lost their connection and have minutes left, so that each of them is on the list of what may fall due. ' +
    'Two nodes look for 20 s: all calls to Redis, and the time that Redis says its scripts took (heartbeats and the audit are all there is then).',
  peers: ['rollcall'],
  counted: true,
  run,
  rows,
}
