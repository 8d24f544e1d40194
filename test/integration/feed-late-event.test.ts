import { expect, test } from '@jest/globals'

import { parseChannelId } from '../../src/presence/types.js'
import { partitionOf } from '../../src/store/redis/keys.js'
import { useCluster } from '../support/node.js'
import { connectPlain } from '../support/plain.js'
import { useTestScope } from '../support/scope.js'
import { eventually } from '../support/wait.js'

const PARTITIONS = 16
const cluster = useCluster({ partitions: PARTITIONS })
const scope = useTestScope()

test('an event of an earlier life that comes late is looked into once, and what comes after it is told', async () => {
  const [channelName, channelType] = ['late', 'MESSAGE']
  const ada = await connectPlain(scope, 'ada', cluster.a)
  await ada.must('subscribe', { channelName, channelType, withPresence: true })
  const { log } = ada.watcher(channelName)
  await log.until('the SNAPSHOT', () => log.events.find(({ eventType }) => eventType === 'SNAPSHOT'))

  const id = `dev:${channelType}:${channelName}`
  const at = Date.now()
  const late = ['an-earlier-life', 'an-earlier-life.1', '0', String(at), 'join', '17', 'ghost', String(at), '', ''].join('\0')
  await cluster.redis.command('SPUBLISH', `rollcall:{${partitionOf(parseChannelId(id), PARTITIONS)}}:events:${id}`, late)
  await eventually('it was looked into', () => log.events.filter(({ eventType }) => eventType === 'SNAPSHOT').length === 2)

  const bob = await connectPlain(scope, 'bob', cluster.b)
  await bob.must('subscribe', { channelName, channelType })
  await log.until('the join of bob', () => log.events.find(({ eventType, publisher }) => eventType === 'REMOTE_JOIN' && publisher === 'bob'))
  expect(log.events.map(({ eventType }) => eventType)).toEqual(['SNAPSHOT', 'SNAPSHOT', 'REMOTE_JOIN'])
})
