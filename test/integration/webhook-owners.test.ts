import { beforeEach, expect, test } from '@jest/globals'

import { silentLogger } from '../../src/log.js'
import { createMetrics } from '../../src/metrics/index.js'
import type { WebhookMessage } from '../../src/protocol/webhooks.js'
import type { RedisStore } from '../../src/store/index.js'
import { Dispatcher } from '../../src/webhooks/dispatcher.js'
import { singleRedis, type RunningSetup } from '../contract/setups.js'
import { room, TestNode } from '../contract/test-node.js'
import { useTestScope } from '../support/scope.js'
import { elapse, eventually } from '../support/wait.js'

const scope = useTestScope()
const LEASE_MS = 300
const lobby = room('lobby')

let redis: RunningSetup
let maker: TestNode

beforeEach(async () => {
  redis = await singleRedis.start(scope)
  const store = await redis.open(scope, 'maker')
  store.keepOutbox(1_000, 'test')
  maker = new TestNode('maker', store, store.partitionOf(lobby))
  await maker.beat()
})

/** A node reduced to its deliveries; it says that it is there when it is told to. */
class Deliverer {
  readonly heard: WebhookMessage[] = []
  /** What a delivery waits for. */
  work: () => Promise<void> = async () => undefined
  readonly dispatcher: Dispatcher
  #beats: NodeJS.Timeout | undefined

  private constructor(
    readonly id: string,
    private readonly store: RedisStore,
  ) {
    this.dispatcher = new Dispatcher({
      outbox: store.outbox,
      receivers: [
        {
          name: 'function',
          deliver: async (message) => {
            this.heard.push(message)
            await this.work()
          },
        },
      ],
      node: id,
      app: 'test',
      leaseMs: LEASE_MS,
      attempts: 3,
      backoffMs: () => 10,
      metrics: createMetrics(id),
      log: silentLogger,
    })
  }

  static async start(id: string): Promise<Deliverer> {
    const made = new Deliverer(id, await redis.open(scope, id))
    await made.dispatcher.start()
    made.#beats = setInterval(() => {
      for (let partition = 0; partition < made.store.partitions; partition += 1) made.dispatcher.beat(partition)
    }, LEASE_MS / 3)
    scope.defer(`the deliveries of ${id}`, () => made.stop())
    return made
  }

  /** As if its process stood still: its claims run out. */
  sleep(): void {
    clearInterval(this.#beats)
  }

  async stop(): Promise<void> {
    this.sleep()
    await this.dispatcher.stop()
  }

  get users(): string[] {
    return this.heard.flatMap(({ type, data }) => (type === 'member.joined' ? [data.userId] : []))
  }
}

/** A promise, and what fulfils it. */
function gate(): { readonly opened: Promise<void>; open: () => void } {
  let open: () => void = () => undefined
  const opened = new Promise<void>((resolve) => (open = resolve))
  return { opened, open }
}

test('an owner whose claim lapses in the middle of a delivery stops, and the next one begins with that event, under its id', async () => {
  const a = await Deliverer.start('a')
  const b = await Deliverer.start('b')
  const { opened, open } = gate()
  a.work = () => opened
  await maker.join(lobby, 'ann')
  await maker.join(lobby, 'bob')
  await eventually('the owner is at it', () => a.heard.length === 1)
  a.sleep()
  await eventually('the other one has delivered all', () => b.users.length === 2)
  expect(b.users).toEqual(['ann', 'bob'])
  expect(b.heard[0]?.id).toBe(a.heard[0]?.id)
  open()
  await maker.join(lobby, 'cem')
  await eventually('the new owner goes on', () => b.users.length === 3)
  expect(a.heard).toHaveLength(1)
})

test('an owner that closes hands over at once', async () => {
  const a = await Deliverer.start('a')
  const b = await Deliverer.start('b')
  await maker.join(lobby, 'ann')
  await eventually('the owner has delivered', () => a.users.length === 1)
  // It would be noticed after a lease: the release is faster.
  b.sleep()
  await a.stop()
  await maker.join(lobby, 'bob')
  await eventually('the other one delivers', () => b.users.length === 1, { withinMs: LEASE_MS })
  expect([a.users, b.users]).toEqual([['ann'], ['bob']])
})

test('closing waits a moment for what is under way, and leaves what takes longer to the next owner', async () => {
  const a = await Deliverer.start('a')
  const { opened, open } = gate()
  a.work = () => opened
  await maker.join(lobby, 'ann')
  await eventually('it is under way', () => a.heard.length === 1)
  const stopped = a.stop()
  open()
  await stopped
  const b = await Deliverer.start('b')
  b.work = () => new Promise(() => undefined)
  await eventually('the rest is left, and what was under way is not', () => b.heard.length === 1)
  expect(b.heard[0]?.type).toBe('member.joined')
  const began = performance.now()
  await b.stop()
  expect(performance.now() - began).toBeLessThan(10_000)
  const c = await Deliverer.start('c')
  await eventually('what was cut short is delivered', () => c.users.length === 1)
})

test('when nothing happens, owners claim with each beat, others once a lease, and nobody reads', async () => {
  const [a, b] = [await Deliverer.start('a'), await Deliverer.start('b')]
  await elapse(LEASE_MS)
  await redis.command('CONFIG', 'RESETSTAT')
  await elapse(5 * LEASE_MS)
  const stats = String(await redis.command('INFO', 'commandstats'))
  const calls = (name: string): number => Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0)
  const partitions = maker.store.partitions
  // An owner beats three times a lease; somebody else asks once in that time, and a little later.
  expect(calls('evalsha')).toBeGreaterThan(10 * partitions)
  expect(calls('evalsha')).toBeLessThanOrEqual((5 * 3 + 5 + 2) * partitions)
  expect(calls('xrange')).toBe(calls('evalsha'))
  expect([a.heard, b.heard]).toEqual([[], []])
})

test('a wake-up that is lost costs one beat', async () => {
  const a = await Deliverer.start('a')
  await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
  await maker.join(lobby, 'ann')
  await eventually('it is delivered', () => a.users.length === 1, { withinMs: 3 * LEASE_MS })
})

test('events of another app on the same Redis are passed over', async () => {
  const a = await Deliverer.start('a')
  const foreign = { ...lobby, app: 'other' }
  const elsewhere = maker.store.partitionOf(foreign) === maker.partition ? maker : new TestNode('maker', maker.store, maker.store.partitionOf(foreign))
  if (elsewhere !== maker) await elsewhere.beat()
  await elsewhere.join(foreign, 'eve')
  await maker.join(lobby, 'ann')
  await eventually('ours is delivered', () => a.users.length === 1)
  expect(a.users).toEqual(['ann'])
  await eventually('both are let go', async () => {
    const lengths = await Promise.all([...new Set([maker.partition, elsewhere.partition])].map((partition) => redis.command('XLEN', `rollcall:{${partition}}:outbox`)))
    return lengths.every((length) => length === 0)
  })
})
