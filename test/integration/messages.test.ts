import { describe, expect, test } from '@jest/globals'

import { connect, createClient, LinkLog, uniqueChannel } from '../support/client.js'
import { Link } from '../support/link.js'
import { MessageLog } from '../support/message-log.js'
import { startNode, useCluster } from '../support/node.js'
import { connectPlain, PlainClient } from '../support/plain.js'
import { useTestScope } from '../support/scope.js'
import { elapse, eventually, MACHINE_MS } from '../support/wait.js'

const WAIT_MS = 1_500
/** Nobody is noticed to be silent, and whoever has no connection keeps the session: what fails here fails by messages. */
const PATIENT = { presenceTimeoutMs: 20_000, pingIntervalMs: 20_000, pingTimeoutMs: 20_000 }
const cluster = useCluster({ ...PATIENT, limits: { messageWaitMs: WAIT_MS, messagesPerSecond: 10_000, pendingRequests: 10_000 } })
const scope = useTestScope()

const unique = (name: string): string => uniqueChannel(name)

async function pair() {
  const ann = await connect(scope, unique('ann'), cluster.a)
  const bob = await connect(scope, unique('bob'), cluster.b)
  return { ann, bob, log: MessageLog.of(bob) }
}

/** A client whose connection can be cut and frozen, over one transport, so that nothing is under way elsewhere. */
async function behindLink(user: string, node: { readonly port: number }) {
  const link = await Link.open(scope, node)
  const client = await connect(scope, user, link, { transports: ['websocket'] })
  return { link, client, log: MessageLog.of(client), states: new LinkLog(user, client) }
}

