import { expect, test } from '@jest/globals'

import { createNode, type Node } from '../../src/node.js'
import { http } from '../support/http.js'
import { SMALL_TIMINGS } from '../support/node.js'
import { connectPlain } from '../support/plain.js'
import { RedisServer } from '../support/redis.js'
import { useTestScope } from '../support/scope.js'

const scope = useTestScope()

async function makeNode(redis?: RedisServer): Promise<Node> {
  redis ??= await RedisServer.start(scope)
  const node = createNode({ host: '127.0.0.1', port: 0, logLevel: 'silent', drainMs: 500, ...SMALL_TIMINGS, redisUrl: redis.url })
  scope.defer('a node', () => node.close())
  return node
}

test('to listen twice is to listen once', async () => {
  const node = await makeNode()
  const [one, two] = await Promise.all([node.listen(), node.listen()])
  expect(two).toEqual(one)
  expect(await node.listen()).toEqual(one)
  await connectPlain(scope, 'ada', { url: `http://127.0.0.1:${one.port}`, port: one.port })
})

test('a node that is closed while it begins to listen has nothing open afterwards, and does not listen again', async () => {
  const node = await makeNode()
  const starting = node.listen().catch(() => null)
  await node.close()
  const started = await starting
  if (started !== null) await expect(http(started.port, '/livez')).rejects.toThrow()
  await expect(node.listen()).rejects.toThrow('closed')
})

test('a node that has closed is forgotten: the clocks of the partitions, which outlive it, have no number of its calls', async () => {
  const redis = await RedisServer.start(scope)
  const node = await makeNode(redis)
  const { port } = await node.listen()
  const ada = await connectPlain(scope, 'ada', { url: `http://127.0.0.1:${port}`, port })
  await ada.must('subscribe', { channelName: 'lobby' })
  await node.close()
  const clocks = await redis.keys('rollcall:{*}:clock')
  expect(clocks).toHaveLength(16)
  const fields = await Promise.all(clocks.map(async (clock) => Object.keys(await redis.hash(clock))))
  expect(fields.flat().filter((field) => field.startsWith('number:'))).toEqual([])
})
