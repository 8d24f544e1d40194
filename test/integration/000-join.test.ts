import { describe, expect, test } from '@jest/globals'

import { connect, joinMarker, listen, statesOf, uniqueChannel, watch } from '../support/client.js'
import { useCluster } from '../support/node.js'
import { useTestScope } from '../support/scope.js'
import { countOf, expectJoin, expectLeave, expectNoEvents, expectSnapshot, expectState, expectWholeStays } from '../support/watcher.js'

const cluster = useCluster()
const scope = useTestScope()

describe('000.3 the SNAPSHOT of a joiner', () => {
  test.each(['MESSAGE', 'STREAM'] as const)('000.3 has all members of a %s channel with their states, the joiner included, once', async (channelType) => {
    const channel = uniqueChannel()
    const marker = await joinMarker(scope, cluster.a, channel, channelType)
    const ada = await connect(scope, 'ada', cluster.a)
    const bob = await connect(scope, 'bob', cluster.b)
    await ada.subscribe(channel, { channelType })
    await bob.subscribe(channel, { channelType })
    await ada.presence.setState(channel, channelType, { Mode: 'Happy' })
    const tony = await connect(scope, 'tony', cluster.b)
    const watcher = listen(tony, channel, 'tony', channelType)
    await tony.presence.setState(channel, channelType, { Mic: 'on' })

    if (channelType === 'STREAM') await tony.createStreamChannel(channel).join({ withPresence: true })
    else await tony.subscribe(channel, { withPresence: true })

    const snapshot = await expectSnapshot(watcher, { ada: { Mode: 'Happy' }, bob: {}, tony: { Mic: 'on' }, [marker.userId]: {} })
    expect(snapshot).toMatchObject({ eventType: 'SNAPSHOT', channelName: channel, channelType, publisher: '', interval: null })
    for (const { states, statesCount } of snapshot.snapshot ?? []) expect(statesCount).toBe(Object.keys(states).length)
    await expectNoEvents(watcher, marker)
    expect(countOf(watcher, 'SNAPSHOT')).toBe(1)
    expect(watcher.log.events[0]?.eventType).toBe('SNAPSHOT')
  })

  test('000.3 nobody gets REMOTE_JOIN of oneself, and a second subscribe is no second join', async () => {
    const channel = uniqueChannel()
    const marker = await joinMarker(scope, cluster.a, channel)
    const watcher = await watch(await connect(scope, 'watcher', cluster.b), channel)
    const tony = await connect(scope, 'tony', cluster.a)
    const own = listen(tony, channel, 'tony')
    await tony.subscribe(channel)
    await tony.subscribe(channel)
    await expectJoin(watcher, 'tony')
    await expectNoEvents(watcher, marker)
    await expectNoEvents(own, marker, { allow: ['SNAPSHOT'] })
    expectWholeStays(watcher, own)
  })

  test('000.3 the live member map is what Redis says, oneself included, and follows every change', async () => {
    const channel = uniqueChannel()
    const ada = await connect(scope, 'ada', cluster.a)
    const bob = await connect(scope, 'bob', cluster.b)
    await ada.subscribe(channel)
    await ada.presence.setState(channel, 'MESSAGE', { Mode: 'Happy' })
    const watcher = await watch(bob, channel)
    const view = bob.channel(channel)
    expect([...view.members.keys()].sort()).toEqual(['ada', 'bob'])
    expect({ ...view.members.get('ada')?.states }).toEqual({ Mode: 'Happy' })
    expect(view.status).toBe('live')

    await bob.presence.setState(channel, 'MESSAGE', { Mic: 'on' })
    await ada.presence.setState(channel, 'MESSAGE', { Mode: 'Sad' })
    await expectState(watcher, 'ada', { Mode: 'Sad' })
    expect({ ...view.members.get('ada')?.states }).toEqual({ Mode: 'Sad' })
    expect({ ...view.members.get('bob')?.states }).toEqual({ Mic: 'on' })

    await ada.unsubscribe(channel)
    await expectLeave(watcher, 'ada')
    expect([...view.members.keys()]).toEqual(['bob'])
  })
})

