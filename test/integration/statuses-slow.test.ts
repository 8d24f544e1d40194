import { expect, test } from '@jest/globals'

import { connect } from '../support/client.js'
import { http } from '../support/http.js'
import { Link } from '../support/link.js'
import { startNode, useCluster, type NodeAddress } from '../support/node.js'
import { NoticeLog } from '../support/notice-log.js'
import { connectPlain } from '../support/plain.js'
import { useTestScope } from '../support/scope.js'

const cluster = useCluster()
const scope = useTestScope()

/** A status of nearly the most that is allowed: what the kernel holds for a client is soon full. */
const LARGE = 'x'.repeat(16_000)
const MOST_SAID = 2_000

async function metric({ port }: NodeAddress, row: string): Promise<number> {
  const { text } = await http(port, '/metrics')
  return Number(new RegExp(`^${row.replace(/[{}]/g, '\\$&')} (\\d+)$`, 'm').exec(text)?.[1] ?? 0)
}

test('I11: a client that does not read is not told what it has no room for; it is counted, costs nobody else anything, and hears what is said when it reads again', async () => {
  const node = await startNode(scope, { redisUrl: cluster.redis.url, pingIntervalMs: 60_000, pingTimeoutMs: 60_000, limits: { backlogBytes: 100_000, callsPerSecond: 10_000 } })
  const dropped = () => metric(node, 'rollcall_notices_dropped_total{kind="status"}')
  const wire = await Link.open(scope, node)
  const slow = new NoticeLog(await connectPlain(scope, 'bob', wire, { transports: ['websocket'], reconnection: false }))
  const other = new NoticeLog(await connectPlain(scope, 'bob', node))
  const friend = new NoticeLog(await connect(scope, 'carl', node))
  const ann = await connect(scope, 'ann', node)
  expect(await dropped()).toBe(0)

  wire.freeze()
  let said = 0
  while (said < MOST_SAID && (await dropped()) === 0) {
    for (let i = 0; i < 20; i += 1) {
      await ann.status.send(['bob', 'carl'], { show: (said += 1) % 32_768, status: LARGE })
    }
  }
  const [notTold, told] = [await dropped(), await metric(node, 'rollcall_notices_total{kind="status"}')]
  expect(notTold).toBeGreaterThan(0)
  for (const log of [other, friend]) for (let i = 1; i <= said; i += 1) expect(await log.next('ann')).toMatchObject({ show: i })
  expect(told).toBe(3 * said - notTold)

  wire.thaw()
  for (let i = 1; i <= said - notTold; i += 1) await slow.next('ann')
  await ann.status.send('bob', { show: -1 })
  const last = slow.from('ann').length
  expect((await slow.next('ann')).show).toBe(-1)
  expect(last).toBe(said - notTold)
  expect(slow.from('ann').slice(0, -1).every(({ show }, i, all) => i === 0 || (show ?? 0) > (all[i - 1]?.show ?? 0))).toBe(true)
})
