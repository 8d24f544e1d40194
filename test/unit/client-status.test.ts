import { describe, expect, test } from '@jest/globals'

import { RosterApi } from '../../src/client/roster-api.js'
import { StatusApi } from '../../src/client/status-api.js'
import type { RosterNotice } from '../../src/protocol/roster.js'
import type { StatusNotice } from '../../src/protocol/statuses-told.js'

/** What is told of what comes over connections; nothing is asked here. */
function statuses(): { readonly api: StatusApi; readonly told: string[] } {
  const told: string[] = []
  return { api: new StatusApi(undefined as never, ({ from, id, offline }: StatusNotice) => told.push(`${from} ${id}${offline === true ? ' gone' : ''}`)), told }
}

const said = (from: string, id: string): StatusNotice => ({ from, id, timestamp: 1 })
const gone = (from: string, id: string): StatusNotice => ({ ...said(from, id), offline: true })

describe('a status', () => {
  test('that two connections bring, while one replaces the other, is told once', () => {
    const { api, told } = statuses()
    for (const id of ['a', 'b', 'a', 'c', 'b']) api.receive(said('ann', id))
    expect(told).toEqual(['ann a', 'ann b', 'ann c'])
  })

  test('that somebody is gone is told once, also when much was said since, and an earlier going not after a later one; of each user by itself', () => {
    const { api, told } = statuses()
    api.receive(gone('ann', '7'))
    for (let i = 0; i < 1_000; i += 1) api.receive(said('bob', `b${i}`))
    for (const notice of [gone('ann', '7'), gone('bob', '7'), gone('ann', '10'), gone('bob', '7'), gone('ann', '7')]) api.receive(notice)
    expect(told.filter((line) => line.endsWith('gone'))).toEqual(['ann 7 gone', 'bob 7 gone', 'ann 10 gone'])
  })

  test('of more users than are remembered, the one of whom nothing was heard for longest is forgotten', () => {
    const { api, told } = statuses()
    for (let i = 0; i < 10_000; i += 1) api.receive(gone(`u${i}`, '1'))
    api.receive(gone('u0', '2'))
    api.receive(gone('more', '1'))
    told.length = 0
    for (const notice of [gone('u0', '2'), gone('u2', '1'), gone('u1', '1')]) api.receive(notice)
    expect(told).toEqual(['u1 1 gone'])
  })
})

test('a notice about the roster that two connections bring is told once; the same at another time is another one', () => {
  const told: number[] = []
  const api = new RosterApi(undefined as never, ({ timestamp }: RosterNotice) => told.push(timestamp))
  for (const timestamp of [1, 1, 2, 1, 2]) api.receive({ type: 'FRIENDS', userId: 'ann', timestamp })
  expect(told).toEqual([1, 2])
})
