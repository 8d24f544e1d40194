import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'

import type { PeerListener, Peers } from '../../src/feeds/peer-statuses.js'
import { PeerFanout, type PeerWatcher } from '../../src/gateway/peer-fanout.js'
import { RollcallError } from '../../src/protocol/errors.js'
import type { PeerChange } from '../../src/protocol/events.js'

/** A feed of statuses that counts references. */
class FakePeers implements Peers {
  readonly held = new Map<string, number>()
  tell: PeerListener = () => undefined
  failing = false

  get size(): number {
    return this.held.size
  }
  async acquire(userIds: readonly string[]): Promise<void> {
    await Promise.resolve()
    if (this.failing) throw new RollcallError('PRESENCE_OPERATION_FAILED', 'no')
    for (const userId of userIds) this.held.set(userId, (this.held.get(userId) ?? 0) + 1)
  }
  release(userIds: Iterable<string>): void {
    for (const userId of userIds) {
      const left = (this.held.get(userId) ?? 0) - 1
      if (left > 0) this.held.set(userId, left)
      else this.held.delete(userId)
    }
  }
  status(): { readonly status: 'ONLINE'; readonly lastSeen: null } {
    return { status: 'ONLINE', lastSeen: null }
  }
  listen(listener: PeerListener): void {
    this.tell = listener
  }
}

class FakeWatcher implements PeerWatcher {
  backlogBytes = 0
  alive = true
  peers: Set<string> | null = null
  constructor(readonly id: string) {}
  assertAlive(): void {
    if (!this.alive) throw new RollcallError('PRESENCE_REQUEST_CANCELLED', 'gone')
  }
}

const FLUSH_MS = 20
const nothing = { inc: () => undefined }

function setUp(): { peers: FakePeers; fanout: PeerFanout; told: string[]; online: (...userIds: string[]) => void; lost: (userId: string) => void } {
  const peers = new FakePeers()
  const told: string[] = []
  const tell = (ids: readonly string[], changes: readonly PeerChange[]): void => {
    told.push(`${ids.join('+')}: ${changes.map(({ userId, status }) => `${userId} ${status}`).join(', ')}`)
  }
  const fanout = new PeerFanout({ peers, tell, flushMs: FLUSH_MS, backlogBytes: 100, metrics: { peerChanges: nothing, skipped: nothing } })
  const online = (...userIds: string[]): void => peers.tell(userIds.map((userId) => ({ userId, status: 'ONLINE', lastSeen: null })))
  const lost = (userId: string): void => peers.tell([{ userId, status: 'UNREACHABLE', lastSeen: null }])
  return { peers, fanout, told, online, lost }
}

beforeEach(() => {
  jest.useFakeTimers()
})
afterEach(() => {
  jest.useRealTimers()
})

describe('a subscription', () => {
  test('holds each user once for each connection, and lets go of it', async () => {
    const { peers, fanout } = setUp()
    const [one, two] = [new FakeWatcher('one'), new FakeWatcher('two')]
    await fanout.subscribe(one, ['ann', 'bob'], 10)
    await fanout.subscribe(one, ['bob', 'cy'], 10)
    await fanout.subscribe(two, ['ann'], 10)
    expect(Object.fromEntries(peers.held)).toEqual({ ann: 2, bob: 1, cy: 1 })
    expect(fanout.pairs).toBe(4)
    fanout.unsubscribe(one, ['ann', 'nobody'])
    expect(Object.fromEntries(peers.held)).toEqual({ ann: 1, bob: 1, cy: 1 })
    fanout.unsubscribe(one, null)
    fanout.unsubscribe(one, null)
    fanout.unsubscribe(two, ['ann'])
    expect([peers.size, fanout.pairs, one.peers, two.peers]).toEqual([0, 0, null, null])
  })

  test('is of all users or of none: too many, a store that does not answer, a client that is gone', async () => {
    const { peers, fanout } = setUp()
    const watcher = new FakeWatcher('one')
    await fanout.subscribe(watcher, ['ann', 'bob'], 3)
    await expect(fanout.subscribe(watcher, ['bob', 'cy', 'dee'], 3)).rejects.toMatchObject({ code: 'PRESENCE_TOO_MANY_PEERS' })
    await fanout.subscribe(watcher, ['ann', 'bob', 'cy'], 3)
    fanout.unsubscribe(watcher, ['cy'])
    peers.failing = true
    await expect(fanout.subscribe(watcher, ['cy'], 3)).rejects.toMatchObject({ code: 'PRESENCE_OPERATION_FAILED' })
    peers.failing = false
    const subscribing = fanout.subscribe(watcher, ['bob', 'cy'], 3)
    watcher.alive = false
    fanout.unsubscribe(watcher, null)
    await expect(subscribing).rejects.toMatchObject({ code: 'PRESENCE_REQUEST_CANCELLED' })
    expect([peers.size, fanout.pairs, watcher.peers]).toEqual([0, 0, null])
  })
})

