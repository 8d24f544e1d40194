import { describe, expect, test } from '@jest/globals'

import { PeersApi, type PeersLink } from '../../src/client/peers-api.js'
import { RollcallError } from '../../src/protocol/errors.js'
import type { PeerChange, PeerState, PeerStatus } from '../../src/protocol/events.js'
import { DEFAULT_LIMITS } from '../../src/protocol/limits.js'
import { recordOf } from '../../src/protocol/record.js'
import { elapse, eventually } from '../support/wait.js'

const state = (status: PeerStatus, lastSeen: number | null = null): PeerState => ({ status, lastSeen })
const change = (userId: string, status: PeerStatus, lastSeen: number | null = null): PeerChange => ({ userId, status, lastSeen, timestamp: 1 })

/** A node that knows what these users are, and what it was asked. */
class FakeNode implements PeersLink {
  readonly limits = { ...DEFAULT_LIMITS, peersPerRequest: 2, peersPerClient: 5 }
  readonly asked: string[] = []
  readonly users = new Map<string, PeerState>()
  /** Answered with these first, one each. */
  readonly refusals: RollcallError[] = []
  /** Called when a request has been answered and before its caller hears of it. */
  onAnswered: () => void = () => undefined

  /** Until when each request that has a time of its own may be sent. */
  readonly deadlines: number[] = []
  /** What requests wait for. */
  open: Promise<unknown> = Promise.resolve()

  async request(name: string, payload: { readonly userIds?: readonly string[] }, _operation = '', { deadline }: { readonly deadline?: number } = {}): Promise<never> {
    this.asked.push(`${name} ${payload.userIds?.join(' ') ?? 'all'}`)
    if (deadline !== undefined) this.deadlines.push(deadline)
    await this.open
    const refusal = this.refusals.shift()
    if (refusal !== undefined) throw refusal
    const reply = { ok: true, timestamp: 7, statuses: recordOf((payload.userIds ?? []).map((userId) => [userId, this.users.get(userId) ?? state('OFFLINE')])) }
    this.onAnswered()
    return reply as never
  }
}

function setUp(users: Readonly<Record<string, PeerState>> = {}) {
  const node = new FakeNode()
  for (const [userId, status] of Object.entries(users)) node.users.set(userId, status)
  const told: string[] = []
  const peers = new PeersApi(node, (changes) => told.push(changes.map(({ userId, status }) => `${userId} ${status}`).join(', ')))
  const connection = {}
  return { node, peers, told, connection, ask: (request: { readonly userIds: readonly string[] }) => node.request('subscribePeers', request) }
}

describe('subscribing', () => {
  test('answers what the users are and keeps it up to date; only changes are told', async () => {
    const { peers, told, connection } = setUp({ ann: state('ONLINE'), bob: state('OFFLINE', 5) })
    const statuses = await peers.subscribe(['ann', 'bob'])
    expect(Object.getPrototypeOf(statuses)).toBeNull()
    expect({ ...statuses }).toEqual({ ann: 'ONLINE', bob: 'OFFLINE' })
    expect([...peers.subscribed]).toEqual([['ann', state('ONLINE')], ['bob', state('OFFLINE', 5)]])
    peers.receive([change('ann', 'ONLINE'), change('bob', 'ONLINE'), change('nobody', 'ONLINE')], connection)
    peers.receive([change('bob', 'ONLINE')], connection)
    expect(told).toEqual(['bob ONLINE'])
    expect([peers.status('bob'), peers.status('nobody')]).toEqual([state('ONLINE'), undefined])
  })

  test('again is the same, and tells what differs from what was known', async () => {
    const { node, peers, told } = setUp({ ann: state('ONLINE') })
    await peers.subscribe(['ann'])
    node.users.set('ann', state('UNREACHABLE'))
    await expect(peers.subscribe(['ann', 'ann'])).resolves.toEqual({ ann: 'UNREACHABLE' })
    expect(told).toEqual(['ann UNREACHABLE'])
    expect(node.asked).toEqual(['subscribePeers ann', 'subscribePeers ann'])
  })

  test('believes an event that came with the reply rather than the reply', async () => {
    const { node, peers, connection } = setUp({ ann: state('ONLINE') })
    node.onAnswered = () => peers.receive([change('ann', 'OFFLINE', 9)], connection)
    await expect(peers.subscribe(['ann'])).resolves.toEqual({ ann: 'OFFLINE' })
    expect(peers.status('ann')).toEqual(state('OFFLINE', 9))
  })

  test('checks before it sends', async () => {
    const { node, peers } = setUp()
    await expect(peers.subscribe(['a', 'b', 'c'])).rejects.toMatchObject({ code: 'PRESENCE_INVALID_ARGUMENT', operation: 'subscribePeers' })
    await expect(peers.subscribe('ann' as never)).rejects.toMatchObject({ code: 'PRESENCE_INVALID_ARGUMENT' })
    await expect(peers.query([''])).rejects.toMatchObject({ code: 'INVALID_USER_ID', operation: 'queryPeers' })
    await expect(peers.unsubscribe([7 as never])).rejects.toMatchObject({ code: 'INVALID_USER_ID', operation: 'unsubscribePeers' })
    expect(node.asked).toEqual([])
  })

  test('that was refused has not happened; one that was not answered is taken back', async () => {
    const { node, peers } = setUp()
    node.refusals.push(new RollcallError('PRESENCE_TOO_MANY_PEERS', 'no'), new RollcallError('PRESENCE_OPERATION_TIMEOUT', 'no'))
    await expect(peers.subscribe(['ann'])).rejects.toMatchObject({ code: 'PRESENCE_TOO_MANY_PEERS' })
    await expect(peers.subscribe(['ann'])).rejects.toMatchObject({ code: 'PRESENCE_OPERATION_TIMEOUT' })
    expect([...peers.subscribed]).toEqual([])
    expect(node.asked).toEqual(['subscribePeers ann', 'subscribePeers ann', 'unsubscribePeers ann'])
  })

  test('ends for those who are named, or for all', async () => {
    const { node, peers, told, connection } = setUp({ ann: state('ONLINE'), bob: state('ONLINE') })
    await peers.subscribe(['ann', 'bob'])
    await peers.unsubscribe(['ann'])
    expect([...peers.subscribed.keys()]).toEqual(['bob'])
    await peers.unsubscribe()
    peers.receive([change('bob', 'OFFLINE')], connection)
    expect([told, [...peers.subscribed], node.asked.slice(1)]).toEqual([[], [], ['unsubscribePeers ann', 'unsubscribePeers all']])
  })

  test('the time for a call runs from its beginning, also while it waits for those before it', async () => {
    const { node, peers } = setUp()
    let open: () => void = () => undefined
    node.open = new Promise<void>((resolve) => (open = resolve))
    const calls = [peers.subscribe(['ann']), peers.unsubscribe(['ann'])]
    const latest = performance.now() + 10_000
    await elapse(30)
    open()
    await Promise.all(calls)
    expect(node.deadlines).toHaveLength(2)
    for (const deadline of node.deadlines) expect(deadline).toBeLessThanOrEqual(latest)
  })

  test('a user may be called __proto__', async () => {
    const { peers } = setUp({})
    expect(Object.keys(await peers.query(['__proto__']))).toEqual(['__proto__'])
    expect(Object.keys(await peers.subscribe(['__proto__']))).toEqual(['__proto__'])
  })
})

