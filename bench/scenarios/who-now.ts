import { setTimeout as pause } from 'node:timers/promises'

import type { Arena, Cost } from '../arena.js'
import { atLeast, atMost, quantile, type Results, type Row } from '../lib/figures.js'
import { SocketIoClient } from '../lib/socket-io-client.js'
import { inParallel } from '../lib/wait.js'
import { RollcallClient } from '../peers/rollcall.js'
import { nameOf } from '../peers/types.js'
import type { Figures, Scenario } from './types.js'

const MEMBERS = 10_000
const SMALL = 100
const CALLS = 200
const AT_ONCE = 8
const SECONDS = 4

/** One way to ask; says how many members the answer named. */
type Ask = (asker: number) => Promise<number>

interface Timing {
  readonly p50Ms: number
  readonly perSecond: number
  readonly cost: Cost
  readonly calls: number
}

/** First one call at a time, then several at once for some seconds. */
async function time(arena: Arena, expected: number, ask: Ask): Promise<Timing> {
  const check = async (asker: number): Promise<void> => {
    const named = await ask(asker)
    if (named !== expected) throw new Error(`${named} members were named, not ${expected}`)
  }
  const times: number[] = []
  const deadline = performance.now() + SECONDS * 1_000
  for (let call = 0; call < arena.size(CALLS, 20) && performance.now() < deadline; call++) {
    const began = performance.now()
    await check(0)
    times.push(performance.now() - began)
  }
  let calls = 0
  const cost = await arena.measure(async () => {
    const end = performance.now() + SECONDS * 1_000 * Math.min(1, arena.size(100) / 100)
    await Promise.all(
      Array.from({ length: AT_ONCE }, async (_, asker) => {
        while (performance.now() < end) {
          await check(asker)
          calls++
        }
      }),
    )
  })
  return { p50Ms: quantile(times.sort((a, b) => a - b), 0.5), perSecond: calls / cost.seconds, cost, calls }
}

function the<T>(list: readonly T[], number: number): T {
  const item = list[number]
  if (item === undefined) throw new Error(`there is no number ${number}`)
  return item
}

async function runRollcall(arena: Arena, members: number): Promise<Figures> {
  const askers = await Promise.all(Array.from({ length: AT_ONCE }, (_, asker) => RollcallClient.connect(arena.nodeFor(0), members + asker)))
  const askerOf = (number: number): RollcallClient => the(askers, number)
  const enter = (channelName: string, client: RollcallClient) => client.ask('subscribe', { channelName, withPresence: false })
  await inParallel(Array.from({ length: members }), 100, async (_, user) => {
    const client = await RollcallClient.connect(arena.nodeFor(user), user)
    await enter('large', client)
    if (user < SMALL) await enter('small', client)
  })
  // Warm: each node follows the channels.
  for (const channelName of ['large', 'small']) await askerOf(0).ask('subscribe', { channelName, beQuiet: true })

  const page = await time(arena, Math.min(members, 500), async (asker) => {
    const { occupants } = await askerOf(asker).ask('whoNow', { channelName: 'large' })
    return (occupants as readonly unknown[]).length
  })
  const all = await time(arena, members, async (asker) => {
    let named = 0
    for (let next = ''; ; ) {
      const reply = await askerOf(asker).ask('whoNow', { channelName: 'large', ...(next === '' ? {} : { page: next }) })
      named += (reply.occupants as readonly unknown[]).length
      next = reply.nextPage as string
      if (next === '') return named
    }
  })
  const count = (channelName: string, expected: number): Promise<Timing> =>
    time(arena, expected, async (asker) => Number((await askerOf(asker).ask('whoNow', { channelName, includedUserId: false })).totalOccupancy))
  const small = await count('small', Math.min(SMALL, members))
  const large = await count('large', members)
  const idle = await arena.measure(() => pause(all.cost.seconds * 1_000))
  return {
    'p50 ms, all names': all.p50Ms,
    'calls a second, all names': all.perSecond,
    'p50 ms, a page': page.p50Ms,
    'calls a second, a page': page.perSecond,
    'p50 ms, count alone': large.p50Ms,
    'count alone, 10,000 by 100 members': large.p50Ms / small.p50Ms,
    'server CPU ms a call, all names': (all.cost.serverCpuS / all.calls) * 1_000,
    'bytes from Redis a call': Math.max(0, all.cost.fromRedis - idle.fromRedis) / all.calls,
  }
}

async function runNaive(arena: Arena, members: number): Promise<Figures> {
  const enter = (user: number, room?: string) => SocketIoClient.connect(arena.nodeFor(user).port, { userId: nameOf(user), ...(room === undefined ? {} : { room }) })
  const askers = await Promise.all(Array.from({ length: AT_ONCE }, (_, asker) => enter(2 * (members + asker))))
  await inParallel(Array.from({ length: members }), 100, (_, user) => enter(user, 'large'))
  let errors = 0
  const all = await time(arena, members, async (asker) => {
    for (;;) {
      const reply = (await the(askers, asker).ask('list', 'large')) as { readonly users?: readonly string[] }
      if (reply.users !== undefined) return reply.users.length
      errors++
    }
  })
  return {
    'p50 ms, all names': all.p50Ms,
    'calls a second, all names': all.perSecond,
    'p50 ms, a page': all.p50Ms,
    'calls a second, a page': all.perSecond,
    'server CPU ms a call, all names': (all.cost.serverCpuS / all.calls) * 1_000,
    'bytes from Redis a call': all.cost.fromRedis / all.calls,
    errors,
  }
}

async function run(arena: Arena): Promise<Figures> {
  const members = arena.size(MEMBERS, 1_000)
  await arena.start()
  return arena.peer.name === 'rollcall' ? runRollcall(arena, members) : runNaive(arena, members)
}

function rows(results: Results): Row[] {
  return [
    { target: '3', what: 'who-now: p50 of a call, naive’s by Rollcall’s page of 500 and count', unit: '×', spread: results.ratio('p50 ms, a page', 'naive', 'rollcall'), must: atLeast(30), aim: atLeast(100) },
    { target: '3', what: 'who-now: calls a second, Rollcall’s pages by naive', unit: '×', spread: results.ratio('calls a second, a page', 'rollcall', 'naive'), must: atLeast(80), aim: atLeast(200) },
    { target: '3', what: 'who-now: p50 of all 10,000 names, naive by Rollcall’s 20 pages', unit: '×', spread: results.ratio('p50 ms, all names', 'naive', 'rollcall'), must: atLeast(1), aim: null },
    { target: '3', what: 'who-now: bytes from Redis a call', unit: '', spread: results.of('rollcall', 'bytes from Redis a call'), must: atMost(1), aim: null },
    { target: '3', what: 'who-now: p50 of the count alone, 10,000 members by 100', unit: '×', spread: results.of('rollcall', 'count alone, 10,000 by 100 members'), must: atMost(1.5), aim: null },
  ]
}

export const whoNow: Scenario = {
  name: 'who-now',
  about:
    'Who is in a channel of 10,000 members at two nodes, asked at one node that has been asked before. Rollcall answers by pages of 500 with the count of all, naive with all names at once; ' +
    'so a page and all pages in turn are given. p50 with one call at a time, calls a second with eight at a time. Bytes from Redis are those beyond what idle nodes get in the same time.',
  peers: ['rollcall', 'naive'],
  // One asker asks more often than a session may at defaults.
  settings: { ROLLCALL_LIMITS: '{"callsPerSecond":1000000}' },
  run,
  rows,
}
