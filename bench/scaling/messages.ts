import { setTimeout as pause } from 'node:timers/promises'

import { inParallel } from '../lib/wait.js'
import { rollcall } from '../peers/rollcall.js'
import { atRate, IDLE_MS, perSecond, SETTLE_MS } from './load.js'
import { Site, type Usage } from './site.js'

const PAIRS = 50
const MESSAGES_PER_SECOND = 400
const MICRO = 1e6

/** What a message costs that is acknowledged at once: CPU in µs, bytes as they are. */
export interface MessageCosts {
  /** Node CPU: at the two nodes where its users are, and at each other node. */
  readonly atBoth: number
  readonly atOthers: number
  /** Redis CPU: with two nodes that hear it, and for each further one. */
  readonly redis: number
  readonly redisOther: number
  readonly bytesFromRedis: number
}

/** Two nodes, and four of which two have nothing to do with any message: what is addressed to a user every node hears. */
export async function messageCosts(): Promise<MessageCosts> {
  const [two, four] = [await costsAt(2), await costsAt(4)]
  const further = (what: keyof Usage): number => Math.max(0, (four[what] - two[what]) / 2)
  return {
    atBoth: two.nodeCpuS * MICRO,
    atOthers: further('nodeCpuS') * MICRO,
    redis: two.redisCpuS * MICRO,
    redisOther: further('redisCpuS') * MICRO,
    bytesFromRedis: further('fromRedis'),
  }
}

/** Of one message, over what the same nodes use while nobody says a word. */
async function costsAt(nodes: number): Promise<Usage> {
  const site = await Site.open(nodes, 1, { ROLLCALL_LIMITS: JSON.stringify({ messagesPerSecond: 10_000, callsPerSecond: 10_000 }) })
  try {
    const senders = await inParallel(Array.from({ length: PAIRS }, (_, pair) => pair), 10, async (pair) => {
      await rollcall.talk(site.nodeFor(1), 2 * pair + 1, () => undefined)
      return rollcall.talk(site.nodeFor(0), 2 * pair, () => undefined)
    })
    await pause(SETTLE_MS)
    const idle = await perSecond(site, () => pause(IDLE_MS))
    let sent = 0
    let lost = 0
    const seconds = { busy: 0 }
    const busy = await perSecond(site, async () => {
      const start = performance.now()
      sent = await atRate(MESSAGES_PER_SECOND, async (number) => {
        const pair = number % PAIRS
        if ((await senders[pair]?.send(2 * pair + 1, `message ${number}`)) !== true) lost++
      })
      seconds.busy = (performance.now() - start) / 1_000
    })
    if (lost > 0) throw new Error(`${lost} messages were not acknowledged`)
    const each = (what: keyof Usage): number => ((busy[what] - idle[what]) * seconds.busy) / sent
    return { nodeCpuS: each('nodeCpuS'), redisCpuS: each('redisCpuS'), toRedis: each('toRedis'), fromRedis: each('fromRedis') }
  } finally {
    await site.close()
  }
}
