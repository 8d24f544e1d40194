import { expect, test } from '@jest/globals'

import { PlainClient } from '../support/plain.js'
import { RedisServer } from '../support/redis.js'
import { useTestScope } from '../support/scope.js'
import { spawnWorkers } from '../support/spawned.js'
import { eventually } from '../support/wait.js'

const ROUNDS = 10
const AT_ONCE = 30

const scope = useTestScope()

test('a client that polls finds its session at the worker that has it, however many come at once', async () => {
  const redis = await RedisServer.start(scope)
  const workers = await spawnWorkers(scope, { REDIS_URL: redis.url }, 2)
  for (let round = 0; round < ROUNDS; round++) {
    const clients = Array.from({ length: AT_ONCE }, (_, number) => PlainClient.open(scope, `user-${round}-${number}`, workers, { transports: ['polling'], reconnection: false }))
    await Promise.all(clients.map((client) => client.untilReady()))
    const ended = clients.map(({ socket }) => new Promise<string>((resolve) => socket.once('disconnect', resolve)))
    const engines = clients.map(({ socket }) => socket.io.engine)
    for (const { socket } of clients) socket.disconnect()
    expect(new Set(await Promise.all(ended))).toEqual(new Set(['io client disconnect']))
    // A poll that is under way ends a little later.
    await eventually('all transports are closed', () => engines.every(({ readyState }) => readyState === 'closed'))
  }
})
