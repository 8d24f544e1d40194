import { describe, expect, test } from '@jest/globals'

import type { MessageEvent } from '../../src/protocol/events.js'
import { connect, createClient, LinkLog, uniqueChannel } from '../support/client.js'
import { http } from '../support/http.js'
import { Link } from '../support/link.js'
import { MessageLog } from '../support/message-log.js'
import { talk } from '../support/message-traffic.js'
import { startNode, useCluster } from '../support/node.js'
import { connectPlain, PlainClient } from '../support/plain.js'
import { useTestScope } from '../support/scope.js'
import { TcpProxy } from '../support/tcp-proxy.js'
import { elapse, eventually, MACHINE_MS } from '../support/wait.js'

const WAIT_MS = 1_000
const PRESENCE_MS = 1_000
const LIMITS = { messageWaitMs: WAIT_MS, messagesPerSecond: 10_000, pendingRequests: 10_000, callsPerSecond: 10_000 }
const cluster = useCluster({ presenceTimeoutMs: PRESENCE_MS, limits: LIMITS })
const scope = useTestScope()

const unique = (name: string): string => uniqueChannel(name)
const sender = () => connect(scope, unique('ann'), cluster.a)
const KEEP = { offline: true } as const

/** The keys of a user's messages, with how long each lasts, in seconds. */
async function keysOf(user: string): Promise<Record<string, number>> {
  const keys = (await cluster.redis.keys(`rollcall:*:${user}*`)).filter((key) => /:(inbox|kept|heard):/.test(key))
  const entries = await Promise.all(keys.map(async (key) => [key.replace(/^rollcall:\{\d+\}:(\w+):.*$/, '$1'), Number(await cluster.redis.command('TTL', key))] as const))
  return Object.fromEntries(entries)
}

async function metricOf({ port }: { readonly port: number }, name: string): Promise<number> {
  const { text } = await http(port, '/metrics')
  return Number(text.split('\n').find((line) => line.startsWith(`${name} `))?.slice(name.length))
}