describe('002.12 a message', () => {
  test('comes to the peer on another node as it was sent, and the sender learns that it was received', async () => {
    const { ann, bob, log } = await pair()
    const before = Date.now()
    const { received, timestamp } = await ann.messages.send(bob.userId, 'hello')
    expect(received).toBe(true)
    expect(await log.next()).toEqual({ id: expect.stringContaining(ann.sessionId ?? '?'), from: ann.userId, text: 'hello', offline: false, timestamp })
    expect(Math.abs(timestamp - before)).toBeLessThan(5_000)
  })

  test('may be any text', async () => {
    const { ann, bob, log } = await pair()
    const texts = ['', '\0\0a\0', '{"a":[1,2]}', '麦位 🎤', ' ', '\n', 'x'.repeat(32_768), '€'.repeat(10_922)]
    for (const text of texts) expect(await ann.messages.send(bob.userId, text)).toMatchObject({ received: true })
    expect(await log.all(texts.length)).toEqual(texts)
  })

  test('comes to every session of the peer once, and none of its own sender', async () => {
    const { ann, bob, log } = await pair()
    const tab = await connect(scope, bob.userId, cluster.a)
    const plain = await connectPlain(scope, bob.userId, cluster.b)
    const logs = [log, MessageLog.of(tab), MessageLog.ofPlain(plain)]
    const own = MessageLog.of(await connect(scope, ann.userId, cluster.b))
    for (let i = 0; i < 20; i += 1) expect(await ann.messages.send(bob.userId, String(i))).toMatchObject({ received: true })
    const sent = Array.from({ length: 20 }, (_, i) => String(i))
    for (const one of logs) expect(await one.all(20)).toEqual(sent)
    await ann.messages.send(bob.userId, 'the end')
    for (const one of logs) expect((await one.all(21)).slice(20)).toEqual(['the end'])
    expect(own.seen).toEqual([])
  })

  test('to oneself comes to all sessions of one\'s own', async () => {
    const { ann } = await pair()
    const tab = await connect(scope, ann.userId, cluster.b)
    const logs = [MessageLog.of(ann), MessageLog.of(tab)]
    expect(await ann.messages.send(ann.userId, 'note')).toMatchObject({ received: true })
    for (const log of logs) expect(await log.next()).toMatchObject({ from: ann.userId, text: 'note' })
  })

  test('keeps its order, also when they are sent without waiting for each other, and to several at once', async () => {
    const { ann, bob, log } = await pair()
    const eve = await connect(scope, unique('eve'), cluster.a)
    const other = MessageLog.of(eve)
    const texts = Array.from({ length: 100 }, (_, i) => String(i))
    const results = await Promise.all(texts.flatMap((text) => [ann.messages.send(bob.userId, text), ann.messages.send(eve.userId, text)]))
    expect(results.every(({ received }) => received)).toBe(true)
    expect(await log.all(texts.length)).toEqual(texts)
    expect(await other.all(texts.length)).toEqual(texts)
  })

  test('is received when any session has acknowledged it: one that never does delays nothing', async () => {
    const { ann, bob, log } = await pair()
    const frozen = await behindLink(bob.userId, cluster.a)
    frozen.link.freeze()
    const silent = MessageLog.ofPlain(await connectPlain(scope, bob.userId, cluster.a), { acknowledges: false })
    const began = performance.now()
    for (let i = 0; i < 20; i += 1) expect(await ann.messages.send(bob.userId, String(i))).toMatchObject({ received: true })
    expect(performance.now() - began).toBeLessThan(WAIT_MS)
    await log.all(20)
    await silent.all(20)
    frozen.link.thaw()
    expect(await frozen.log.all(20)).toEqual(log.texts)
  })

  test('is not received when nobody acknowledges it, after the time in which it may be', async () => {
    const ann = await connect(scope, unique('ann'), cluster.a)
    const bob = unique('bob')
    const silent = MessageLog.ofPlain(await connectPlain(scope, bob, cluster.b), { acknowledges: false })
    const began = performance.now()
    expect(await ann.messages.send(bob, 'anybody?')).toMatchObject({ received: false })
    const took = performance.now() - began
    expect(took).toBeGreaterThanOrEqual(WAIT_MS - 50)
    expect(took).toBeLessThan(WAIT_MS + MACHINE_MS)
    // It was given up: nobody gets it any more.
    expect(silent.texts).toEqual(['anybody?'])
    const later = MessageLog.ofPlain(await connectPlain(scope, bob, cluster.a))
    await ann.messages.send(bob, 'later')
    expect(await later.all(1)).toEqual(['later'])
    // Nor does an acknowledgement that comes too late do any harm.
    silent.acknowledgements[0]?.()
    expect(await ann.messages.send(bob, 'again')).toMatchObject({ received: true })
  })

  test('to somebody who is not there is lost, and that is said at once', async () => {
    const ann = await connect(scope, unique('ann'), cluster.a)
    const bob = unique('bob')
    const began = performance.now()
    expect(await ann.messages.send(bob, 'hello?')).toMatchObject({ received: false })
    expect(performance.now() - began).toBeLessThan(WAIT_MS)
    const log = MessageLog.of(await connect(scope, bob, cluster.b))
    await ann.messages.send(bob, 'there you are')
    expect(await log.all(1)).toEqual(['there you are'])
  })

  test('that nobody in the client listens to is not received', async () => {
    const ann = await connect(scope, unique('ann'), cluster.a)
    const bob = await connect(scope, unique('bob'), cluster.b)
    expect(await ann.messages.send(bob.userId, 'unheard')).toMatchObject({ received: false })
    const log = MessageLog.of(bob)
    expect(await ann.messages.send(bob.userId, 'heard')).toMatchObject({ received: true })
    expect(await log.all(1)).toEqual(['heard'])
  })
})

