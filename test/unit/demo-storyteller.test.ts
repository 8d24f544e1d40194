import { describe, expect, test } from '@jest/globals'

import type { PeerStatus, PresenceMessage } from '../../src/client/index.js'
import { Storyteller } from '../../src/demo/log-lines.js'

function event(part: Partial<PresenceMessage>): PresenceMessage {
  return {
    eventType: 'REMOTE_STATE_CHANGED',
    channelType: 'MESSAGE',
    channelName: 'lobby',
    publisher: '',
    stateChanged: {},
    interval: null,
    snapshot: null,
    timestamp: 1,
    version: 1,
    ...part,
  }
}

const NOBODY = { users: [], userCount: 0 }

describe('the demo page tells events in words', () => {
  test('of the full state that an event has, only what is different', () => {
    const story = new Storyteller()
    story.tell(event({ eventType: 'SNAPSHOT', snapshot: [{ userId: 'ana', states: { mood: '🙂', mic: 'off' }, statesCount: 2 }] }))
    expect(story.tell(event({ publisher: 'ana', stateChanged: { mood: '🙂', mic: 'on' } }))).toMatchObject({ who: 'ana', what: 'turned the mic on' })
    expect(story.tell(event({ publisher: 'ana', stateChanged: { mood: '🙂', mic: 'on' } }))).toBeNull()
    expect(story.tell(event({ publisher: 'ana', stateChanged: { mood: '🔥', mic: 'off' } }))).toMatchObject({ what: 'changed mood, mic' })
  })

  test('who comes back is new', () => {
    const story = new Storyteller()
    story.tell(event({ eventType: 'REMOTE_JOIN', publisher: 'ana' }))
    story.tell(event({ publisher: 'ana', stateChanged: { mood: '🙂' } }))
    expect(story.tell(event({ eventType: 'REMOTE_TIMEOUT', publisher: 'ana' }))).toMatchObject({ kind: 'timeout', what: 'timed out' })
    story.tell(event({ eventType: 'REMOTE_JOIN', publisher: 'ana' }))
    expect(story.tell(event({ publisher: 'ana', stateChanged: { mood: '🙂' } }))).toMatchObject({ what: 'feels 🙂' })
  })

  test('of those who are here, who lost the connection and is back; comings and goings are the room\'s to tell', () => {
    const story = new Storyteller()
    const peer = (status: PeerStatus, isHere = true) => story.tellPeer({ userId: 'ana', status, lastSeen: null, timestamp: 1 }, isHere)?.what ?? null
    expect([peer('ONLINE'), peer('UNREACHABLE'), peer('ONLINE'), peer('ONLINE')]).toEqual([null, 'lost the connection', 'is back', null])
    expect([peer('UNREACHABLE'), peer('OFFLINE'), peer('ONLINE')]).toEqual(['lost the connection', null, null])
    expect([peer('UNREACHABLE', false), peer('ONLINE', false)]).toEqual([null, null])
  })

  test('an interval is a count, and an empty one is nothing', () => {
    const story = new Storyteller()
    const interval = { join: { users: ['a', 'b'], userCount: 2 }, leave: NOBODY, timeout: { users: ['c'], userCount: 1 }, userStateList: [], totalOccupancy: 9 }
    expect(story.tell(event({ eventType: 'INTERVAL', interval }))).toMatchObject({ what: '2 joined, 1 timed out' })
    expect(story.tell(event({ eventType: 'INTERVAL', interval: { ...interval, join: NOBODY, timeout: NOBODY } }))).toBeNull()
  })

  test('a key that nobody foresaw, named like a part of every object, is told as any other', () => {
    const story = new Storyteller()
    expect(story.tell(event({ publisher: 'ana', stateChanged: { constructor: 'x' } }))).toMatchObject({ what: 'set constructor' })
  })
})
