import { beforeEach, expect, test } from '@jest/globals'

import { http } from '../support/http.js'
import { connectPlain } from '../support/plain.js'
import { RedisServer } from '../support/redis.js'
import { useTestScope } from '../support/scope.js'
import { eventually } from '../support/wait.js'
import { metric, startWebhookNode } from '../support/webhook-node.js'
import { WebhookServer } from '../support/webhook-server.js'

const scope = useTestScope()
let redis: RedisServer
let hooks: WebhookServer

beforeEach(async () => {
  redis = await RedisServer.start(scope)
  hooks = await WebhookServer.start(scope)
})

interface Failed {
  readonly id: string
  readonly receiver: string
  readonly type: string
}

async function failed(port: number, query = ''): Promise<readonly Failed[]> {
  return ((await http(port, `/v1/webhooks/failed${query}`)).json as { readonly failed: readonly Failed[] }).failed
}

const resend = (port: number, id: string, query = '') => http(port, `/v1/webhooks/failed/${encodeURIComponent(id)}/resend${query}`, { method: 'POST' })

test('what is given up is listed, the newest first, and sent again when asked for', async () => {
  const well = await WebhookServer.start(scope)
  const node = await startWebhookNode(scope, redis, [hooks, well], { limits: { webhookAttempts: 2 } })
  hooks.answer = () => 500
  const ada = await connectPlain(scope, 'ada', node)
  ada.socket.disconnect()
  const both = await eventually('both are given up', async () => {
    const list = await failed(node.port)
    return list.length === 2 && list
  })
  expect(well.taken).toHaveLength(2)
  const { id = '', receiver = '' } = both[0] ?? {}
  expect(both).toEqual([
    { id: hooks.received[2]?.id, receiver, type: '_clientOffline', timestamp: expect.any(String), data: expect.objectContaining({ peerId: 'ada', closeCode: 1 }), attempts: 2, lastError: 'HTTP 500', givenUpAt: expect.any(String) },
    { id: hooks.received[0]?.id, receiver, type: '_clientOnline', timestamp: expect.any(String), data: expect.objectContaining({ peerId: 'ada' }), attempts: 2, lastError: 'HTTP 500', givenUpAt: expect.any(String) },
  ])
  expect(await failed(node.port, '?limit=1')).toEqual(both.slice(0, 1))
  expect(await metric(node, 'rollcall_webhooks_given_up_total')).toBe(2)

  const refused = await resend(node.port, id)
  expect([refused.status, refused.json]).toEqual([502, { error: expect.objectContaining({ code: 'WEBHOOK_FAILED', errorCode: -20502, message: expect.stringContaining('HTTP 500') }) }])
  expect(await failed(node.port)).toHaveLength(2)
  hooks.answer = () => 204
  const before = hooks.received.length
  expect((await resend(node.port, id, `?receiver=${receiver}`)).json).toEqual({ id, receivers: [receiver] })
  expect(hooks.received.slice(before).map((received) => received.id)).toEqual([id])
  expect((await failed(node.port)).map((each) => each.id)).toEqual([both[1]?.id])
  expect([(await resend(node.port, id)).status, (await resend(node.port, 'no-such-id')).status]).toEqual([404, 404])
  expect((await resend(node.port, both[1]?.id ?? '', '?receiver=another')).status).toBe(404)
})

test.each(['?limit=0', '?limit=1001', '?limit=x', '?limit=1&limit=2'])('a list with %s is refused', async (query) => {
  const node = await startWebhookNode(scope, redis, [hooks])
  expect((await http(node.port, `/v1/webhooks/failed${query}`)).status).toBe(400)
})

test('a node without receivers has an empty list', async () => {
  const node = await startWebhookNode(scope, redis, [], { webhookUrls: undefined, webhookSecret: undefined })
  expect(await failed(node.port)).toEqual([])
  expect((await resend(node.port, 'any')).status).toBe(404)
  expect((await redis.keys('rollcall:{*}:outbox')).length).toBe(0)
})

test('what falls out of a full outbox is counted; the rest is delivered in order', async () => {
  const node = await startWebhookNode(scope, redis, [hooks], { partitions: 1, limits: { outboxEntries: 100, callsPerSecond: 10_000 } })
  let released = false
  hooks.answer = () => (released ? 200 : 500)
  const ada = await connectPlain(scope, 'ada', node)
  const channel = { channelName: 'lobby', channelType: 'MESSAGE' }
  await ada.must('subscribe', channel)
  // Redis lets go of a hundred at a time, and a deliverer holds up to a hundred in its hands.
  const changes = 500
  for (let n = 1; n <= changes; n += 1) await ada.must('setState', { ...channel, states: { n: String(n) } })
  expect(Number(await redis.command('XLEN', 'rollcall:{0}:outbox'))).toBeLessThan(400)
  released = true
  const last = () => hooks.taken.some(({ data }) => (data.states as { n?: string } | undefined)?.n === String(changes))
  await hooks.until('the last change', () => last(), 20_000)
  const dropped = await metric(node, 'rollcall_webhooks_dropped_total')
  expect(dropped).toBeGreaterThan(0)
  // An online, an occupied and a joined before them.
  expect(hooks.taken.length + dropped).toBe(changes + 3)
  const order = hooks.taken.flatMap(({ data }) => Number((data.states as { n?: string } | undefined)?.n ?? []))
  expect(order).toEqual([...order].sort((a, b) => a - b))
})
