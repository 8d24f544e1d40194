import { describe, expect, test } from '@jest/globals'

import { whoNow, type Roster } from '../../src/presence/occupancy.js'
import type { Member } from '../../src/replica/replica.js'

function roster(userIds: readonly string[], states: Record<string, string> = {}): Roster {
  const members = new Map<string, Member>(userIds.map((userId) => [userId, { userId, states, joinedAt: 1 }]))
  return { replica: { life: 'a', version: 42, members }, sortedUserIds: () => [...members.keys()].sort() }
}

const ids = (reply: { occupants: readonly { userId: string }[] }): string[] => reply.occupants.map(({ userId }) => userId)

describe('whoNow', () => {
  test('pages in code unit order until nextPage is empty', () => {
    // 😀 is two code units that begin with U+D83D, before U+FF21, though its code point comes after.
    const room = roster(['Ａ', '😀', 'b', 'a', 'é'])
    const seen: string[][] = []
    let page = ''
    do {
      const reply = whoNow(room, { page }, { pageSize: 2 })
      expect(reply.totalOccupancy).toBe(5)
      expect(reply.version).toBe(42)
      seen.push(ids(reply))
      page = reply.nextPage
    } while (page !== '')
    expect(seen).toEqual([['a', 'b'], ['é', '😀'], ['Ａ']])
  })

  test('a full last page is the last page', () => {
    expect(whoNow(roster(['a', 'b']), {}, { pageSize: 2 }).nextPage).toBe('')
    expect(whoNow(roster([]), {}, { pageSize: 2 })).toEqual({ totalOccupancy: 0, occupants: [], nextPage: '', version: 42 })
  })

  test('nobody who stays is repeated or hidden when others come and go between pages', () => {
    const { nextPage } = whoNow(roster(['a', 'b', 'c', 'd']), {}, { pageSize: 2 })
    expect(ids(whoNow(roster(['aa', 'c', 'd']), { page: nextPage }, { pageSize: 2 }))).toEqual(['c', 'd'])
    expect(ids(whoNow(roster(['a']), { page: nextPage }, { pageSize: 2 }))).toEqual([])
  })

  test('states on demand, their number always', () => {
    const room = roster(['a'], { mood: 'well', seat: '1' })
    expect(whoNow(room, {}, { pageSize: 2 }).occupants).toEqual([{ userId: 'a', states: {}, statesCount: 2 }])
    expect(whoNow(room, { includedState: true }, { pageSize: 2 }).occupants).toEqual([{ userId: 'a', states: { mood: 'well', seat: '1' }, statesCount: 2 }])
  })

  test('counting does not list', () => {
    const counted: Roster = { ...roster(['a', 'b', 'c']), sortedUserIds: () => { throw new Error('not asked for') } }
    expect(whoNow(counted, { includedUserId: false, includedState: true }, { pageSize: 2 })).toEqual({ totalOccupancy: 3, occupants: [], nextPage: '', version: 42 })
  })

  test.each(['!', 'YQ==', 'YR', '_w', 'a b', '__proto__!'])('the page %j is refused', (page) => {
    for (const includedUserId of [true, false]) {
      expect(() => whoNow(roster(['a']), { page, includedUserId }, { pageSize: 2 })).toThrow(expect.objectContaining({ code: 'PRESENCE_INVALID_ARGUMENT' }))
    }
  })
})
