import { expect, test } from '@jest/globals'
import { io } from 'socket.io-client'

import { startNode, useCluster } from '../support/node.js'
import { connectPlain } from '../support/plain.js'
import { useTestScope } from '../support/scope.js'
import { SECRET, tokenFor } from '../support/tokens.js'
import { eventually } from '../support/wait.js'
import { RedisServer } from '../support/redis.js'
import { wireChannel } from '../support/wire-suite.js'

const cluster = useCluster()
const scope = useTestScope()

test('a session that is opened elsewhere: its older connection is told, stops for good, and others see nothing', async () => {
  const channel = wireChannel()
  const watcher = await connectPlain(scope, 'watcher', cluster.a)
  await watcher.must('subscribe', { ...channel, beQuiet: true })
  const older = await connectPlain(scope, 'ada', cluster.a)
  await older.must('subscribe', channel)
  const { sessionId } = older.ready

  const newer = await connectPlain(scope, 'ada', cluster.b, { auth: { sessionId } })
  await newer.must('subscribe', { ...channel, states: { from: 'b' } })
  await eventually('the older connection is told', () => older.kicks.length === 1 && !older.socket.connected)
  expect(older.kicks[0]?.errorCode).toBe(-10_027)
  expect(older.socket.active).toBe(false)

  const { log } = watcher.watcher(channel.channelName)
  await log.until('the state that the newer one set', () => log.events.find((event) => event.stateChanged.from === 'b'))
  expect(log.events.map(({ eventType }) => eventType)).toEqual(['SNAPSHOT', 'REMOTE_JOIN', 'REMOTE_STATE_CHANGED'])
})

test('a resume of a channel whose stay has ended begins one with the states that came along, and with a SNAPSHOT', async () => {
  const channel = wireChannel()
  const ada = await connectPlain(scope, 'ada', cluster.a)
  const { version } = await ada.must('subscribe', channel)
  const { log } = ada.watcher(channel.channelName)
  const { life } = await log.until('the SNAPSHOT', () => log.events[0])
  const since = { life, version }
  await ada.must('unsubscribe', channel)
  const reply = await ada.must('resume', { channels: [{ ...channel, since, states: { n: '1' } }] })
  expect(reply.channels).toMatchObject([{ result: 'snapshot' }])
  expect((await ada.must('getState', { ...channel, userId: 'ada' })).states).toEqual({ n: '1' })
})

test('pages of other origins get no connection where origins are set; the node\'s own and those that are named do', async () => {
  const redis = await RedisServer.start(scope)
  const node = await startNode(scope, { redisUrl: redis.url, secret: SECRET, corsOrigins: ['https://app.example.com'] })
  const attempt = async (origin: string): Promise<string> => {
    const socket = io(node.url, {
      forceNew: true,
      reconnection: false,
      transports: ['websocket'],
      extraHeaders: { origin },
      auth: { appId: 'dev', userId: 'ada', token: tokenFor('ada') },
    })
    scope.defer('a page\'s socket', () => {
      socket.disconnect()
    })
    return new Promise((resolve) => {
      socket.once('ready', () => resolve('ready'))
      socket.once('connect_error', () => resolve('refused'))
    })
  }
  expect(await attempt('https://app.example.com')).toBe('ready')
  expect(await attempt(node.url)).toBe('ready')
  expect(await attempt('https://evil.example.com')).toBe('refused')
})

test('a token that ended a moment ago is let in, for clocks differ, and stays as long', async () => {
  const redis = await RedisServer.start(scope)
  const node = await startNode(scope, { redisUrl: redis.url, secret: SECRET })
  const ada = await connectPlain(scope, 'ada', node, { auth: { token: tokenFor('ada', { ttlS: -2 }) } })
  const reply = await ada.send('whereNow', { userId: 'ada' })
  expect(reply.ok).toBe(true)
  await eventually('it ends when the tolerance does', () => ada.tokens.includes('EXPIRED'))
})

test('states of a resume change nothing in a stay that goes on, and go beneath another session\'s where one begins', async () => {
  const channel = wireChannel()
  const ada = await connectPlain(scope, 'ada', cluster.a)
  await ada.must('subscribe', { ...channel, states: { n: 'new' } })
  await ada.must('resume', { channels: [{ ...channel, states: { n: 'old', m: '1' } }] })
  expect((await ada.must('getState', { ...channel, userId: 'ada' })).states).toEqual({ n: 'new' })

  const tab = await connectPlain(scope, 'ada', cluster.b)
  await tab.must('resume', { channels: [{ ...channel, states: { n: 'old', m: '1' } }] })
  expect((await tab.must('getState', { ...channel, userId: 'ada' })).states).toEqual({ n: 'new', m: '1' })
})

test('a resume with states that its token may not write continues without them', async () => {
  const redis = await RedisServer.start(scope)
  const node = await startNode(scope, { redisUrl: redis.url, secret: SECRET })
  const channel = wireChannel()
  const token = tokenFor('ada', { channels: [{ type: channel.channelType, name: channel.channelName, can: ['join', 'watch'] }] })
  const ada = await connectPlain(scope, 'ada', node, { auth: { token } })
  await ada.must('resume', { channels: [{ ...channel, states: { n: '1' } }] })
  expect((await ada.must('getState', { ...channel, userId: 'ada' })).states).toEqual({})
})
