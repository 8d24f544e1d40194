import { expect, test } from '@jest/globals'

import type { PeerState } from '../../src/client/index.js'
import { ago, Company, MOST_GONE, type Peers } from '../../src/demo/company.js'

class FakePeers implements Peers {
  readonly subscribed = new Map<string, PeerState>()
  readonly calls: string[] = []
  fails = false

  async subscribe(userIds: readonly string[]): Promise<void> {
    this.calls.push(`+${userIds.join(' ')}`)
    if (this.fails) throw new Error('not connected')
    for (const userId of userIds) this.subscribed.set(userId, { status: 'ONLINE', lastSeen: null })
  }

  async unsubscribe(userIds: readonly string[]): Promise<void> {
    this.calls.push(`-${userIds.length}`)
    for (const userId of userIds) this.subscribed.delete(userId)
  }
}

const present = (...userIds: string[]): Set<string> => new Set(userIds)
const settled = async (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

function company(): { readonly peers: FakePeers; readonly company: Company; readonly changes: () => number } {
  const peers = new FakePeers()
  let changes = 0
  return { peers, company: new Company(peers, 'me', 'lobby', () => void changes++), changes: () => changes }
}

test('whoever is met is followed once, oneself never, and one call is under way at a time', async () => {
  const { peers, company: ours, changes } = company()
  ours.meet(present('me', 'ada'))
  ours.meet(present('me', 'ada', 'bob'))
  ours.meet(present('me', 'ada', 'bob', 'cem'))
  await settled()
  ours.meet(present('me', 'ada', 'bob', 'cem'))
  await settled()
  ours.meet(present('me', 'ada'))
  await settled()
  expect([peers.calls, changes()]).toEqual([['+ada', '+bob cem'], 2])
})

test('what failed is asked for again at the next look', async () => {
  const { peers, company: ours } = company()
  peers.fails = true
  ours.meet(present('ada'))
  await settled()
  peers.fails = false
  ours.meet(present('ada'))
  await settled()
  expect(peers.calls).toEqual(['+ada', '+ada'])
})

test('who has gone: those who can be reached, then who was seen last; nobody without a time', async () => {
  const { peers, company: ours } = company()
  ours.meet(present('ada', 'bob', 'cem', 'dan', 'eve'))
  await settled()
  peers.subscribed.set('ada', { status: 'OFFLINE', lastSeen: 1_000 })
  peers.subscribed.set('bob', { status: 'OFFLINE', lastSeen: 2_000 })
  peers.subscribed.set('cem', { status: 'UNREACHABLE', lastSeen: null })
  peers.subscribed.set('dan', { status: 'OFFLINE', lastSeen: null })
  expect(ours.gone(present('eve')).map(({ userId }) => userId)).toEqual(['cem', 'bob', 'ada'])
  expect([ours.isAway('cem'), ours.isAway('ada'), ours.isAway('nobody')]).toEqual([true, false, false])
})

test('a crowd costs no more than is shown: strangers make room, whoever is here is kept', async () => {
  const { peers, company: ours } = company()
  const crowd = (prefix: string): Set<string> => present(...Array.from({ length: 300 }, (_, i) => `${prefix}${i}`))
  ours.meet(crowd('a'))
  await settled()
  expect(peers.subscribed.size).toBe(250)
  ours.meet(crowd('b'))
  await settled()
  expect([peers.subscribed.size, [...peers.subscribed.keys()].every((userId) => userId.startsWith('b'))]).toEqual([250, true])
  expect(ours.gone(present()).length).toBe(MOST_GONE)
})

test.each([[-5, 'just now'], [59_999, 'just now'], [60_000, '1 min ago'], [3_599_999, '59 min ago'], [3_600_000, '1 h ago'], [86_400_000, 'yesterday'], [604_700_000, '6 days ago']])('%d ms: %s', (ms, words) => {
  expect(ago(ms)).toBe(words)
})
