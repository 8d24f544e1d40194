import { describe, expect, test } from '@jest/globals'
import type { Desired, LocalMembership } from '../../src/presence/memberships.js'
import { judge, withdraw, type Circumstances, type Found } from '../../src/presence/reconcile.js'
import type { SessionEntry } from '../../src/presence/types.js'

const CHANNEL = 'test:MESSAGE:lobby'

function mine(desired: Desired, confirmed = true): LocalMembership {
  return {
    channel: { app: 'test', type: 'MESSAGE', name: 'lobby' },
    userId: 'ann',
    session: 's1',
    owner: 'ann',
    attach: 5,
    timeoutMs: 1_000,
    desired,
    confirmed,
    listed: true,
    known: undefined,
    channelLife: 'l.1',
    unstated: false,
    tail: Promise.resolve(),
  }
}

const entry = (over: Partial<SessionEntry> = {}): SessionEntry => ({ session: 's1', attach: 5, timeoutMs: 1_000, node: 'me', ...over })
const found = (over: Partial<Found> = {}): Found => ({ entry: null, listed: false, ...over })
const calm: Circumstances = { node: 'me', lossy: false, damaged: new Set() }
const lossy: Circumstances = { ...calm, lossy: true }
const damaged: Circumstances = { ...calm, damaged: new Set([CHANNEL]) }

/** What follows, as words: the verdict, or the ops of a repair. */
function verdict(membership: LocalMembership, what: Found, circumstances: Circumstances = calm): string {
  const result = judge(membership, what, circumstances, CHANNEL)
  return result.kind === 'repair' ? result.ops.map((op) => op.kind).join('+') : result.kind
}

describe('reconcile: what is wanted present', () => {
  test.each([
    ['is there in our name', found({ entry: entry(), listed: true }), calm, 'fine'],
    ['is due under our attach', found({ entry: entry({ node: null }) }), calm, 'resume'],
    ['has a newer attach', found({ entry: entry({ attach: 6, node: 'other' }) }), calm, 'superseded'],
    ['is lacking though our list has it', found({ listed: true }), calm, 'assert'],
    ['is lacking in a new life', found(), lossy, 'assert'],
    ['is lacking, and nothing was lost: it ended elsewhere', found(), calm, 'ended'],
    ['is in a damaged channel', found({ entry: entry(), listed: true }), damaged, 'assert'],
    ['has a newer attach, in a new life too', found({ entry: entry({ attach: 6 }) }), lossy, 'superseded'],
  ])('%s', (_, what, circumstances, expected) => {
    expect(verdict(mine('present'), what, circumstances)).toBe(expected)
  })

  test('a join that is still on its way is left to itself', () => {
    expect(verdict(mine('present', false), found(), lossy)).toBe('fine')
  })
})

describe('reconcile: what is wanted due or gone', () => {
  test.each([
    ['suspended, still in our name', 'suspended', found({ entry: entry(), listed: true }), calm, 'suspend'],
    ['suspended, and due already', 'suspended', found({ entry: entry({ node: null }) }), calm, 'forget'],
    ['suspended, and ended meanwhile', 'suspended', found(), calm, 'forget'],
    ['suspended, and lost', 'suspended', found(), lossy, 'assert+suspend'],
    ['suspended, and back elsewhere', 'suspended', found({ entry: entry({ attach: 6, node: 'other' }) }), calm, 'superseded'],
    ['gone, still there', 'gone', found({ entry: entry(), listed: true }), calm, 'leave'],
    ['gone, and gone', 'gone', found(), lossy, 'forget'],
    ['gone, from a damaged channel', 'gone', found({ entry: entry() }), damaged, 'assert+leave'],
  ] as const)('%s', (_, desired, what, circumstances, expected) => {
    expect(verdict(mine(desired), what, circumstances)).toBe(expected)
  })

  test('a session that is over does not come back after a loss', () => {
    expect(verdict(mine('suspended', false), found(), lossy)).toBe('forget')
  })
})

test('what only the store has in our name is given up as if its connection had been lost', () => {
  expect(withdraw(mine('present'), entry({ timeoutMs: 700 }))).toMatchObject({ kind: 'suspend', attach: 5, timeoutMs: 700 })
})
