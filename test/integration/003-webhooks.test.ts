import { beforeEach, expect, test } from '@jest/globals'

import type { WebhookMessage } from '../../src/protocol/webhooks.js'
import { http } from '../support/http.js'
import { startNode } from '../support/node.js'
import { connectPlain } from '../support/plain.js'
import { RedisServer } from '../support/redis.js'
import { useTestScope } from '../support/scope.js'
import { elapse, eventually } from '../support/wait.js'
import { metric, startWebhookNode } from '../support/webhook-node.js'
import { WebhookServer } from '../support/webhook-server.js'

const scope = useTestScope()
let redis: RedisServer
let hooks: WebhookServer

beforeEach(async () => {
  redis = await RedisServer.start(scope)
  hooks = await WebhookServer.start(scope)
})

test('003.6: who comes and goes is told, signed, in order for one user, by two nodes and to every URL', async () => {
  const other = await WebhookServer.start(scope)
  const [a, b] = await Promise.all([startWebhookNode(scope, redis, [hooks, other]), startWebhookNode(scope, redis, [hooks, other])])
  for (let round = 0; round < 5; round += 1) {
    const ada = await connectPlain(scope, 'ada', round % 2 === 0 ? a : b, { auth: { tag: 'web' } })
    ada.socket.disconnect()
  }
  const whole = Array.from({ length: 5 }, () => ['_clientOnline', '_clientOffline 1']).flat()
  for (const server of [hooks, other]) {
    await server.until('ten events', () => server.statusOf('ada').length === 10)
    expect(server.statusOf('ada')).toEqual(whole)
    expect(server.received).toHaveLength(10)
  }
  const [online, offline] = hooks.taken
  expect(online?.data).toEqual({ peerId: 'ada', sourceIP: expect.stringContaining('127.0.0.1'), tag: 'web' })
  expect(offline?.data).toEqual({ peerId: 'ada', closeCode: 1, closeMsg: 'logout', sourceIP: expect.stringContaining('127.0.0.1'), tag: 'web' })
  expect(new Date(online?.timestamp ?? '').toISOString()).toBe(online?.timestamp)
  expect(other.taken.map(({ id }) => id)).toEqual(hooks.taken.map(({ id }) => id))
})

test('003.6: who times out is told of, also where a node of another app on the same Redis finds out, which has no webhooks itself', async () => {
  const node = await startWebhookNode(scope, redis, [hooks], { appId: 'told' })
  const users = Array.from({ length: 20 }, (_, i) => `user-${i}`)
  for (const user of users) await connectPlain(scope, user, node, { reconnection: false, auth: { appId: 'told' } })
  await hooks.until('all are online', () => users.every((user) => hooks.statusOf(user).length === 1))
  await startNode(scope, { redisUrl: redis.url, appId: 'untold' })
  await node.close()
  await eventually('all are gone', async () => (await redis.keys('rollcall:{*}:seen:told:*')).length === users.length)
  await startWebhookNode(scope, redis, [hooks], { appId: 'told' })
  await hooks.until('and told of', () => users.every((user) => hooks.statusOf(user).length === 2))
  for (const user of users) expect(hooks.statusOf(user)).toEqual(['_clientOnline', '_clientOffline 2'])
})

test('003.7: what ended a session is told, and a login that replaces one', async () => {
  const node = await startWebhookNode(scope, redis, [hooks], { login: 'replace' })
  const first = await connectPlain(scope, 'ada', node, { auth: { tag: 'web' } })
  await connectPlain(scope, 'ada', node, { auth: { tag: 'web' } })
  await hooks.until('a replacement', () => hooks.statusOf('ada').length === 3)
  expect(hooks.taken.map(({ type, data }) => [type, data.closeCode, data.reconnect])).toEqual([
    ['_clientOnline', undefined, undefined],
    ['_clientOffline', 3, undefined],
    ['_clientOnline', undefined, true],
  ])
  first.socket.disconnect()
  await http(node.port, '/v1/users/ada/disconnect', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"reason":"maintenance"}' })
  await hooks.until('a kick', () => hooks.statusOf('ada').includes('_clientOffline 4'))
  expect(hooks.taken.at(-1)?.data).toMatchObject({ peerId: 'ada', closeCode: 4, errorCode: -10002, errorMsg: 'maintenance' })
  const bob = await connectPlain(scope, 'bob', node, { reconnection: false })
  bob.socket.io.engine.close()
  await hooks.until('a lost connection', () => hooks.statusOf('bob').length === 2)
  expect(hooks.taken.at(-1)?.data).toEqual({ peerId: 'bob', closeCode: 2, closeMsg: 'connection lost' })
})

