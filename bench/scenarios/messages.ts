import { totalOf, type Arena } from '../arena.js'
import { Arrivals } from '../lib/arrivals.js'
import { quantile, type Results, type Row } from '../lib/figures.js'
import { inParallel } from '../lib/wait.js'
import { messagePeer } from '../peers/index.js'
import type { Figures, Scenario } from './types.js'

const PAIRS = 20
/** Of each pair, one after the other. */
const EACH = 200
const ALONE = 500
const WARM_UP = 50

async function run(arena: Arena): Promise<Figures> {
  const peer = messagePeer(arena.peer.name)
  await arena.start()
  const arrivals = new Arrivals()
  // Users with even numbers are at one node, their peers at the other.
  const senders = await inParallel(Array.from({ length: PAIRS }), 10, async (_, pair) => {
    await peer.talk(arena.nodeFor(2 * pair + 1), 2 * pair + 1, () => arrivals.add())
    const sender = await peer.talk(arena.nodeFor(2 * pair), 2 * pair, () => undefined)
    return async (number: number): Promise<void> => {
      if (!(await sender.send(2 * pair + 1, `message ${number}`))) throw new Error(`message ${number} of pair ${pair} was not received`)
    }
  })
  const [alone] = senders
  if (alone === undefined) throw new Error('there is no pair')
  const times: number[] = []
  for (let number = 0; number < WARM_UP + arena.size(ALONE, 50); number++) {
    const began = performance.now()
    await alone(number)
    if (number >= WARM_UP) times.push(performance.now() - began)
  }
  times.sort((a, b) => a - b)
  const each = arena.size(EACH, 20)
  const messages = PAIRS * each
  const before = arrivals.count
  const cost = await arena.measure(async () => {
    await Promise.all(
      senders.map(async (send) => {
        for (let number = 0; number < each; number++) await send(number)
      }),
    )
    await arrivals.reach(before + messages)
  })
  if (arrivals.count !== before + messages) throw new Error(`${arrivals.count - before} messages came of ${messages}`)
  return {
    'p50 ms, one at a time': quantile(times, 0.5),
    'p99 ms, one at a time': quantile(times, 0.99),
    'messages a second': messages / cost.seconds,
    'server CPU ms a message': (cost.serverCpuS / messages) * 1_000,
    'Redis CPU ms a message': (cost.redisCpuS / messages) * 1_000,
    ...(cost.calls !== null && { 'calls to Redis a message': totalOf(cost.calls) / messages }),
  }
}

function rows(results: Results): Row[] {
  const ratio = (figure: string) => results.ratio(figure, 'rollcall', 'naive')
  const row = (what: string, figure: string): Row => ({ target: '', what: `messages: ${what}, Rollcall by naive`, unit: '×', spread: ratio(figure), must: null, aim: null })
  return [row('p50 until the sender knows', 'p50 ms, one at a time'), row('server CPU', 'server CPU ms a message'), row('Redis CPU', 'Redis CPU ms a message')]
}

/** No target: the other one keeps nothing, numbers nothing, and delivers again or in another order what is sent again. */
export const messages: Scenario = {
  name: 'messages',
  about:
    '20 users send 200 messages each to one user each at the other of two nodes, the next one when they know that the one before was acknowledged; 500 are sent alone before. Rollcall stores a message before it announces it, and ' +
    'removes it with the acknowledgement; naive asks the room of the user (`emitWithAck` over its Redis adapter) and keeps nothing.',
  peers: ['rollcall', 'naive'],
  counted: true,
  settings: { ROLLCALL_LIMITS: JSON.stringify({ messagesPerSecond: 100_000 }) },
  run,
  rows,
}
