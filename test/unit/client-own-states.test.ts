import { describe, expect, test } from '@jest/globals'
import { OwnStates } from '../../src/client/own-states.js'
import type { States } from '../../src/protocol/channel.js'

const set = (states: States) => (before: States) => ({ ...before, ...states })

describe("one's own states", () => {
  test('an acknowledged write shows at once', () => {
    const own = new OwnStates()
    own.known({ a: '0' }, 1)
    own.wrote(2, set({ b: '1' }))
    expect(own.states).toEqual({ a: '0', b: '1' })
  })

  test('an older event of another session that comes later does not undo it', () => {
    const own = new OwnStates()
    own.known({ a: '0' }, 1)
    own.wrote(3, set({ a: 'mine' }))
    own.known({ a: 'theirs', b: 'theirs' }, 2)
    expect(own.states).toEqual({ a: 'mine', b: 'theirs' })
  })

  test('a newer event includes it already, whichever comes first', () => {
    const own = new OwnStates()
    own.known({ a: 'theirs' }, 3)
    own.wrote(2, set({ a: 'mine' }))
    expect(own.states).toEqual({ a: 'theirs' })
    own.wrote(4, set({ a: 'mine' }))
    own.known({ a: 'theirs again' }, 5)
    expect(own.states).toEqual({ a: 'theirs again' })
  })

  test('writes apply in the order of their versions', () => {
    const own = new OwnStates()
    own.wrote(3, set({ a: 'second' }))
    own.wrote(2, set({ a: 'first', b: 'first' }))
    expect(own.states).toEqual({ a: 'second', b: 'first' })
  })

  test('what is settled stays, and can be acknowledged late', () => {
    const own = new OwnStates()
    own.known({ a: '0' }, 1)
    own.wrote(2, set({ b: '1' }))
    own.settle(5)
    own.wrote(4, set({ c: '1' }))
    own.settle(5)
    expect(own.states).toEqual({ a: '0', b: '1', c: '1' })
  })

  test('calls that were made as one change have one version, and all of them count', () => {
    const own = new OwnStates()
    own.known({ a: '0' }, 1)
    own.wrote(2, set({ b: '1' }))
    own.settle(2)
    own.wrote(2, set({ c: '1' }))
    own.settle(2)
    expect(own.states).toEqual({ a: '0', b: '1', c: '1' })
    own.known({ a: 'old' }, 1)
    expect(own.states).toEqual({ a: '0', b: '1', c: '1' })
    own.known({ a: 'all' }, 2)
    expect(own.states).toEqual({ a: 'all' })
  })
})
