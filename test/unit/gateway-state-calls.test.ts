import { beforeEach, describe, expect, test } from '@jest/globals'
import { keyOf, type Connection } from '../../src/gateway/connection.js'
import type { Slot } from '../../src/gateway/rate.js'
import { Serial } from '../../src/gateway/serial.js'
import { StateCalls } from '../../src/gateway/state-calls.js'
import type { StateChange } from '../../src/presence/types.js'
import { RollcallError } from '../../src/protocol/errors.js'

const ROOM = { channelName: 'room', channelType: 'MESSAGE' } as const
const OTHER = { channelName: 'other', channelType: 'MESSAGE' } as const
const FREE: Slot = { free: true, next: () => Promise.reject(new Error('it was free')) }
const allowed = () => undefined
const set = (key: string): StateChange => ({ set: { [key]: '1' } })

let made: { readonly channel: string; readonly changes: readonly StateChange[] }[]
let refuse: (change: StateChange) => RollcallError | null
let counted: number
let turns: Serial
let alive: boolean
let calls: StateCalls

beforeEach(() => {
  made = []
  refuse = () => null
  counted = 0
  turns = new Serial()
  alive = true
  const connection = {
    turns,
    session: {},
    assertAlive: () => {
      if (!alive) throw new RollcallError('PRESENCE_REQUEST_CANCELLED', 'gone')
    },
    write: <T>(work: Promise<T>) => work,
  } as unknown as Connection
  calls = new StateCalls(connection, {
    presence: {
      changeStates: async (_session, channel, changes) => {
        made.push({ channel: channel.channelName, changes: [...changes] })
        return { version: made.length, refused: changes.map(refuse) }
      },
    },
    limits: { messageBytes: 100 },
    metrics: { coalesced: { inc: () => counted++ } },
  })
})

/** A slot that is free when the test says so. */
function later(): Slot & { readonly open: () => void } {
  let open: () => void = () => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { free: false, next: () => opened, open }
}

describe('within the rate', () => {
  test('each call is a change of its own, in order, and says nothing of others', async () => {
    const replies = await Promise.all(['a', 'b', 'c'].map((key) => calls.change(ROOM, set(key), FREE, allowed)))
    expect(replies).toEqual([{ version: 1 }, { version: 2 }, { version: 3 }])
    expect(made.map(({ changes }) => changes)).toEqual([[set('a')], [set('b')], [set('c')]])
    expect(counted).toBe(0)
  })
})

describe('over the rate', () => {
  test('calls wait together and become one change, in order, of which every answer tells', async () => {
    const slot = later()
    const asked = [set('a'), { remove: ['a'] }, set('b')].map((change) => calls.change(ROOM, change, slot, allowed))
    await Promise.resolve()
    expect(made).toEqual([])
    slot.open()
    expect(await Promise.all(asked)).toEqual(Array.from({ length: 3 }, () => ({ version: 1, coalesced: 3 })))
    expect(made).toEqual([{ channel: 'room', changes: [set('a'), { remove: ['a'] }, set('b')] }])
    expect(counted).toBe(3)
  })

  test('one alone is an ordinary change, only later', async () => {
    const slot = later()
    const asked = calls.change(ROOM, set('a'), slot, allowed)
    slot.open()
    expect(await asked).toEqual({ version: 1 })
  })

  test('channels do not wait in each other\'s place', async () => {
    const [here, there] = [later(), later()]
    const asked = [calls.change(ROOM, set('a'), here, allowed), calls.change(OTHER, set('b'), there, allowed)]
    there.open()
    await asked[1]
    expect(made.map(({ channel }) => channel)).toEqual(['other'])
    here.open()
    await asked[0]
  })

  test('a call that comes when there is a slot again does not overtake those that wait', async () => {
    const slot = later()
    const first = calls.change(ROOM, set('a'), slot, allowed)
    const second = calls.change(ROOM, set('b'), FREE, allowed)
    slot.open()
    expect(await Promise.all([first, second])).toEqual([{ version: 1, coalesced: 2 }, { version: 1, coalesced: 2 }])
  })

  test('nothing is moved in front of what was asked in between', async () => {
    const [one, two] = [later(), later()]
    const first = calls.change(ROOM, set('a'), one, allowed)
    let read = 0
    const reading = turns.enter(keyOf(ROOM)).then((leave) => {
      read = made.length
      leave()
    })
    const second = calls.change(ROOM, set('b'), two, allowed)
    one.open()
    two.open()
    await Promise.all([first, reading, second])
    expect(read).toBe(1)
    expect(made.map(({ changes }) => changes)).toEqual([[set('a')], [set('b')]])
  })

  test('one that is refused is refused alone, and not counted with the others', async () => {
    refuse = (change) => ('set' in change && 'b' in change.set ? new RollcallError('PRESENCE_STATE_COUNT_OVERFLOW', 'full') : null)
    const slot = later()
    const asked = Promise.allSettled(['a', 'b', 'c'].map((key) => calls.change(ROOM, set(key), slot, allowed)))
    slot.open()
    expect(await asked).toEqual([
      { status: 'fulfilled', value: { version: 1, coalesced: 2 } },
      { status: 'rejected', reason: expect.objectContaining({ code: 'PRESENCE_STATE_COUNT_OVERFLOW' }) },
      { status: 'fulfilled', value: { version: 1, coalesced: 2 } },
    ])
  })

  test('what forbids the change, or ends the connection, is the answer of all; the next begin anew', async () => {
    const slot = later()
    const forbidden = () => {
      throw new RollcallError('CHANNEL_NOT_SUBSCRIBED', 'not there')
    }
    const asked = Promise.allSettled(['a', 'b'].map((key) => calls.change(ROOM, set(key), slot, forbidden)))
    slot.open()
    for (const answer of await asked) expect(answer).toMatchObject({ status: 'rejected', reason: { code: 'CHANNEL_NOT_SUBSCRIBED' } })
    expect(await calls.change(ROOM, set('c'), FREE, allowed)).toEqual({ version: 1 })

    const last = later()
    const cancelled = calls.change(ROOM, set('d'), last, allowed)
    alive = false
    last.open()
    await expect(cancelled).rejects.toMatchObject({ code: 'PRESENCE_REQUEST_CANCELLED' })
    expect(turns.last(keyOf(ROOM))).toBeUndefined()
  })

  test('what waits is bounded in size, and the bound is free again afterwards', async () => {
    const slot = later()
    const big = (key: string): StateChange => ({ set: { [key]: 'x'.repeat(60) } })
    const first = calls.change(ROOM, big('a'), slot, allowed)
    await expect(calls.change(ROOM, big('b'), slot, allowed)).rejects.toMatchObject({ code: 'RATE_EXCEEDED' })
    slot.open()
    await first
    const again = later()
    const second = calls.change(ROOM, big('c'), again, allowed)
    again.open()
    expect(await second).toEqual({ version: 2 })
  })
})