describe('changes', () => {
  test('of one turn go to a client together, and what many are told is sent once', async () => {
    const { fanout, told, online, lost } = setUp()
    const [one, two, three] = [new FakeWatcher('one'), new FakeWatcher('two'), new FakeWatcher('three')]
    await fanout.subscribe(one, ['ann', 'bob'], 10)
    await fanout.subscribe(two, ['ann'], 10)
    await fanout.subscribe(three, ['ann'], 10)
    online('ann')
    lost('bob')
    online('nobody')
    expect(told).toEqual([])
    jest.advanceTimersByTime(1)
    expect(told).toEqual(['one: ann ONLINE, bob UNREACHABLE', 'two+three: ann ONLINE'])
  })

  test('of one window go together, and of a user the last', async () => {
    const { fanout, told, online, lost } = setUp()
    await fanout.subscribe(new FakeWatcher('one'), ['ann', 'bob'], 10)
    online('ann')
    jest.advanceTimersByTime(1)
    lost('ann')
    online('bob')
    jest.advanceTimersByTime(5)
    online('ann')
    expect(told).toHaveLength(1)
    jest.advanceTimersByTime(FLUSH_MS)
    expect(told.slice(1)).toEqual(['one: ann ONLINE, bob ONLINE'])
  })

  test('wait for who is slow, as what came of them, while nobody else waits', async () => {
    const { fanout, told, online, lost } = setUp()
    const [slow, quick] = [new FakeWatcher('slow'), new FakeWatcher('quick')]
    await fanout.subscribe(slow, ['ann', 'bob'], 10)
    await fanout.subscribe(quick, ['ann'], 10)
    slow.backlogBytes = 1_000
    online('ann', 'bob')
    jest.advanceTimersByTime(FLUSH_MS + 1)
    lost('ann')
    jest.advanceTimersByTime(FLUSH_MS + 1)
    expect(told).toEqual(['quick: ann ONLINE', 'quick: ann UNREACHABLE'])
    slow.backlogBytes = 0
    jest.advanceTimersByTime(200)
    expect(told.slice(2)).toEqual(['slow: ann UNREACHABLE, bob ONLINE'])
    fanout.close()
    expect(jest.getTimerCount()).toBe(0)
  })

  test('of very many are told over several turns, and all are', async () => {
    const { fanout, told, online } = setUp()
    const users = Array.from({ length: 100 }, (_, i) => `user-${i}`)
    for (let i = 0; i < 120; i += 1) await fanout.subscribe(new FakeWatcher(`${i}`), users, 100)
    online(...users)
    for (const count of [50, 100, 120]) {
      jest.advanceTimersToNextTimer()
      expect(told.length).toBe(count)
    }
  })

  test('that wait are not told to who has unsubscribed', async () => {
    const { fanout, told, online } = setUp()
    const watcher = new FakeWatcher('one')
    await fanout.subscribe(watcher, ['ann', 'bob'], 10)
    online('ann', 'bob')
    fanout.unsubscribe(watcher, ['ann'])
    jest.advanceTimersByTime(FLUSH_MS)
    expect(told).toEqual(['one: bob ONLINE'])
    online('bob')
    fanout.unsubscribe(watcher, null)
    jest.advanceTimersByTime(FLUSH_MS + 1)
    expect(told).toHaveLength(1)
  })
})
