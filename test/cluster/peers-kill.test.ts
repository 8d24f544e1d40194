import { expect, test } from '@jest/globals'

import { connect, uniqueChannel } from '../support/client.js'
import { spawnPair } from '../support/pair.js'
import { PeerLog } from '../support/peer-log.js'
import { connectPlain } from '../support/plain.js'
import { useTestScope } from '../support/scope.js'
import { eventually, MACHINE_MS } from '../support/wait.js'

const scope = useTestScope()

const LEASE_MS = 1_000
const HEARTBEAT_MS = 250
const GRACE_MS = 2_500

test('002.9 users of a node that is killed are UNREACHABLE when its lease is over, ONLINE again elsewhere, or OFFLINE when their time is over', async () => {
  const { a, b } = await spawnPair(scope, { ROLLCALL_PRESENCE_TIMEOUT_MS: String(GRACE_MS), ROLLCALL_HEARTBEAT_TTL_MS: String(LEASE_MS), ROLLCALL_HEARTBEAT_MS: String(HEARTBEAT_MS) })
  const [gone, moves] = [uniqueChannel('gone'), uniqueChannel('moves')]
  const watcher = await connect(scope, 'watcher', b)
  const follower = await connect(scope, 'follower', [a, b])
  const logs = [new PeerLog(watcher), new PeerLog(follower)] as const
  await connectPlain(scope, gone, a, { reconnection: false })
  await connectPlain(scope, moves, a, { reconnection: false })
  for (const client of [watcher, follower]) expect(await client.peers.subscribe([gone, moves])).toEqual({ [gone]: 'ONLINE', [moves]: 'ONLINE' })

  const killedAt = Date.now()
  a.process.kill('SIGKILL')
  for (const user of [gone, moves]) await logs[0].next(user, 'UNREACHABLE')
  expect(Date.now() - killedAt).toBeLessThan(LEASE_MS + HEARTBEAT_MS + MACHINE_MS)
  await connectPlain(scope, moves, b)
  await logs[0].next(moves, 'ONLINE')
  const { lastSeen } = await logs[0].next(gone, 'OFFLINE')
  expect(lastSeen ?? 0).toBeGreaterThanOrEqual(killedAt + GRACE_MS)
  expect(logs[0].path(moves)).toEqual(['UNREACHABLE', 'ONLINE'])

  // The one who was on the node that is gone follows them on another one.
  await eventually('it knows', () => logs[1].path(gone).at(-1) === 'OFFLINE' && follower.peers.status(moves)?.status === 'ONLINE')
})
