import { beforeAll, expect, test } from '@jest/globals'

import type { LoginMode } from '../../src/config.js'
import { http } from '../support/http.js'
import { Link } from '../support/link.js'
import { startNode, type TestNode } from '../support/node.js'
import { connectPlain, PlainClient } from '../support/plain.js'
import { RedisServer } from '../support/redis.js'
import { useFileScope, useTestScope } from '../support/scope.js'
import { eventually } from '../support/wait.js'

const fileScope = useFileScope()
const scope = useTestScope()
let redis: RedisServer

beforeAll(async () => {
  redis = await RedisServer.start(fileScope)
})

let users = 0
const someUser = (): string => `user-${++users}`

async function nodes(login: LoginMode, maxSessions?: number): Promise<readonly [TestNode, TestNode]> {
  const options = { redisUrl: redis.url, login, ...(maxSessions === undefined ? {} : { maxSessions }) }
  return [await startNode(scope, options), await startNode(scope, options)]
}

async function refusal(user: string, node: TestNode, auth: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
  return PlainClient.open(scope, user, node, { auth, reconnection: false }).untilRefused()
}

async function expectReplaced(client: PlainClient): Promise<void> {
  await eventually(`${client.user} is told`, () => client.kicks.length > 0 && !client.socket.connected)
  expect(client.kicks).toEqual([{ reason: expect.stringContaining('another login'), errorCode: -10_027 }])
  expect(client.socket.active).toBe(false)
}

test('replace: another login ends the first, on whichever node; it leaves at once, is told why and does not come back', async () => {
  const [a, b] = await nodes('replace')
  const user = someUser()
  const channel = { channelName: `lobby-${user}` }
  const watcher = await connectPlain(scope, someUser(), b)
  await watcher.must('subscribe', { ...channel, beQuiet: true })
  const first = await connectPlain(scope, user, a)
  await first.must('subscribe', channel)
  const { log } = watcher.watcher(channel.channelName)
  await log.until('the join', () => log.events.find(({ eventType }) => eventType === 'REMOTE_JOIN'))

  await connectPlain(scope, user, b)
  await expectReplaced(first)
  await log.until('the leave', () => log.events.find(({ eventType }) => eventType === 'REMOTE_LEAVE'))
  expect(await refusal(user, a, { sessionId: first.ready.sessionId, attach: first.ready.attach + 1 })).toMatchObject({ code: 'DUPLICATE_USER_ID', retryable: false })
})

test('reject: a second login is refused while the first has a connection, and let in when it has lost it', async () => {
  const [a, b] = await nodes('reject')
  const user = someUser()
  const link = await Link.open(scope, a)
  const first = await connectPlain(scope, user, link, { reconnection: false })
  expect(await refusal(user, b)).toMatchObject({ code: 'LOGIN_REJECTED', errorCode: -10_012, retryable: false })
  expect(first.socket.connected).toBe(true)

  link.cut()
  const letIn = async (): Promise<boolean> =>
    PlainClient.open(scope, user, b, { reconnection: false })
      .untilReady()
      .then(
        () => true,
        () => false,
      )
  await eventually('the node has noticed, and lets the next one in', letIn, { everyMs: 100 })
  expect(await refusal(user, a, { sessionId: first.ready.sessionId, attach: first.ready.attach + 1 })).toMatchObject({ code: 'DUPLICATE_USER_ID' })
})

test('what a session without a connection was in waits for the login that came instead, and leaves with it', async () => {
  const [a, b] = await nodes('reject')
  const user = someUser()
  const [lobby, attic] = [`lobby-${user}`, `attic-${user}`]
  const watcher = await connectPlain(scope, someUser(), b)
  await watcher.must('subscribe', { channelName: lobby, beQuiet: true })
  const link = await Link.open(scope, a)
  const first = await connectPlain(scope, user, link, { reconnection: false, auth: { presenceTimeout: 60_000 } })
  for (const channelName of [lobby, attic]) await first.must('subscribe', { channelName })
  link.cut()
  await eventually('its node knows', async () => ((await http(b.port, `/v1/users/${user}/status`)).json as { status: string }).status === 'UNREACHABLE')
  const second = await connectPlain(scope, user, b)
  await second.must('subscribe', { channelName: lobby })
  await second.must('unsubscribe', { channelName: lobby })
  const { log } = watcher.watcher(lobby)
  const ended = await log.until('its end', () => log.events.find(({ eventType }) => eventType === 'REMOTE_LEAVE' || eventType === 'REMOTE_TIMEOUT'))
  expect(ended.eventType).toBe('REMOTE_LEAVE')
  expect(log.events.filter(({ eventType }) => eventType === 'REMOTE_JOIN')).toHaveLength(1)
  second.socket.disconnect()
  await eventually('nothing is left of it', async () => ((await watcher.must('whereNow', { userId: user })).channels as unknown[]).length === 0)
})

test('two logins that race on two nodes: under reject one is let in, under replace one is left', async () => {
  for (const mode of ['reject', 'replace'] as const) {
    const [a, b] = await nodes(mode)
    for (let round = 0; round < 5; round++) {
      const user = someUser()
      const racing = [a, b, a, b].map((node) => PlainClient.open(scope, user, node, { reconnection: false }))
      await Promise.all(racing.map((client) => client.untilReady().catch(() => null)))
      await eventually(`one session of ${user} under ${mode}`, () => racing.filter(({ socket }) => socket.connected).length === 1)
    }
  }
})

test('a limit of devices: reject refuses the one too many, replace ends the oldest', async () => {
  const [a, b] = await nodes('reject', 2)
  const user = someUser()
  await connectPlain(scope, user, a)
  await connectPlain(scope, user, b)
  expect(await refusal(user, a)).toMatchObject({ code: 'LOGIN_REJECTED' })

  const [c, d] = await nodes('replace', 2)
  const other = someUser()
  const oldest = await connectPlain(scope, other, c)
  const second = await connectPlain(scope, other, d)
  await connectPlain(scope, other, c)
  await expectReplaced(oldest)
  expect(second.socket.connected).toBe(true)
})

test('a session with the same tag is replaced first, also where any number may be logged in', async () => {
  const [a, b] = await nodes('multi')
  const user = someUser()
  const phone = await connectPlain(scope, user, a, { auth: { tag: 'phone' } })
  const laptop = await connectPlain(scope, user, a, { auth: { tag: 'laptop' } })
  const untagged = await connectPlain(scope, user, b)
  await connectPlain(scope, user, b, { auth: { tag: 'phone' } })
  await expectReplaced(phone)
  expect([laptop.socket.connected, untagged.socket.connected]).toEqual([true, true])
})

test('a session that comes back is the same one, whatever the policy', async () => {
  const [a, b] = await nodes('reject')
  const user = someUser()
  const first = await connectPlain(scope, user, a, { auth: { tag: 'phone' } })
  const { sessionId } = first.ready
  const again = await connectPlain(scope, user, b, { auth: { sessionId, tag: 'phone' } })
  expect(again.ready).toMatchObject({ sessionId, resumed: true })
})
