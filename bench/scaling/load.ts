import { setTimeout as pause } from 'node:timers/promises'

import { inParallel, until } from '../lib/wait.js'
import { RollcallClient } from '../peers/rollcall.js'
import { Site, type Usage } from './site.js'

export const SETTLE_MS = 5_000
export const IDLE_MS = 20_000
const BUSY_MS = 20_000
const TICK_MS = 20

/** Connections in channels of one size, who all watch and are spread over the nodes in turn, and change their states now and then. */
export interface Load {
  readonly nodes: number
  readonly masters: number
  readonly connections: number
  readonly channelSize: number
  /** In all channels together. */
  readonly changesPerSecond: number
}

/** Per second where it says so. */
export interface Outcome {
  readonly load: Load
  /** CPU seconds and Redis CPU seconds that one connection took to log in and join. */
  readonly enter: { readonly node: number; readonly redis: number }
  readonly idle: Usage
  readonly busy: Usage
  readonly changes: number
  readonly deliveries: number
  readonly toClients: number
  readonly memory: { readonly nodes: number; readonly redis: number }
  /** Before anybody came. */
  readonly empty: { readonly nodes: number; readonly redis: number }
}

export async function measure(load: Load): Promise<Outcome> {
  const site = await Site.open(load.nodes, load.masters)
  try {
    return await onSite(site, load)
  } finally {
    await site.close()
  }
}

async function onSite(site: Site, load: Load): Promise<Outcome> {
  const { connections, channelSize, changesPerSecond } = load
  const channelOf = (user: number): string => `room-${Math.floor(user / channelSize)}`
  await pause(1_000)
  const empty = await site.memory()

  let told = 0
  const began = await site.usage()
  const clients = await inParallel(Array.from({ length: connections }, (_, user) => user), 50, async (user) => {
    const client = await RollcallClient.connect(site.nodeFor(user), user)
    client.onPresence = ({ changed }) => {
      told += changed.length
    }
    await client.ask('subscribe', { channelName: channelOf(user), states: { n: '0' } })
    return client
  })
  await pause(SETTLE_MS)
  const entered = await site.usage()
  const memory = await site.memory()

  const idle = await perSecond(site, () => pause(IDLE_MS))

  told = 0
  let made = 0
  let refused = 0
  let bytes = -clients.reduce((sum, client) => sum + client.bytes, 0)
  const seconds = { busy: 0 }
  const busy = await perSecond(site, async () => {
    const start = performance.now()
    // Each next one is of another channel, and after a round of another member.
    const channels = Math.ceil(connections / channelSize)
    made = await atRate(changesPerSecond, async (change) => {
      const user = ((change % channels) * channelSize + (Math.floor(change / channels) % channelSize)) % connections
      const reply = await clients[user]?.tell('setState', { channelName: channelOf(user), states: { n: String(change) } })
      if (reply?.ok === false) refused++
    })
    await until('all have been told', () => told >= (made - refused) * (channelSize - 1), { withinMs: 60_000 })
    seconds.busy = (performance.now() - start) / 1_000
  })
  bytes += clients.reduce((sum, client) => sum + client.bytes, 0)
  if (refused > 0) throw new Error(`${refused} changes were refused`)
  for (const client of clients) client.destroy()
  return {
    load,
    enter: { node: (entered.nodeCpuS - began.nodeCpuS) / connections, redis: (entered.redisCpuS - began.redisCpuS) / connections },
    idle,
    busy,
    changes: made / seconds.busy,
    deliveries: told / seconds.busy,
    toClients: bytes / seconds.busy,
    memory,
    empty,
  }
}

/** Does something so many times a second for a while, whether or not it was answered before. Resolves with how often, when all is answered. */
export async function atRate(timesPerSecond: number, act: (number: number) => Promise<void>): Promise<number> {
  const start = performance.now()
  const answers: Promise<void>[] = []
  while (performance.now() - start < BUSY_MS) {
    const due = Math.floor(((performance.now() - start) / 1_000) * timesPerSecond)
    while (answers.length < due) answers.push(act(answers.length))
    await pause(TICK_MS)
  }
  await Promise.all(answers)
  return answers.length
}

/** What a site uses while something goes on. */
export async function perSecond(site: Site, act: () => Promise<unknown>): Promise<Usage> {
  const [before, start] = [await site.usage(), performance.now()]
  await act()
  const after = await site.usage()
  const seconds = (performance.now() - start) / 1_000
  return {
    nodeCpuS: (after.nodeCpuS - before.nodeCpuS) / seconds,
    redisCpuS: (after.redisCpuS - before.redisCpuS) / seconds,
    toRedis: (after.toRedis - before.toRedis) / seconds,
    fromRedis: (after.fromRedis - before.fromRedis) / seconds,
  }
}
