import { expect, test } from '@jest/globals'

import type { RedisServer } from '../support/redis.js'
import { connect, uniqueChannel as unique } from '../support/client.js'
import { InvitationLog } from '../support/invitation-log.js'
import { useCluster } from '../support/node.js'
import { connectPlain } from '../support/plain.js'
import { useTestScope } from '../support/scope.js'
import { eventually } from '../support/wait.js'

const HEARTBEAT_MS = 300
const RECEIPT_MS = 2_000
const ANSWER_MS = 2_000
const cluster = useCluster({ heartbeatMs: HEARTBEAT_MS, limits: { invitationReceiptMs: RECEIPT_MS, invitationAnswerMs: ANSWER_MS, invitations: 1 } })
const scope = useTestScope()

async function loseTimers(redis: RedisServer): Promise<void> {
  const keys = await redis.keys('rollcall:{*}:timers')
  expect(keys).not.toEqual([])
  for (const key of keys) await redis.command('DEL', key)
}

test('V1: invitations end in time though the list of their deadlines was lost, and nobody asks after them', async () => {
  const ann = await connectPlain(scope, unique('ann'), cluster.a)
  const bob = await connect(scope, unique('bob'), cluster.b)
  const [log, bobLog] = [new InvitationLog(ann), new InvitationLog(bob)]
  const [received, sent] = [unique('call'), unique('call')]
  await ann.must('invite', { userId: bob.userId, id: received })
  await ann.must('invite', { userId: unique('nobody'), id: sent })
  await log.next(received, 'SENT')
  await log.next(received, 'RECEIVED')
  const lostAt = performance.now()
  await loseTimers(cluster.redis)
  expect(await log.end(received)).toMatchObject({ state: 'FAILED', reason: 'EXPIRED' })
  // It has its whole time once more. Timers of this process and of Redis may differ by a little.
  expect(performance.now() - lostAt).toBeGreaterThan(ANSWER_MS - 200)
  expect(await log.end(sent)).toMatchObject({ state: 'FAILED', reason: 'PEER_OFFLINE' })
  await bobLog.end(received)
  expect(bobLog.path(received)).toEqual(['SENT', 'RECEIVED', 'FAILED EXPIRED'])
})

test('a callee whom nobody could invite any more, since those who did have gone with their deadlines, can be invited again', async () => {
  const callee = unique('nobody')
  const ann = await connectPlain(scope, unique('ann'), cluster.a, { reconnection: false, auth: { presenceTimeout: 1_000 } })
  await ann.must('invite', { userId: callee, id: unique('call') })
  const eve = await connectPlain(scope, unique('eve'), cluster.b)
  ann.socket.io.engine.close()
  await loseTimers(cluster.redis)
  expect(await eve.send('invite', { userId: callee, id: unique('call') })).toMatchObject({ ok: false, error: { code: 'INVITATION_LIMIT' } })
  await eventually('there is room', async () => (await eve.send('invite', { userId: callee, id: unique('call') })).ok, { everyMs: 200 })
})