describe('a lost connection', () => {
  test('of one session: it gets what another one has acknowledged meanwhile, once and in order', async () => {
    const { ann, bob, log } = await pair()
    const { link, log: other, states } = await behindLink(bob.userId, cluster.a)
    const send = async (from: number, to: number) => {
      for (let i = from; i < to; i += 1) expect(await ann.messages.send(bob.userId, String(i))).toMatchObject({ received: true })
    }
    await send(0, 5)
    await other.all(5)
    link.cut()
    await states.until('DISCONNECTED')
    await send(5, 25)
    await elapse(2_000)
    link.restore(cluster.b)
    await states.until('CONNECTED')
    await send(25, 30)
    expect(await other.all(30)).toEqual(Array.from({ length: 30 }, (_, i) => String(i)))
    expect(log.texts).toEqual(other.texts)
    expect(other.seen.every(({ offline }) => !offline)).toBe(true)
  })

  test('of the only session: a message is received when it is back within the time', async () => {
    const ann = await connect(scope, unique('ann'), cluster.a)
    const { link, client, log, states } = await behindLink(unique('bob'), cluster.b)
    link.cut()
    await states.until('DISCONNECTED')
    await eventually('bob is known to be unreachable', async () => (await ann.peers.query([client.userId]))[client.userId] === 'UNREACHABLE')
    const sending = ann.messages.send(client.userId, 'come back')
    link.restore()
    expect(await sending).toMatchObject({ received: true })
    expect(log.seen).toMatchObject([{ text: 'come back', offline: false }])
  })

  test('of the sender: what was under way is sent again, and comes once', async () => {
    const bob = await connect(scope, unique('bob'), cluster.b)
    const log = MessageLog.of(bob)
    const { link, client: ann } = await behindLink(unique('ann'), cluster.a)
    const texts = Array.from({ length: 200 }, (_, i) => String(i))
    const sending = texts.map((text) => ann.messages.send(bob.userId, text))
    await log.next()
    link.redirect(cluster.b)
    const results = await Promise.all(sending)
    expect(results.every(({ received }) => received)).toBe(true)
    expect(await log.all(texts.length)).toEqual(texts)
    expect(log.seen).toHaveLength(texts.length)
  })

  test('whose acknowledgements got lost: the client has them once, and they count as received when it is back', async () => {
    const ann = await connect(scope, unique('ann'), cluster.a)
    const link = await Link.open(scope, cluster.b)
    const bob = createClient(scope, unique('bob'), link, { transports: ['websocket'] })
    // Whoever hears of it cuts the line before the acknowledgement can be on it.
    const texts: string[] = []
    bob.on('message', ({ text }) => {
      texts.push(text)
      if (texts.length === 1) link.cut()
    })
    await bob.login()
    const sending = ann.messages.send(bob.userId, 'once')
    await eventually('bob has it', () => texts.length === 1)
    link.restore()
    expect(await sending).toMatchObject({ received: true })
    expect(texts).toEqual(['once'])
  })
})

describe('a client that is not the SDK comes back', () => {
  /** Has had one message, and loses its connection while another session of the user gets three more. */
  async function away() {
    const { ann, bob, log } = await pair()
    const plain = await connectPlain(scope, bob.userId, cluster.a, { reconnection: false })
    const before = MessageLog.ofPlain(plain)
    await ann.messages.send(bob.userId, '0')
    const [{ life, position } = { life: '', position: 0 }] = [await before.next()]
    plain.socket.io.engine.close()
    for (const text of ['1', '2', '3']) expect(await ann.messages.send(bob.userId, text)).toMatchObject({ received: true })
    await log.all(4)
    const { sessionId, attach } = plain.ready
    const comeBack = async (received?: object) => {
      const back = PlainClient.open(scope, bob.userId, cluster.b, { auth: { sessionId, attach: attach + 1, ...(received && { received }) } })
      const after = MessageLog.ofPlain(back)
      await back.untilReady()
      expect(back.ready.resumed).toBe(true)
      expect(await ann.messages.send(bob.userId, 'live')).toMatchObject({ received: true })
      await eventually('the live one is there', () => after.texts.at(-1) === 'live')
      expect(after.seen.every(({ offline }) => !offline)).toBe(true)
      return after.texts
    }
    return { life, position, comeBack }
  }

  test('and says where it stood: it gets what came after that, whoever has acknowledged it', async () => {
    const { life, position, comeBack } = await away()
    expect(await comeBack({ life, position })).toEqual(['1', '2', '3', 'live'])
  })

  test('and says that it stood in an earlier life of the data: it gets all that there still is since its login', async () => {
    const { position, comeBack } = await away()
    expect(await comeBack({ life: 'earlier', position: position + 1_000_000 })).toEqual(['1', '2', '3', 'live'])
  })

  test('and does not say where it stood: it gets what nobody has acknowledged', async () => {
    const { comeBack } = await away()
    expect(await comeBack()).toEqual(['live'])
  })
})

describe('limits', () => {
  test('the rate of messages is one of its own', async () => {
    const node = await startNode(scope, { redisUrl: cluster.redis.url, ...PATIENT, limits: { callsPerSecond: 1, messagesPerSecond: 5 } })
    const ann = await connect(scope, unique('ann'), node)
    const nobody = unique('nobody')
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => ann.messages.send(nobody, 'x')))
    const refused = results.filter((result) => result.status === 'rejected')
    expect(refused.length).toBeGreaterThanOrEqual(1)
    expect(refused.length).toBeLessThanOrEqual(3)
    for (const { reason } of refused) expect(reason).toMatchObject({ code: 'RATE_EXCEEDED', reason: 'at most 5 calls a second' })
  })
})
