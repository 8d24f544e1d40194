import { expect, test } from '@jest/globals'

import { RedisServer } from '../support/redis.js'
import { connectPlain } from '../support/plain.js'
import { useTestScope } from '../support/scope.js'
import { spawnNode, type SpawnedNode } from '../support/spawned.js'
import { eventually } from '../support/wait.js'
import { WEBHOOK_SECRET, WebhookServer } from '../support/webhook-server.js'

const scope = useTestScope()

/** Two nodes, the first of which owns all deliveries. */
async function startOwner(): Promise<{ readonly hooks: WebhookServer; readonly owner: SpawnedNode; readonly other: SpawnedNode }> {
  const redis = await RedisServer.start(scope)
  const hooks = await WebhookServer.start(scope)
  const env = { REDIS_URL: redis.url, ROLLCALL_WEBHOOK_URLS: hooks.url, ROLLCALL_WEBHOOK_SECRET: WEBHOOK_SECRET, ROLLCALL_WEBHOOK_ALLOW_PRIVATE: 'true' }
  const claims = async () => (await Promise.all((await redis.keys('rollcall:{*}:claims')).map(async (key) => Object.values(await redis.hash(key))))).flat()
  const owner = await spawnNode(scope, env)
  await eventually('it owns all', async () => (await claims()).length === 16)
  const other = await spawnNode(scope, env)
  expect(new Set((await claims()).map((claim) => claim.split(' ')[0])).size).toBe(1)
  return { hooks, owner, other }
}

async function kill(role: 'owner' | 'other'): Promise<void> {
  const { hooks, ...nodes } = await startOwner()
  const killed = nodes[role]
  hooks.answer = () => 503
  const users = ['ada', 'bob', 'cem', 'dan']
  for (const user of users) await connectPlain(scope, user, killed, { reconnection: false, transports: ['websocket'] })
  // Some of them may be in one partition, where one waits for the other.
  await hooks.until('an attempt', () => hooks.received.length > 1)
  const ids = new Map(hooks.received.map(({ data, id }) => [data.peerId, id]))
  killed.process.kill('SIGKILL')
  hooks.answer = () => 200
  await hooks.until('all are told of', () => users.every((user) => hooks.statusOf(user).length === 2), 20_000)
  for (const user of users) expect(hooks.statusOf(user)).toEqual(['_clientOnline', '_clientOffline 2'])
  for (const [user, id] of ids) expect(hooks.taken.find(({ data }) => data.peerId === user)?.id).toBe(id)
  expect(hooks.taken).toHaveLength(2 * users.length)
}

test('003.9: kill -9 of a node with an event in its hands: another one delivers it, under its id, and says once that the users are gone', () => kill('owner'), 60_000)

test('003.9: kill -9 of a node whose event another one delivers: the same', () => kill('other'), 60_000)