describe('002.13 a message to somebody who is not there', () => {
  test('is not received now, and comes after the next login, once, as an offline one', async () => {
    const ann = await sender()
    const bob = unique('bob')
    const sent = [await ann.messages.send(bob, 'one', KEEP), await ann.messages.send(bob, 'lost'), await ann.messages.send(bob, 'two', KEEP)]
    expect(sent.map(({ received }) => received)).toEqual([false, false, false])
    const first = createClient(scope, bob, cluster.b)
    const log = MessageLog.of(first)
    await first.login()
    expect(await log.all(2)).toEqual(['one', 'two'])
    expect(log.seen).toMatchObject([{ from: ann.userId, offline: true, timestamp: sent[0]?.timestamp }, { offline: true, timestamp: sent[2]?.timestamp }])
    await eventually('nothing is kept any more', async () => (await keysOf(bob)).inbox === undefined)

    await first.logout()
    const second = MessageLog.of(await connect(scope, bob, cluster.a))
    await ann.messages.send(bob, 'three', KEEP)
    expect(await second.all(1)).toEqual(['three'])
    expect(second.seen[0]?.offline).toBe(false)
  })

  test('comes to clients that are not the SDK, again with each login until it is acknowledged', async () => {
    const ann = await sender()
    const bob = unique('bob')
    await ann.messages.send(bob, 'hello', KEEP)
    for (const node of [cluster.a, cluster.b]) {
      const plain = PlainClient.open(scope, bob, node)
      const log = MessageLog.ofPlain(plain, { acknowledges: false })
      expect(await log.next()).toMatchObject({ text: 'hello', offline: true, life: expect.any(String), position: expect.any(Number) })
      plain.socket.disconnect()
    }
    const log = MessageLog.ofPlain(PlainClient.open(scope, bob, cluster.a))
    expect(await log.all(1)).toEqual(['hello'])
    await eventually('nothing is kept any more', async () => (await keysOf(bob)).inbox === undefined)
  })

  test('waits also for somebody who was there and did not come back', async () => {
    const ann = await sender()
    const link = await Link.open(scope, cluster.b)
    const bob = await connect(scope, unique('bob'), link)
    link.cut()
    const began = performance.now()
    expect(await ann.messages.send(bob.userId, 'where are you?', KEEP)).toMatchObject({ received: false })
    expect(performance.now() - began).toBeLessThan(WAIT_MS + PRESENCE_MS + MACHINE_MS)
    await eventually('bob is gone', async () => (await ann.peers.query([bob.userId]))[bob.userId] === 'OFFLINE')
    const log = MessageLog.of(await connect(scope, bob.userId, cluster.a))
    expect(await log.next()).toMatchObject({ text: 'where are you?', offline: true })
  })

  test('is for whoever comes first: a session that logs in after it was acknowledged does not get it', async () => {
    const ann = await sender()
    const bob = unique('bob')
    await ann.messages.send(bob, 'first', KEEP)
    const one = MessageLog.of(await connect(scope, bob, cluster.a))
    await one.next()
    await eventually('it is acknowledged', async () => (await keysOf(bob)).inbox === undefined)
    const two = MessageLog.of(await connect(scope, bob, cluster.b))
    await ann.messages.send(bob, 'second', KEEP)
    expect(await two.all(1)).toEqual(['second'])
    expect(await one.all(2)).toEqual(['first', 'second'])
  })

  test('is not left for the next login, however close the two come', async () => {
    const ann = await connect(scope, unique('ann'), cluster.a, { transports: ['websocket'] })
    const late: string[] = []
    let offline = 0
    const LOGINS = 400
    for (let from = 0; from < LOGINS; from += 8) {
      await Promise.all(
        Array.from({ length: 8 }, async (_, i) => {
          const bob = unique('bob')
          const client = createClient(scope, bob, i % 2 === 0 ? cluster.a : cluster.b, { transports: ['websocket'] })
          const log = MessageLog.of(client)
          const login = client.login()
          // Some time within the login, or just before or after it.
          await elapse((from / 8) % 25)
          const sending = ann.messages.send(bob, 'now', KEEP)
          await login
          await log.next(5_000).catch(() => late.push(`${bob}: ${from / 8} ms`))
          offline += log.seen.filter((message) => message.offline).length
          await sending
          await client.logout()
        }),
      )
    }
    expect(late).toEqual([])
    // Both kinds, or it was no race.
    expect(offline).toBeGreaterThan(0)
    expect(offline).toBeLessThan(LOGINS)
  })

  test('comes to whoever logs in while another session acknowledges it', async () => {
    // Between the step that lets a session in and the step that reads for it others have all the time to acknowledge.
    const far = await TcpProxy.open(scope, cluster.redis)
    far.delay(10)
    const slow = await startNode(scope, { redisUrl: `redis://127.0.0.1:${far.port}`, presenceTimeoutMs: PRESENCE_MS, limits: LIMITS })
    const ann = await connect(scope, unique('ann'), cluster.a, { transports: ['websocket'] })
    const bob = unique('bob')
    MessageLog.of(await connect(scope, bob, cluster.b))
    // It has everything, and because it acknowledges nothing there is always something to be read at a login.
    const witness = MessageLog.ofPlain(await connectPlain(scope, bob, cluster.a), { acknowledges: false })
    const talking = talk(scope, ann, bob, { everyMs: 1 })
    const logs: { readonly log: MessageLog<MessageEvent>; readonly since: number }[] = []
    for (let i = 0; i < 20; i += 1) {
      const plain = PlainClient.open(scope, bob, slow, { transports: ['websocket'] })
      const log = MessageLog.ofPlain(plain)
      await plain.untilReady()
      logs.push({ log, since: plain.ready.attach })
      await elapse(i)
    }
    const count = (await talking.stop()).filter(([, outcome]) => typeof outcome === 'boolean').length
    await witness.all(count)
    for (const { log, since } of logs) {
      const expected = witness.seen.filter(({ position }) => position > since).map(({ text }) => text)
      await eventually(`${expected.length} messages since ${since}`, () => log.texts.at(-1) === witness.texts.at(-1))
      // What nobody had acknowledged when it came it has as well.
      expect(log.texts.slice(-expected.length)).toEqual(expected)
      expect(log.seen.filter((message) => !message.offline)).toHaveLength(expected.length)
    }
  })
})

