import { expect, test } from '@jest/globals'

import { connectCrowd, inParts } from '../support/crowd.js'
import { spawnPair } from '../support/pair.js'
import { useTestScope } from '../support/scope.js'
import { eventually } from '../support/wait.js'

const scope = useTestScope()

const CHANNELS = 20_000
const CLIENTS = 4

test('20,000 channels are joined and left: the number of keys is back where it was', async () => {
  const limits = { channelsPerClient: CHANNELS, callsPerSecond: 1_000_000, pendingRequests: 10_000 }
  // As at work: on a busy machine nobody shall lose a lease over it.
  const { redis, a, b } = await spawnPair(scope, {
    ROLLCALL_LIMITS: JSON.stringify(limits),
    ROLLCALL_HEARTBEAT_MS: '2000',
    ROLLCALL_HEARTBEAT_TTL_MS: '15000',
    ROLLCALL_PING_INTERVAL_MS: '20000',
    ROLLCALL_PING_TIMEOUT_MS: '20000',
  })
  const clients = await connectCrowd(scope, [a, b], CLIENTS)
  const share = Array.from({ length: CHANNELS / CLIENTS }, (_, index) => index)
  const names = (client: number) => share.map((index) => `churn-${client}-${index}`)
  const size = async () => Number(await redis.command('DBSIZE'))

  // What comes with the first join of a node is there before anything is counted.
  await Promise.all(clients.map((client, number) => client.must('subscribe', { channelName: `warm-${number}`, channelType: 'MESSAGE' })))
  await Promise.all(clients.map((client, number) => client.must('unsubscribe', { channelName: `warm-${number}`, channelType: 'MESSAGE' })))
  const before = await redis.keys()

  await Promise.all(
    clients.map(async (client, number) => {
      // One in fifty is watched as well, so that feeds come and go.
      await inParts(names(number), 500, (channelName, index) => client.must('subscribe', { channelName, channelType: 'MESSAGE', withPresence: index % 50 === 0 }))
    }),
  )
  expect(await size()).toBeGreaterThanOrEqual(before.length + 2 * CHANNELS)
  expect(await redis.keysThatStay()).toEqual(['rollcall:partitions'])
  await Promise.all(
    clients.map(async (client, number) => {
      await inParts(names(number), 500, (channelName) => client.must('unsubscribe', { channelName, channelType: 'MESSAGE' }))
    }),
  )

  await eventually('the number of keys is back where it was', async () => (await size()) <= before.length)
  expect(await redis.keys()).toEqual(before)
}, 180_000)
