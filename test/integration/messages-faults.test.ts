import { describe, expect, test } from '@jest/globals'

import { alteredRedis } from '../support/altered-redis.js'
import { connect, uniqueChannel } from '../support/client.js'
import { MessageLog } from '../support/message-log.js'
import { expectSound, expectWhole, talk } from '../support/message-traffic.js'
import { startNode, useCluster } from '../support/node.js'
import { useTestScope } from '../support/scope.js'
import { elapse, eventually } from '../support/wait.js'

const WAIT_MS = 1_500
const PROBE = 'probe'
const LIMITS = { messageWaitMs: WAIT_MS, messagesPerSecond: 10_000, offlineMessages: 1_000 }
const PATIENT = { presenceTimeoutMs: 10_000, pingIntervalMs: 10_000, pingTimeoutMs: 10_000, limits: LIMITS }
const cluster = useCluster(PATIENT)
const scope = useTestScope()

const unique = (name: string): string => uniqueChannel(name)

describe('post that a node has missed', () => {
  test('when its subscriber is cut: messages come nevertheless, and count as received', async () => {
    const ann = await connect(scope, unique('ann'), cluster.a)
    const bob = await connect(scope, unique('bob'), cluster.b)
    const log = MessageLog.of(bob)
    const talking = talk(scope, ann, bob.userId, { everyMs: 2 })
    for (let cut = 0; cut < 5; cut += 1) {
      await elapse(200)
      await cluster.redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
    }
    await elapse(200)
    const outcomes = await talking.stop()
    await log.all(outcomes.length)
    expectWhole(log, outcomes)
  })

  test('that a message was received: the sender learns it from Redis, when the time is over', async () => {
    const redisUrl = await alteredRedis(scope, cluster.redis, (said) => (said.includes('smessage') && said.includes('received') ? '' : said))
    const node = await startNode(scope, { ...PATIENT, redisUrl })
    const ann = await connect(scope, unique('ann'), node)
    const bob = await connect(scope, unique('bob'), cluster.b)
    const log = MessageLog.of(bob)
    const began = performance.now()
    expect(await ann.messages.send(bob.userId, 'hello')).toMatchObject({ received: true })
    expect(performance.now() - began).toBeGreaterThan(WAIT_MS - 50)
    expect(log.texts).toEqual(['hello'])
  })
})

describe('post that a node has missed, with none after it', () => {
  const HEARTBEAT_MS = 300

  /** A node whose subscriber hears no post for as long as it is said to be deaf. */
  async function deafNode() {
    const deaf = { now: false }
    const redisUrl = await alteredRedis(scope, cluster.redis, (said) => (deaf.now && said.includes('smessage') && said.includes(':post') ? '' : said))
    return { deaf, node: await startNode(scope, { ...PATIENT, heartbeatMs: HEARTBEAT_MS, redisUrl }) }
  }

  test('is noticed by its heartbeats: a message is read from Redis', async () => {
    const { deaf, node } = await deafNode()
    const ann = await connect(scope, unique('ann'), cluster.a)
    const bob = await connect(scope, unique('bob'), node)
    const log = MessageLog.of(bob)
    deaf.now = true
    // Nobody else is told anything: no post follows that would show that one is missing.
    const sent = ann.messages.send(bob.userId, 'hello', { offline: true })
    await eventually('it is read', () => log.texts.length === 1, { withinMs: 3 * HEARTBEAT_MS + 1_000 })
    expect(log.texts).toEqual(['hello'])
    expect(await sent).toMatchObject({ received: true })
  })

  test('is noticed by its heartbeats: an invitation rings', async () => {
    const { deaf, node } = await deafNode()
    const ann = await connect(scope, unique('ann'), cluster.a)
    const bob = await connect(scope, unique('bob'), node)
    const rung: string[] = []
    bob.on('invitation', ({ state }) => rung.push(state))
    deaf.now = true
    await ann.invitations.send(bob.userId)
    await eventually('it rings', () => rung.length > 0, { withinMs: 3 * HEARTBEAT_MS + 1_000 })
  })
})

describe('Redis', () => {
  test.each([
    ['loses everything', async () => cluster.redis.command('FLUSHALL')],
    ['is restarted, and has lost everything', async () => cluster.redis.restart()],
  ])('%s while messages are under way: nothing counts as received that was not, and it goes on', async (_, lose) => {
    const users = await Promise.all([connect(scope, unique('ann'), cluster.a), connect(scope, unique('bob'), cluster.b)])
    const [ann, bob] = users
    const logs = [MessageLog.of(bob), MessageLog.of(ann)] as const
    const talks = [talk(scope, ann, bob.userId, { everyMs: 5 }), talk(scope, bob, ann.userId, { everyMs: 5 })] as const
    for (let loss = 0; loss < 2; loss += 1) {
      await elapse(400)
      await lose()
      await elapse(600)
    }
    await eventually('messages are received again', async () => (await ann.messages.send(bob.userId, PROBE).catch(() => null))?.received === true, { everyMs: 100 })
    const outcomes = await Promise.all(talks.map((one) => one.stop()))
    for (const [i, log] of logs.entries()) {
      const [own, texts] = [outcomes[i] ?? [], log.texts.filter((text) => text !== PROBE)]
      expectSound({ texts }, own)
      // There were not only losses.
      expect(own.filter(([, outcome]) => outcome === true).length).toBeGreaterThan(own.length / 4)
      expect(texts.length).toBeGreaterThan(own.length / 4)
    }
  })
})

describe('a block', () => {
  test('by either of the two keeps messages from passing, whether they wait or not; without it they pass again', async () => {
    const ann = await connect(scope, unique('ann'), cluster.a)
    const bob = await connect(scope, unique('bob'), cluster.b)
    const logs = [MessageLog.of(ann), MessageLog.of(bob)]
    await bob.roster.block(ann.userId)
    for (const options of [{}, { offline: true }]) {
      await expect(ann.messages.send(bob.userId, 'x', options)).rejects.toMatchObject({ code: 'USER_BLOCKED', operation: 'sendMessage' })
      await expect(bob.messages.send(ann.userId, 'x', options)).rejects.toMatchObject({ code: 'USER_BLOCKED', operation: 'sendMessage' })
    }
    await bob.roster.remove(ann.userId)
    expect(await ann.messages.send(bob.userId, 'y')).toMatchObject({ received: true })
    expect(await bob.messages.send(ann.userId, 'y')).toMatchObject({ received: true })
    for (const log of logs) expect(log.texts).toEqual(['y'])
  })
})
