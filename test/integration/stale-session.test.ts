import { expect, test } from '@jest/globals'

import { DEFAULT_LIMITS } from '../../src/protocol/limits.js'
import { silentLogger } from '../../src/log.js'
import { createMetrics } from '../../src/metrics/index.js'
import { NodePresence } from '../../src/presence/node-presence.js'
import type { Channel, ChannelEvent } from '../../src/presence/types.js'
import { createStore } from '../../src/store/index.js'
import { RedisServer } from '../support/redis.js'
import { useTestScope } from '../support/scope.js'
import { eventually } from '../support/wait.js'

const scope = useTestScope()
const ROOM = { channelName: 'room', channelType: 'MESSAGE' } as const
const CHANNEL: Channel = { app: 'test', type: 'MESSAGE', name: 'room' }

let ids = 0

/** The domain of a node that nobody tells of what others do. All is in one partition: what a session is in, and the session itself. */
async function startDeaf(redis: RedisServer, nodeId: string) {
  const { store } = createStore({ target: { place: { kind: 'single', url: redis.url }, name: nodeId }, partitions: 1, node: nodeId, log: silentLogger })
  await store.open()
  const presence = new NodePresence(
    store,
    { nodeId, app: 'test', heartbeatMs: 100, leaseMs: 5_000, limits: DEFAULT_LIMITS, login: { mode: 'multi', most: 0 }, newId: () => `id${(ids += 1)}` },
    { onBeat: () => undefined, onDeadline: () => undefined, onLife: () => undefined, onSuperseded: () => undefined, onRemoved: () => undefined },
    createMetrics(nodeId),
    silentLogger,
  )
  scope.defer(`the domain of ${nodeId}`, async () => {
    await presence.stop()
    await store.close()
  })
  await presence.start()
  return { presence, store }
}

test('a session that went on elsewhere and ended there is not put back with a channel that is taken for damaged', async () => {
  const redis = await RedisServer.start(scope)
  const [a, b] = [await startDeaf(redis, 'a'), await startDeaf(redis, 'b')]
  const events: ChannelEvent[] = []
  await b.store.subscribe(CHANNEL, (event) => events.push(event))
  const ended: string[] = []
  const open = (presence: NodePresence, more: { readonly sessionId?: string; readonly attach?: number } = {}) =>
    presence.open({ userId: 'ann', timeoutMs: 10_000, onEnd: (reason) => ended.push(reason), ...more })

  const first = await open(a.presence)
  await a.presence.join(first, ROOM, { mood: 'happy' })
  const second = await open(b.presence, { sessionId: first.id, attach: first.attach + 1 })
  await b.presence.join(second, ROOM, {}, true)
  await b.presence.close(second)
  await eventually('she has left', async () => (await b.store.snapshot(CHANNEL)).members.size === 0)

  a.presence.members.reportDamaged(CHANNEL)
  await eventually('her first node finds that she is gone', () => ended.includes('ended') || ended.includes('superseded'))
  await eventually('and has nothing of her', () => a.presence.members.memberships.every(({ size }) => size === 0))
  expect(events.flatMap(({ changes }) => changes.map(({ kind }) => kind))).toEqual(['join', 'state', 'leave'])
  expect((await b.store.snapshot(CHANNEL)).members.size).toBe(0)
})
