import { expect, test } from '@jest/globals'

import { connectCrowd, inParts } from '../support/crowd.js'
import { spawnPair } from '../support/pair.js'
import type { Call } from '../support/redis-monitor.js'
import { useTestScope } from '../support/scope.js'

const scope = useTestScope()

const HEARTBEAT_MS = 1_000
const WINDOW_MS = 10_000
/** Of all that two nodes ask in a window, this much may fall on its one side or the other. */
const EDGE = 0.05

function byName(calls: readonly Call[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const { name } of calls) counts[name] = (counts[name] ?? 0) + 1
  return counts
}

test('what two nodes ask of Redis while nothing happens is the same with 100 sessions and with 5,000', async () => {
  const { redis, a, b } = await spawnPair(scope, {
    ROLLCALL_HEARTBEAT_MS: String(HEARTBEAT_MS),
    ROLLCALL_HEARTBEAT_TTL_MS: '15000',
    ROLLCALL_PRESENCE_TIMEOUT_MS: '60000',
    ROLLCALL_PING_INTERVAL_MS: '25000',
    ROLLCALL_PING_TIMEOUT_MS: '20000',
  })
  const join = async (from: number, count: number) => {
    const crowd = await connectCrowd(scope, [a, b], count, from)
    // 50 channels of up to 100 members each, one watcher in ten.
    await inParts(crowd, 200, (client, index) =>
      client.must('subscribe', { channelName: `idle-${(from + index) % 50}`, channelType: 'MESSAGE', withPresence: index % 10 === 0 }),
    )
  }
  const monitor = await redis.monitor(scope)

  await join(0, 100)
  const few = await monitor.during(WINDOW_MS)
  await join(100, 4_900)
  const many = await monitor.during(WINDOW_MS)

  const report = JSON.stringify({ few: byName(few), many: byName(many) })
  expect(few.length).toBeGreaterThan(0)
  expect([report, Math.abs(many.length - few.length) <= Math.ceil(EDGE * few.length) + 2]).toEqual([report, true])
  // Two nodes, 16 partitions, one heartbeat a second each; audits and probes are a fixed few on top of it.
  expect([report, few.length <= 2 * (16 + 8) * (WINDOW_MS / HEARTBEAT_MS)]).toEqual([report, true])
  const [key] = await redis.keys('rollcall:{*}:members:dev:MESSAGE:idle-7')
  expect(Object.keys(await redis.hash(key ?? ''))).toHaveLength(100 + 1)
}, 240_000)
