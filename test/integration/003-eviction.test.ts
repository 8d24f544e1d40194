import { expect, test } from '@jest/globals'

import { useCluster } from '../support/node.js'
import { onOff, seenKey, statusOf } from '../support/on-off.js'
import { connectPlain } from '../support/plain.js'
import { eventually } from '../support/wait.js'

const cluster = useCluster()

test('003.10 a mark that Redis evicted reads null: still offline, never seen as far as anybody knows', async () => {
  const client = await connectPlain(cluster.scope, 'ada', cluster.a)
  client.socket.disconnect()
  const key = await eventually('ada is remembered', async () => seenKey(cluster.redis, 'ada'))
  expect(await onOff(cluster.b, ['ada'])).toEqual(['0'])
  // `volatile-lru` may take it: it is a string with a time to live, and nothing else hangs on it.
  expect([await cluster.redis.command('TYPE', key), Number(await cluster.redis.command('TTL', key)) > 604_000]).toEqual(['string', true])
  await cluster.redis.command('DEL', key)
  expect(await onOff(cluster.b, ['ada'])).toEqual([null])
  expect(await statusOf(cluster.a, 'ada')).toEqual({ userId: 'ada', status: 'OFFLINE', lastSeen: null })
})

test.each([['its sessions', ['sessions']], ['its members', ['members']], ['both', ['sessions', 'members']]] as const)(
  '003.10 a user who is connected does not stay missing when Redis lost the user\'s keys: %s',
  async (what, kinds) => {
    const user = `bob-${what.replace(' ', '-')}`
    const client = await connectPlain(cluster.scope, user, cluster.a)
    const keys = kinds.map((kind) => `:${kind}:dev:USER:${user}`)
    for (const end of keys) {
      const [key] = await cluster.redis.keys(`rollcall:{*}${end}`)
      expect(await cluster.redis.command('DEL', key ?? '')).toBe(1)
    }
    await eventually(`${user} is put back`, async () => {
      const held = await Promise.all(['sessions', 'members'].map((kind) => cluster.redis.keys(`rollcall:{*}:${kind}:dev:USER:${user}`)))
      return held.every((found) => found.length === 1) && JSON.stringify(await onOff(cluster.b, [user])) === '["1"]'
    }, { withinMs: 20_000 })
    expect(client.socket.connected).toBe(true)
    expect(client.kicks).toEqual([])
  },
)
