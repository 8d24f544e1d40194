import { describe, expect, test } from '@jest/globals'

import { connect, LinkLog, uniqueChannel } from '../support/client.js'
import { http } from '../support/http.js'
import { Link } from '../support/link.js'
import { MessageLog } from '../support/message-log.js'
import { expectWhole, talk } from '../support/message-traffic.js'
import { spawnPair } from '../support/pair.js'
import { useTestScope } from '../support/scope.js'
import { spawnNode, type SpawnedNode } from '../support/spawned.js'
import { elapse, eventually } from '../support/wait.js'

const scope = useTestScope()

const MESSAGES = 1_000
const ENV = {
  ROLLCALL_PRESENCE_TIMEOUT_MS: '10000',
  ROLLCALL_HEARTBEAT_MS: '250',
  ROLLCALL_HEARTBEAT_TTL_MS: '1000',
  ROLLCALL_LIMITS: JSON.stringify({ messagesPerSecond: 100_000, pendingRequests: 10_000, offlineMessages: 5_000, messageWaitMs: 8_000 }),
}

/** Three nodes, and two users who write to each other all the time; each prefers a node, and knows where else to go. */
async function settle() {
  const pair = await spawnPair(scope, ENV)
  const { a, b } = pair
  const c = await spawnNode(scope, pair.env)
  const link = await Link.open(scope, b)
  const ann = await connect(scope, uniqueChannel('ann'), [a, c], { transports: ['websocket'] })
  const bob = await connect(scope, uniqueChannel('bob'), [link, c], { transports: ['websocket'] })
  const logs = { ann: MessageLog.of(ann), bob: MessageLog.of(bob) }
  const links = { ann: new LinkLog('ann', ann), bob: new LinkLog('bob', bob) }
  const speak = (most = MESSAGES, everyMs = 3) => ({ ann: talk(scope, ann, bob.userId, { everyMs, most }), bob: talk(scope, bob, ann.userId, { everyMs, most }) })
  return { ...pair, c, link, ann, bob, logs, links, speak }
}

type Settled = Awaited<ReturnType<typeof settle>>

async function expectAllThere({ logs }: Settled, talks: ReturnType<Settled['speak']>, most = MESSAGES): Promise<void> {
  const outcomes = { ann: await talks.ann.done, bob: await talks.bob.done }
  expectWhole(logs.bob, outcomes.ann)
  expectWhole(logs.ann, outcomes.bob)
  expect(outcomes.ann).toHaveLength(most)
  expect(outcomes.bob).toHaveLength(most)
}

/** When so many were sent by both together. */
const sent = (talks: ReturnType<Settled['speak']>, count: number) => eventually(`${count} are sent`, () => talks.ann.sent + talks.bob.sent >= count, { withinMs: 30_000 })

const sendings = async ({ port }: SpawnedNode): Promise<number> => Number(/^rollcall_requests_total\{name="sendMessage"\} (\d+)$/m.exec((await http(port, '/metrics')).text)?.[1] ?? 0)

describe('1,000 messages in each direction', () => {
  test('while one end\'s node is killed and the other end moves: all are received, once and in order', async () => {
    const all = await settle()
    const { a, c, link, links, speak } = all
    const talks = speak()
    await sent(talks, 500)
    a.process.kill('SIGKILL')
    expect((await links.ann.until('DISCONNECTED')).reason).not.toBe('')
    expect((await links.ann.until('CONNECTED')).isResumed).toBe(true)
    await sent(talks, 1_200)
    link.redirect(c)
    await links.bob.until('DISCONNECTED')
    expect((await links.bob.until('CONNECTED')).isResumed).toBe(true)
    await expectAllThere(all, talks)
  })

  test('while the nodes of both are killed at once', async () => {
    const all = await settle()
    const { a, b, links, speak } = all
    const talks = speak()
    await sent(talks, 800)
    for (const node of [a, b]) node.process.kill('SIGKILL')
    for (const one of [links.ann, links.bob]) {
      await one.until('DISCONNECTED')
      expect((await one.until('CONNECTED')).isResumed).toBe(true)
    }
    await expectAllThere(all, talks)
  })

  test('while one end\'s node sleeps, and executes what it was sent when it wakes up', async () => {
    const all = await settle()
    const { a, ann, links, logs, speak } = all
    // It takes a client some seconds to give up a node that sleeps.
    const talks = speak(400, 20)
    await sent(talks, 200)
    const before = await sendings(a)
    a.process.kill('SIGSTOP')
    // Longer than its lease, and than it takes its client to notice.
    await links.ann.until('DISCONNECTED')
    expect((await links.ann.until('CONNECTED')).isResumed).toBe(true)
    const known = logs.bob.texts.length
    await eventually('ann is heard from elsewhere', () => logs.bob.texts.length > known)
    a.process.kill('SIGCONT')
    await eventually('node a is awake', async () => (await http(a.port, '/readyz')).status === 200)
    await eventually('node a has done what it was asked for before', async () => (await sendings(a)) > before + 20)
    await expectAllThere(all, talks, 400)
    expect(await ann.messages.send(all.bob.userId, 'awake')).toMatchObject({ received: true })
  })

  test('while one end\'s node shuts down as it should', async () => {
    const all = await settle()
    const { a, links, speak } = all
    const talks = speak()
    await sent(talks, 600)
    a.process.kill('SIGTERM')
    await a.process.exited
    await expectAllThere(all, talks)
    // Whoever is told to move is never without a connection.
    expect(links.ann.seen.map(({ currentState }) => currentState)).not.toContain('SUSPENDED')
  })
})

test('what waits for a user survives the nodes of both', async () => {
  const { a, b, c, ann, bob } = await settle()
  await bob.logout()
  for (let i = 0; i < 50; i += 1) expect(await ann.messages.send(bob.userId, String(i), { offline: true })).toMatchObject({ received: false })
  for (const node of [a, b]) node.process.kill('SIGKILL')
  await elapse(100)
  const log = MessageLog.of(await connect(scope, bob.userId, c))
  expect(await log.all(50)).toEqual(Array.from({ length: 50 }, (_, i) => String(i)))
  expect(log.seen.every(({ offline }) => offline)).toBe(true)
})
