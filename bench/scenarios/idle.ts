import { setTimeout as pause } from 'node:timers/promises'

import { totalOf, type Arena } from '../arena.js'
import { atMost, type Results, type Row } from '../lib/figures.js'
import { inParallel } from '../lib/wait.js'
import { RollcallClient } from '../peers/rollcall.js'
import type { Figures, Scenario } from './types.js'

const NODES = 3
const FEW = 100
const MANY = 10_000
const MEMBERS_A_CHANNEL = 10
const WINDOW_S = 20
/** What the logins set off is over by then. */
const SETTLE_MS = 5_000

async function callsASecond(arena: Arena): Promise<number> {
  await pause(SETTLE_MS)
  const { calls, seconds } = await arena.measure(() => pause(WINDOW_S * 1_000))
  return totalOf(calls ?? new Map()) / seconds
}

async function run(arena: Arena): Promise<Figures> {
  await arena.redis.count()
  await arena.start(NODES)
  const enter = (from: number, to: number) =>
    inParallel(Array.from({ length: to - from }), 50, async (_, index) => {
      const user = from + index
      const client = await RollcallClient.connect(arena.nodeFor(user), user)
      await client.ask('subscribe', { channelName: `idle-${Math.floor(user / MEMBERS_A_CHANNEL)}` })
    })
  const [few, many] = [arena.size(FEW), arena.size(MANY)]
  await enter(0, few)
  const withFew = await callsASecond(arena)
  await enter(few, many)
  const withMany = await callsASecond(arena)
  return { 'calls a second, 100 sessions': withFew, 'calls a second, 10,000 sessions': withMany, 'many by few': withMany / withFew }
}

function rows(results: Results): Row[] {
  return [
    { target: '6', what: 'idle: calls to Redis a second, three nodes, 100 sessions', unit: '', spread: results.of('rollcall', 'calls a second, 100 sessions'), must: atMost(20), aim: atMost(10) },
    { target: '6', what: 'idle: the same with 10,000 sessions', unit: '', spread: results.of('rollcall', 'calls a second, 10,000 sessions'), must: atMost(20), aim: atMost(10) },
    { target: '6', what: 'idle: 10,000 sessions by 100', unit: '×', spread: results.of('rollcall', 'many by few'), must: atMost(1.1), aim: null },
  ]
}

export const idle: Scenario = {
  name: 'idle',
  about: 'Three nodes at default settings and nothing happens: every call that any client sends to Redis in 20 s, as MONITOR shows it. First with 100 sessions, then with 10,000, each in one channel of ten with presence.',
  peers: ['rollcall'],
  run,
  rows,
}
