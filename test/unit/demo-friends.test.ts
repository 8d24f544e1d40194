import { describe, expect, test } from '@jest/globals'

import { AddressBook } from '../../src/demo/friends/address-book.js'
import { rowsOf } from '../../src/demo/friends/rows.js'
import { ASKS, fieldsOf, standingOf } from '../../src/demo/friends/standing.js'
import { hintOf, type Scene, type Step } from '../../src/demo/friends/steps.js'

const notice = (type: 'REQUEST' | 'FRIENDS' | 'REMOVED' | 'BLOCKED', userId: string, message?: string) => ({ type, userId, timestamp: 1, ...(message !== undefined && { message }) })
const status = (from: string, fields: object = {}) => ({ from, id: 'x', timestamp: 1, ...fields })
const NOBODY = { wrote: [], around: [] }

function bookOf(...friends: string[]): AddressBook {
  const book = new AddressBook()
  book.replace({ friends, asked: [], requests: [] })
  return book
}

describe('an address book', () => {
  test('has who asks first, then friends, then who was asked', () => {
    const book = new AddressBook()
    book.replace({ friends: ['zoe', 'ana'], asked: ['bob'], requests: [{ userId: 'cem', message: 'hello' }] })
    expect(book.contacts.map(({ userId, tie, request }) => [userId, tie, request])).toEqual([['cem', 'asks', 'hello'], ['ana', 'friend', ''], ['zoe', 'friend', ''], ['bob', 'asked', '']])
  })

  test('follows what others do', () => {
    const book = new AddressBook()
    const tie = () => book.find('ana')?.tie ?? null
    const after = [notice('REQUEST', 'ana', 'hi'), notice('FRIENDS', 'ana'), notice('REQUEST', 'ana'), notice('REMOVED', 'ana'), notice('FRIENDS', 'ana'), notice('BLOCKED', 'ana')].map((each) => {
      book.noticed(each)
      return tie()
    })
    // A request that comes late does not undo a friendship.
    expect(after).toEqual(['asks', 'friend', 'friend', null, 'friend', null])
  })

  test('shows how a friend is as they say it, until they are gone', () => {
    const book = bookOf('ana')
    const line = () => rowsOf(book.contacts, NOBODY, 'me').map((row) => [row.standing, row.line])
    expect(line()).toEqual([[null, 'not there']])
    book.told(status('ana', { show: 1, status: 'at lunch' }))
    expect(line()).toEqual([['away', 'away · “at lunch”']])
    book.told(status('ana', { offline: true }))
    expect(line()).toEqual([['gone', 'gone']])
    book.told(status('ana'))
    expect(line()).toEqual([['here', 'online']])
  })

  test('keeps what friends said when it is read again, and forgets who is no friend any more', () => {
    const book = bookOf('ana', 'bob')
    book.told(status('ana', { status: 'here I am' }))
    book.told(status('stranger', { status: 'me too' }))
    book.replace({ friends: ['ana'], asked: [], requests: [] })
    expect(book.contacts.map(({ userId, words }) => [userId, words])).toEqual([['ana', 'here I am']])
  })

  test('gives up those who do not answer how they are', () => {
    const book = bookOf('ana', 'bob')
    for (const friend of ['ana', 'bob']) book.told(status(friend, { status: 'hello' }))
    book.askAll()
    expect(book.find('bob')?.standing).toBe('here')
    book.told(status('ana', { show: 1 }))
    book.giveUpSilent()
    expect(['ana', 'bob'].map((friend) => book.find(friend)?.standing)).toEqual(['away', null])
  })

  test('a status is read as it was written', () => {
    for (const standing of ['here', 'away'] as const) expect(standingOf(status('ana', { subStatus: ASKS, ...fieldsOf({ standing, words: '' }) }))).toBe(standing)
  })
})

describe('the rows of a person', () => {
  test('offer strangers once, without oneself and those who are known, and not a crowd', () => {
    const crowd = ['me', 'ana', 'x', 'x', ...Array.from({ length: 50 }, (_, i) => `u${i}`)]
    const rows = rowsOf(bookOf('ana').contacts, { wrote: ['w'], around: crowd }, 'me')
    expect(rows.map(({ userId }) => userId)).toEqual(['ana', 'w', 'x', 'u0', 'u1', 'u2'])
    expect(rows.map(({ isFriend, actions }) => [isFriend, ...actions])).toEqual([[true], ...Array.from({ length: 5 }, () => [false, 'befriend'])])
    expect(rows[1]?.line).toContain('has written')
  })

  test('let requests be answered, and taken back', () => {
    const book = new AddressBook()
    book.replace({ friends: [], asked: ['bob'], requests: [{ userId: 'cem', message: 'hi' }] })
    expect(rowsOf(book.contacts, NOBODY, 'me').map(({ line, actions }) => [line, ...actions])).toEqual([
      ['asks to be your friend: “hi”', 'accept', 'refuse'],
      ['asked, no answer yet', 'take back'],
    ])
  })
})

describe('what to try next', () => {
  const scene: Scene = { companion: 'Ana', isSignedIn: true, asked: null, isKept: false, isRinging: false }
  const hint = (done: Step[], change: Partial<Scene> = {}) => hintOf(new Set(done), { ...scene, ...change })

  test('follows what has happened', () => {
    expect(hint([])).toContain('“Befriend”')
    expect(hint([], { asked: 'you' })).toContain('their side')
    expect(hint([], { asked: 'companion' })).toContain('your side')
    expect(hint(['friends', 'status', 'message'])).toContain('“Call”')
    expect(hint(['friends', 'status', 'message'], { isRinging: true })).toContain('accept it')
    expect(hint(['friends', 'status', 'message', 'call'])).toContain('Log Ana out')
    expect(hint(['friends', 'status', 'message', 'call'], { isSignedIn: false })).toContain('Write to Ana')
    expect(hint(['friends', 'status', 'message', 'call'], { isSignedIn: false, isKept: true })).toContain('Log Ana in again')
    expect(hint(['friends', 'status', 'message', 'call', 'later'])).toContain('all of it')
  })

  test('is never a thing for two while one is logged out', () => {
    expect(hint(['friends'], { isSignedIn: false })).toBe('Log Ana in again.')
  })
})