describe('what is kept', () => {
  test('is so many messages, of more the last ones, and those that fell out are counted', async () => {
    const node = await startNode(scope, { redisUrl: cluster.redis.url, limits: { ...LIMITS, offlineMessages: 10 } })
    const ann = await connect(scope, unique('ann'), node)
    const bob = unique('bob')
    for (let i = 0; i < 15; i += 1) expect(await ann.messages.send(bob, String(i), KEEP)).toMatchObject({ received: false })
    expect(await metricOf(node, 'rollcall_messages_dropped_total')).toBe(5)
    const log = MessageLog.of(await connect(scope, bob, cluster.b))
    expect(await log.all(10)).toEqual(Array.from({ length: 10 }, (_, i) => String(i + 5)))
  })

  test('is kept for so long', async () => {
    const node = await startNode(scope, { redisUrl: cluster.redis.url, limits: { ...LIMITS, offlineMessageS: 2 } })
    const ann = await connect(scope, unique('ann'), node)
    const [bob, eve] = [unique('bob'), unique('eve')]
    await ann.messages.send(bob, 'old', KEEP)
    await ann.messages.send(eve, 'old', KEEP)
    await elapse(1_500)
    // One that is kept longer does not keep the other.
    await ann.messages.send(eve, 'new', KEEP)
    await elapse(700)
    expect(await keysOf(bob)).not.toHaveProperty('inbox')
    const logs = await Promise.all([bob, eve].map(async (user) => MessageLog.of(await connect(scope, user, cluster.b))))
    await ann.messages.send(bob, 'now')
    expect(await logs[0]?.all(1)).toEqual(['now'])
    expect(await logs[1]?.all(1)).toEqual(['new'])
  })

  test('lasts no longer than is stated', async () => {
    const ann = await sender()
    const bob = unique('bob')
    await ann.messages.send(bob, 'kept', KEEP)
    const waiting = await keysOf(bob)
    expect(Object.keys(waiting).sort()).toEqual(['heard', 'inbox', 'kept'])
    for (const key of ['inbox', 'kept']) expect(waiting[key]).toBeGreaterThan(604_700)
    for (const key of ['inbox', 'kept']) expect(waiting[key]).toBeLessThanOrEqual(604_800)
    expect(waiting.heard).toBeLessThanOrEqual(120)

    // Had by one of two sessions: kept for the other, which has lost its connection, for its presenceTimeout and half a minute.
    const link = await Link.open(scope, cluster.b)
    const tab = await connect(scope, bob, link, { presenceTimeout: 5_000 })
    MessageLog.of(tab)
    await eventually('the tab has had it', async () => (await keysOf(bob)).inbox === undefined)
    const log = MessageLog.of(await connect(scope, bob, cluster.a))
    link.cut()
    const { received } = await ann.messages.send(bob, 'live', KEEP)
    expect([received, await log.all(1)]).toEqual([true, ['live']])
    const had = await keysOf(bob)
    for (const key of ['inbox', 'kept']) expect(had[key]).toBeLessThanOrEqual(36)
    for (const key of ['inbox', 'kept']) expect(had[key]).toBeGreaterThan(30)
  })

  test('for a session that everybody but a silent client has had: nothing beyond its time', async () => {
    const ann = await sender()
    const bob = unique('bob')
    const logs = await Promise.all([cluster.a, cluster.b].map(async (node) => MessageLog.of(await connect(scope, bob, node))))
    for (let i = 0; i < 50; i += 1) expect(await ann.messages.send(bob, String(i))).toMatchObject({ received: true })
    for (const log of logs) await log.all(50)
    await eventually('all sessions have had all', async () => (await keysOf(bob)).inbox === undefined)
    MessageLog.ofPlain(await connectPlain(scope, bob, cluster.a), { acknowledges: false })
    expect(await ann.messages.send(bob, 'one more')).toMatchObject({ received: true })
    await eventually('it is kept for the silent one', async () => ((await keysOf(bob)).inbox ?? 99) <= 32)
  })
})

describe('002.12 who reads slowly', () => {
  test('costs itself only, and gets everything in order when it reads again', async () => {
    const patient = { presenceTimeoutMs: 20_000, pingIntervalMs: 20_000, pingTimeoutMs: 20_000, limits: { ...LIMITS, backlogBytes: 65_536 } }
    const node = await startNode(scope, { redisUrl: cluster.redis.url, ...patient })
    const ann = await sender()
    const bob = unique('bob')
    const link = await Link.open(scope, node)
    const slow = await connect(scope, bob, link, { transports: ['websocket'] })
    const states = new LinkLog(bob, slow)
    const [log, quick] = [MessageLog.of(slow), MessageLog.of(await connect(scope, bob, cluster.b))]
    link.freeze()
    const texts = Array.from({ length: 190 }, (_, i) => `${String(i).padStart(4, '0')}${'x'.repeat(30_000)}`)
    for (const text of texts) expect(await ann.messages.send(bob, text)).toMatchObject({ received: true })
    expect((await quick.all(texts.length)).join()).toBe(texts.join())
    // What the node holds for it is bounded: the rest is in Redis.
    expect(await metricOf(node, 'rollcall_skipped_total')).toBeGreaterThan(0)
    expect(Number(await cluster.redis.command('HLEN', (await cluster.redis.keys(`rollcall:*:inbox:dev:${bob}`))[0] ?? '-'))).toBeGreaterThan(0)
    link.thaw()
    expect((await log.all(texts.length)).join()).toBe(texts.join())
    expect(states.seen.map(({ currentState }) => currentState)).not.toContain('DISCONNECTED')
    await ann.messages.send(bob, 'live again')
    expect((await log.all(texts.length + 1)).at(-1)).toBe('live again')
  })

  test('many unacknowledged messages keep no other request waiting, and no message from being sent', async () => {
    const node = await startNode(scope, { redisUrl: cluster.redis.url, limits: { messageWaitMs: 4_000, messagesPerSecond: 10_000 } })
    const ann = await connect(scope, unique('ann'), node)
    const bob = unique('bob')
    const silent = MessageLog.ofPlain(await connectPlain(scope, bob, cluster.b), { acknowledges: false })
    const sending: Promise<unknown>[] = []
    // More than the requests that may be under way at once.
    for (let i = 0; i < 600; i += 100) {
      sending.push(...Array.from({ length: 100 }, (_, n) => ann.messages.send(bob, String(i + n))))
      await silent.all(i + 100)
    }
    expect((await ann.presence.whereNow(ann.userId)).totalChannel).toBe(0)
    expect(new Set((await Promise.all(sending)).map((result) => (result as { received: boolean }).received))).toEqual(new Set([false]))
  })
})