describe('on another connection', () => {
  test('it is subscribed again in few requests, and told what changed meanwhile', async () => {
    const { node, peers, told, ask } = setUp({ a: state('ONLINE'), b: state('ONLINE'), c: state('OFFLINE', 5_000), d: state('OFFLINE', 5_000), e: state('ONLINE') })
    await peers.subscribe(['a', 'b'])
    await peers.subscribe(['c', 'd'])
    await peers.subscribe(['e'])
    node.asked.length = 0
    peers.lost()
    node.users.set('b', state('OFFLINE', 6_000))
    node.users.set('c', state('OFFLINE', 60_000))
    node.users.set('d', state('OFFLINE', 5_003))
    await peers.resume({}, ask)
    expect(node.asked).toEqual(['subscribePeers a b', 'subscribePeers c d', 'subscribePeers e'])
    expect(told).toEqual(['b OFFLINE, c OFFLINE'])
  })

  test('what the one before says meanwhile counts only if the new one fails', async () => {
    const { node, peers, told, connection, ask } = setUp({ a: state('ONLINE') })
    await peers.subscribe(['a'])
    node.onAnswered = () => peers.receive([change('a', 'UNREACHABLE')], connection)
    await peers.resume({}, ask)
    expect([told, peers.status('a')]).toEqual([[], state('ONLINE')])
    node.onAnswered = () => undefined
    const lost = new Error('lost')
    const failing = peers.resume({}, async () => {
      peers.receive([change('a', 'UNREACHABLE')], connection)
      return Promise.reject(lost)
    })
    await expect(failing).rejects.toBe(lost)
    expect(told).toEqual(['a UNREACHABLE'])
  })

  test('what the new one says before its reply is heard is newer than the reply', async () => {
    const { node, peers, told, ask } = setUp({ a: state('ONLINE') })
    await peers.subscribe(['a'])
    const next = {}
    node.onAnswered = () => peers.receive([change('a', 'UNREACHABLE')], next)
    await peers.resume(next, ask)
    expect([told, peers.status('a')]).toEqual([['a UNREACHABLE'], state('UNREACHABLE')])
  })

  test('those who could not be asked for are asked for again; those who are refused for good are dropped', async () => {
    const { node, peers, told, ask } = setUp({ a: state('ONLINE'), b: state('ONLINE'), c: state('ONLINE') })
    await peers.subscribe(['a', 'b'])
    await peers.subscribe(['c'])
    node.users.set('a', state('OFFLINE', 9))
    node.refusals.push(new RollcallError('PRESENCE_OPERATION_FAILED', 'later'), new RollcallError('PRESENCE_TOO_MANY_PEERS', 'never'))
    await peers.resume({}, ask)
    await eventually('it is tried again', () => told.length > 0)
    expect(told).toEqual(['a OFFLINE'])
    expect([...peers.subscribed.keys()]).toEqual(['a', 'b'])
  })

  test('after the end of the session nothing is left', async () => {
    const { node, peers, ask } = setUp({ a: state('ONLINE') })
    await peers.subscribe(['a'])
    peers.end()
    node.asked.length = 0
    await peers.resume({}, ask)
    expect([node.asked, [...peers.subscribed]]).toEqual([[], []])
  })
})
