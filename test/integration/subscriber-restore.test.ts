import { expect, test } from '@jest/globals'

import { silentLogger } from '../../src/log.js'
import { createStore } from '../../src/store/index.js'
import { alteredRedis } from '../support/altered-redis.js'
import { RedisServer } from '../support/redis.js'
import { useTestScope } from '../support/scope.js'
import { eventually } from '../support/wait.js'

const scope = useTestScope()

test('a connection that ends while it is being subscribed again does not end the process', async () => {
  const redis = await RedisServer.start(scope)
  let mute = false
  const url = await alteredRedis(scope, redis, (said) => (mute && said.includes('ssubscribe') ? '' : said))
  const { store } = createStore({ target: { place: { kind: 'single', url }, name: 'n' }, partitions: 1, node: 'n', log: silentLogger })
  scope.defer('the store', () => store.close())
  await store.open()
  const subscribers = async (): Promise<number> => String(await redis.command('CLIENT', 'LIST', 'TYPE', 'pubsub')).split('\n').filter((row) => row !== '').length

  expect(await subscribers()).toBe(1)
  mute = true
  for (let cut = 1; cut <= 3; cut += 1) {
    // The last time its Redis answers again.
    if (cut === 3) mute = false
    await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await eventually('it has asked to be subscribed again', async () => (await subscribers()) === 1)
  }
  await eventually('it hears again', () => store.probe(0).then(() => true))
})