describe('000.12 MESSAGE and STREAM channels of one name', () => {
  test('000.12 have members, states and events of their own', async () => {
    const channel = uniqueChannel()
    const watching = await connect(scope, 'watcher', cluster.b)
    const inMessage = await watch(watching, channel, { name: 'the MESSAGE watcher' })
    const inStream = await watch(watching, channel, { name: 'the STREAM watcher', channelType: 'STREAM' })
    const markers = [await joinMarker(scope, cluster.a, channel), await joinMarker(scope, cluster.a, channel, 'STREAM')] as const
    inMessage.log.takeAll()
    inStream.log.takeAll()
    const tony = await connect(scope, 'tony', cluster.a)
    const stream = tony.createStreamChannel(channel)

    await tony.subscribe(channel)
    await tony.presence.setState(channel, 'MESSAGE', { where: 'message' })
    await expectJoin(inMessage, 'tony')
    await expectState(inMessage, 'tony', { where: 'message' })
    await expectNoEvents(inStream, markers[1])
    await expect(watching.presence.getState('tony', channel, 'STREAM')).rejects.toMatchObject({ errorCode: -13011 })

    await stream.join()
    await tony.presence.setState(channel, 'STREAM', { where: 'stream' })
    await expectJoin(inStream, 'tony')
    await expectState(inStream, 'tony', { where: 'stream' })
    expect(await statesOf(watching, 'tony', channel, 'MESSAGE')).toEqual({ where: 'message' })

    await tony.unsubscribe(channel)
    await expectLeave(inMessage, 'tony')
    await expectNoEvents(inMessage, markers[0])
    await expectNoEvents(inStream, markers[1])
    expect(await statesOf(watching, 'tony', channel, 'STREAM')).toEqual({ where: 'stream' })

    await stream.leave()
    await expectLeave(inStream, 'tony')
    expectWholeStays(inMessage, inStream)
  })
})

describe('two sessions of a user are one member', () => {
  test('a second tab is no second join, closing one of two is no leave, and the last one is', async () => {
    const channel = uniqueChannel()
    const marker = await joinMarker(scope, cluster.a, channel)
    const watcher = await watch(await connect(scope, 'watcher', cluster.b), channel)
    const first = await connect(scope, 'tony', cluster.a)
    const second = await connect(scope, 'tony', cluster.b)
    await first.subscribe(channel)
    await expectJoin(watcher, 'tony')
    await first.presence.setState(channel, 'MESSAGE', { Mode: 'Happy' })
    await expectState(watcher, 'tony', { Mode: 'Happy' })

    await second.subscribe(channel)
    await first.logout()
    await expectNoEvents(watcher, marker)
    expect(await statesOf(second, 'tony', channel)).toEqual({ Mode: 'Happy' })

    await second.logout()
    await expectLeave(watcher, 'tony')
    await expectNoEvents(watcher, marker)
    expectWholeStays(watcher)
  })
})

describe('000.14 a quiet subscriber', () => {
  test('000.14 receives events and appears in no event, no count and no list', async () => {
    const channel = uniqueChannel()
    const marker = await joinMarker(scope, cluster.a, channel)
    const watching = await connect(scope, 'watcher', cluster.b)
    const watcher = await watch(watching, channel)
    const quiet = await connect(scope, 'quiet', cluster.a)
    const heard = listen(quiet, channel, 'the quiet one')
    await quiet.subscribe(channel, { withPresence: true, beQuiet: true })
    await expectSnapshot(heard, ['watcher', marker.userId])
    await expectNoEvents(watcher, marker)

    const tony = await connect(scope, 'tony', cluster.b)
    await tony.subscribe(channel)
    await tony.presence.setState(channel, 'MESSAGE', { Mode: 'Happy' })
    await expectJoin(heard, 'tony')
    await expectState(heard, 'tony', { Mode: 'Happy' })

    const who = await watching.presence.whoNow(channel, 'MESSAGE')
    expect(who.totalOccupancy).toBe(3)
    expect(who.occupants.map(({ userId }) => userId).sort()).toEqual([marker.userId, 'tony', 'watcher'].sort())
    expect(await watching.presence.whereNow('quiet')).toMatchObject({ totalChannel: 0, channels: [] })
    await expect(watching.presence.getState('quiet', channel, 'MESSAGE')).rejects.toMatchObject({ errorCode: -13011 })
    expect([...quiet.channel(channel).members.keys()]).not.toContain('quiet')

    await quiet.unsubscribe(channel)
    await tony.unsubscribe(channel)
    await expectJoin(watcher, 'tony')
    await expectState(watcher, 'tony', { Mode: 'Happy' })
    await expectLeave(watcher, 'tony')
    await expectNoEvents(watcher, marker)
    expect(heard.log.events.some((event) => event.eventType === 'REMOTE_LEAVE')).toBe(false)
  })

  test('000.14 has no state to set', async () => {
    const channel = uniqueChannel()
    const quiet = await connect(scope, 'quiet', cluster.a)
    await quiet.subscribe(channel, { beQuiet: true })
    await expect(quiet.presence.setState(channel, 'MESSAGE', { Mode: 'Happy' })).rejects.toMatchObject({ errorCode: -13002, code: 'PRESENCE_NOT_WRITABLE' })
  })

  test('000.14 a quiet stream channel member is none either', async () => {
    const channel = uniqueChannel()
    const marker = await joinMarker(scope, cluster.a, channel, 'STREAM')
    const watcher = await watch(await connect(scope, 'watcher', cluster.b), channel, { channelType: 'STREAM' })
    const quiet = await connect(scope, 'quiet', cluster.a)
    const stream = quiet.createStreamChannel(channel)
    await stream.join({ beQuiet: true })
    await stream.leave()
    await expectNoEvents(watcher, marker)
  })
})