test('members and channels are told of too, and functions hear what servers hear', async () => {
  const heard: WebhookMessage[] = []
  const receiver = { name: 'function', deliver: async (message: WebhookMessage) => void heard.push(message) }
  const node = await startWebhookNode(scope, redis, [hooks], { receivers: [receiver] })
  const channel = { channelName: 'lobby', channelType: 'MESSAGE' }
  const ada = await connectPlain(scope, 'ada', node)
  await ada.must('subscribe', channel)
  await ada.must('setState', { ...channel, states: { mood: 'happy' } })
  await ada.must('unsubscribe', channel)
  const ofChannel = <T extends { readonly type: string; readonly data: object }>(list: readonly T[]) =>
    list.filter(({ data }) => 'channelName' in data).map(({ type, data }) => [type, data])
  const expected = [
    ['channel.occupied', channel],
    ['member.joined', { ...channel, userId: 'ada' }],
    ['member.state', { ...channel, userId: 'ada', states: { mood: 'happy' } }],
    ['member.left', { ...channel, userId: 'ada' }],
    ['channel.vacated', channel],
  ]
  await hooks.until('five events', () => ofChannel(hooks.taken).length === 5)
  expect(ofChannel(hooks.taken)).toEqual(expected)
  await eventually('the function heard them', () => ofChannel(heard).length === 5)
  expect(ofChannel(heard)).toEqual(expected)
})

test('a receiver that fails three times is asked again after 0.5, 1 and 2 s, under one id, and keeps the order', async () => {
  const node = await startWebhookNode(scope, redis, [hooks])
  let failures = 3
  hooks.answer = () => (failures-- > 0 ? 500 : 200)
  const began = performance.now()
  const ada = await connectPlain(scope, 'ada', node)
  ada.socket.disconnect()
  expect(performance.now() - began).toBeLessThan(3_000)
  await hooks.until('both events', () => hooks.taken.length === 2)
  expect(hooks.received.map(({ type, status }) => [type, status])).toEqual([
    ...Array.from({ length: 3 }, () => ['_clientOnline', 500]),
    ['_clientOnline', 200],
    ['_clientOffline', 200],
  ])
  expect(new Set(hooks.received.map(({ id }) => id)).size).toBe(2)
  const pauses = hooks.received.slice(1, 4).map(({ at }, index) => at - (hooks.received[index]?.at ?? 0))
  for (const [index, expected] of [500, 1_000, 2_000].entries()) {
    expect(pauses[index]).toBeGreaterThanOrEqual(0.85 * expected)
    expect(pauses[index]).toBeLessThanOrEqual(1.1 * expected + 2_000)
  }
  expect(await metric(node, 'rollcall_webhooks_retried_total')).toBe(3)
  expect(await metric(node, 'rollcall_webhooks_delivered_total')).toBe(2)
})

test('a receiver that is down has everything once it is up again', async () => {
  const node = await startWebhookNode(scope, redis, [hooks])
  await hooks.down()
  for (const user of ['ada', 'bob', 'cem']) (await connectPlain(scope, user, node)).socket.disconnect()
  await elapse(700)
  await hooks.up()
  await hooks.until('all events', () => hooks.taken.length === 6)
  for (const user of ['ada', 'bob', 'cem']) expect(hooks.statusOf(user)).toEqual(['_clientOnline', '_clientOffline 1'])
  expect(hooks.received).toHaveLength(6)
})

test('a receiver that is slow, or hangs, delays no other one and no login', async () => {
  const [slow, stuck] = await Promise.all([WebhookServer.start(scope), WebhookServer.start(scope)])
  const node = await startWebhookNode(scope, redis, [hooks, slow, stuck], { partitions: 1 })
  slow.answer = () => elapse(250).then(() => 200)
  let free: (status: number) => void = () => undefined
  const freed = new Promise<number>((resolve) => (free = resolve))
  stuck.answer = () => freed
  const users = Array.from({ length: 10 }, (_, index) => `user-${index}`)
  for (const user of users) (await connectPlain(scope, user, node)).socket.disconnect()
  await hooks.until('all events', () => hooks.taken.length === 20)
  expect(slow.taken.length).toBeLessThan(20)
  await slow.until('all events, slowly', () => slow.taken.length === 20)
  expect(slow.taken.map(({ id }) => id)).toEqual(hooks.taken.map(({ id }) => id))
  expect(stuck.received).toHaveLength(1)
  free(200)
  await stuck.until('all events, late', () => stuck.taken.length === 20)
})

test('a flush tells nobody twice, and what happens after it is told', async () => {
  const nodes = await Promise.all([startWebhookNode(scope, redis, [hooks]), startWebhookNode(scope, redis, [hooks])])
  const clients = await Promise.all(nodes.map((node, index) => connectPlain(scope, `user-${index}`, node)))
  await hooks.until('both are online', () => hooks.taken.length === 2)
  await redis.command('FLUSHALL')
  await eventually('everybody is put back', async () => (await redis.keys('rollcall:{*}:members:dev:USER:*')).length === 2)
  await elapse(1_500)
  expect(hooks.received.map(({ type }) => type)).toEqual(['_clientOnline', '_clientOnline'])
  for (const client of clients) client.socket.disconnect()
  await hooks.until('both are offline', () => hooks.taken.length === 4)
  await elapse(500)
  for (const index of [0, 1]) expect(hooks.statusOf(`user-${index}`)).toEqual(['_clientOnline', '_clientOffline 1'])
  expect(hooks.received).toHaveLength(4)
})
