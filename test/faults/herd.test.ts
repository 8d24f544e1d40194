import { expect, test } from '@jest/globals'

import { http } from '../support/http.js'
import { connectPlain, type PlainClient } from '../support/plain.js'
import { RedisServer } from '../support/redis.js'
import { dueInRedis } from '../support/redis-view.js'
import { useTestScope } from '../support/scope.js'
import { ensureBuilt, spawnNode, type SpawnedNode } from '../support/spawned.js'
import { checkStays } from '../support/stays.js'
import { eventually } from '../support/wait.js'
import type { Watcher } from '../support/watcher.js'
import { HALL, Herd, roomOf, ROOMS } from './herd.js'

const scope = useTestScope()

/** `ROLLCALL_HERD=2000` for a large one (`docs/reliability.md`); a hall of more than 1,000 is told in intervals. */
const HERD = Number(process.env.ROLLCALL_HERD ?? 300)
const PRESENCE_TIMEOUT_MS = 15_000
const HEARTBEAT_MS = 1_000
/** Of a node in each heartbeat, whether anything happens or not: one in each partition, and the looks of the audit (`docs/architecture.md`). */
const IDLE_CALLS = 16 + 4
const TIMINGS = { ROLLCALL_HEARTBEAT_MS: String(HEARTBEAT_MS), ROLLCALL_HEARTBEAT_TTL_MS: '4000', ROLLCALL_PING_INTERVAL_MS: '10000', ROLLCALL_PING_TIMEOUT_MS: '10000' }
const CHANNELS = [HALL, roomOf(0), roomOf(1)]
const SCRIPTS = /^cmdstat_(?:evalsha|eval|fcall)(?:_ro)?:calls=(\d+)/gm

test(`${HERD} clients are cut off at once and return at once: nobody leaves in anybody's view, and all are resumed`, async () => {
  await ensureBuilt()
  const redis = await RedisServer.start(scope)
  const nodes = await Promise.all([1, 2].map(() => spawnNode(scope, { ...TIMINGS, REDIS_URL: redis.url })))
  const ports = nodes.map(({ port }) => port)
  const herd = await Herd.start(scope)
  const watchers = (await Promise.all(nodes.flatMap((node) => CHANNELS.map((channel) => watch(node, channel))))).flat()
  const [first] = nodes
  if (first === undefined) throw new Error('no node')
  const marker = await connectPlain(scope, 'marker', first, { transports: ['websocket'] })
  for (const channelName of CHANNELS) await marker.must('subscribe', { channelName, withPresence: false })

  await herd.arrive(HERD, PRESENCE_TIMEOUT_MS, ports)
  await marked(marker, watchers, 'arrived')
  const [before, since] = [await calls(redis), performance.now()]
  await herd.cut()
  // Their nodes have noticed: from here on deadlines run.
  await eventually('all are due', async () => (await dueInRedis(redis)) >= HERD, { withinMs: 30_000 })
  const { resumed, begunAnew, slowestMs, tries } = await herd.return(ports)
  await eventually('nobody is due any more', async () => (await dueInRedis(redis)) === 0, { withinMs: 30_000 })
  const idle = Math.ceil(((performance.now() - since) / HEARTBEAT_MS) * IDLE_CALLS * nodes.length)
  const spent = (await calls(redis)) - before - idle
  await marked(marker, watchers, 'returned')

  process.stderr.write(`the herd: ${HERD} back after ${slowestMs} ms, ${tries} tries, ${spent} calls to Redis beside ${idle} of an idle cluster\n`)
  expect({ resumed, begunAnew }).toEqual({ resumed: HERD, begunAnew: 0 })
  for (const { name, log } of watchers) {
    checkStays(log)
    const ends = log.events.filter(({ eventType, interval }) => ['REMOTE_LEAVE', 'REMOTE_TIMEOUT'].includes(eventType) || (interval?.leave.users ?? []).length + (interval?.timeout.users ?? []).length > 0)
    expect([name, ends]).toEqual([name, []])
  }
  for (const { port } of nodes) {
    expect(await occupancy(port, HALL)).toBe(HERD + 1)
    for (let room = 0; room < ROOMS; room += 1) expect(await occupancy(port, roomOf(room))).toBe(membersOf(room))
  }
  // A cut and a return are a lost connection, a login and a resume in three channels each: seven calls, were they not shared. How many
  // share one depends on how fast the machine is, and the slower it is the more.
  expect(spent).toBeLessThan(2 * HERD)
}, 300_000)

async function watch(node: SpawnedNode, channelName: string): Promise<Watcher> {
  const client = await connectPlain(scope, `watcher-of-${channelName}-${node.port}`, node, { transports: ['websocket'], reconnection: false })
  const watcher = client.watcher(channelName)
  await client.must('subscribe', { channelName, withPresence: true, beQuiet: true })
  return watcher
}

/** Every watcher has been told of all that was before this. */
async function marked(marker: PlainClient, watchers: readonly Watcher[], mark: string): Promise<void> {
  for (const channelName of CHANNELS) await marker.must('setState', { channelName, channelType: 'MESSAGE', states: { mark } })
  await Promise.all(
    watchers.map(({ log }) =>
      log.until(`the mark ${mark}`, () => {
        const told = log.events.some(({ publisher, stateChanged, interval }) => (publisher === 'marker' && stateChanged.mark === mark) || interval?.userStateList.some(({ userId, states }) => userId === 'marker' && states.mark === mark) === true)
        return told ? true : undefined
      }),
    ),
  )
}

/** How many scripts Redis has run: all that a node asks of it, but for messages to users. */
async function calls(redis: RedisServer): Promise<number> {
  const stats = String(await redis.command('INFO', 'commandstats'))
  return [...stats.matchAll(SCRIPTS)].reduce((sum, [, count]) => sum + Number(count), 0)
}

async function occupancy(port: number, channel: string): Promise<unknown> {
  return (((await http(port, `/v1/channels/MESSAGE/${channel}/members`)).json) as { readonly totalOccupancy?: unknown }).totalOccupancy
}

/** Those of the herd, and in two of the rooms the marker. */
function membersOf(room: number): number {
  const herd = Array.from({ length: HERD }, (_, number) => roomOf(number)).filter((name) => name === roomOf(room)).length
  return herd + (CHANNELS.includes(roomOf(room)) ? 1 : 0)
}
