import { setTimeout as pause } from 'node:timers/promises'

import type { Arena } from '../arena.js'
import { Arrivals } from '../lib/arrivals.js'
import { atMost, quantile, type Results, type Row } from '../lib/figures.js'
import { inParallel } from '../lib/wait.js'
import { rosterPeer } from '../peers/index.js'
import type { Figures, Scenario } from './types.js'

const ROOM = 50
const JOINS = 500
const WARM_UP = 20
/** Beyond Rollcall's window of 20 ms, so that nothing waits for anything: that is what quiet means. */
const PAUSE_MS = 40
const JOINER = 1_000

async function run(arena: Arena): Promise<Figures> {
  const peer = rosterPeer(arena.peer.name)
  await arena.start()
  const joined = new Arrivals()
  const left = new Arrivals()
  const room = await inParallel(Array.from({ length: ROOM }), 10, async (_, user) => {
    const isFar = arena.nodeFor(user) !== arena.nodeFor(JOINER)
    const client = await peer.enter(arena.nodeFor(user), user, (news) => {
      if (isFar && news.joined.includes(JOINER)) joined.add()
      if (isFar && news.left.includes(JOINER)) left.add()
    })
    await client.join('room')
    return { client, isFar }
  })
  const far = room.filter(({ isFar }) => isFar).length
  const joiner = await peer.enter(arena.nodeFor(JOINER), JOINER, () => undefined)
  let rounds = 0
  const joinOnce = async (): Promise<number> => {
    rounds++
    const began = performance.now()
    let ms = 0
    await Promise.all([
      joiner.join('room'),
      joined.reach(rounds * far).then(() => {
        ms = performance.now() - began
      }),
    ])
    await pause(PAUSE_MS)
    await Promise.all([joiner.leave('room'), left.reach(rounds * far)])
    await pause(PAUSE_MS)
    return ms
  }
  for (let number = 0; number < WARM_UP; number++) await joinOnce()
  const times: number[] = []
  const joins = arena.size(JOINS, 50)
  const cost = await arena.measure(async () => {
    for (let number = 0; number < joins; number++) times.push(await joinOnce())
  })
  times.sort((a, b) => a - b)
  return {
    'p50 ms': quantile(times, 0.5),
    'p99 ms': quantile(times, 0.99),
    'server CPU ms a join and leave': (cost.serverCpuS / joins) * 1_000,
    'Redis CPU ms a join and leave': (cost.redisCpuS / joins) * 1_000,
  }
}

function rows(results: Results): Row[] {
  const ratio = (figure: string) => results.ratio(figure, 'rollcall', 'naive')
  return [
    { target: '8', what: 'quiet-join: p50 to the last watcher at the other node, Rollcall by naive', unit: '×', spread: ratio('p50 ms'), must: atMost(1), aim: null },
    { target: '8', what: 'quiet-join: p99, Rollcall by naive', unit: '×', spread: ratio('p99 ms'), must: atMost(1.1), aim: null },
    { target: '8', what: 'quiet-join: server CPU, Rollcall by naive', unit: '×', spread: ratio('server CPU ms a join and leave'), must: atMost(0.8), aim: null },
  ]
}

export const quietJoin: Scenario = {
  name: 'quiet-join',
  about: 'A room of 50 at two nodes. One client joins it and leaves it again, over and over, 40 ms apart; taken is the time from its request until the last of the 25 at the other node has heard of the join.',
  peers: ['rollcall', 'naive'],
  run,
  rows,
}
