import { describe, expect, test } from '@jest/globals'

import { connect, joinMarker, listen, statesOf, uniqueChannel, watch } from '../support/client.js'
import { useCluster } from '../support/node.js'
import { useTestScope } from '../support/scope.js'
import { countOf, expectJoin, expectNoEvents, expectState, expectWholeStays } from '../support/watcher.js'

const cluster = useCluster()
const scope = useTestScope()

describe('000.1 state that is set before joining is only cached', () => {
  test('000.1 setState resolves, nobody gets an event and nobody can read it', async () => {
    const channel = uniqueChannel()
    const marker = await joinMarker(scope, cluster.a, channel)
    const watching = await connect(scope, 'watcher', cluster.b)
    const watcher = await watch(watching, channel)
    const tony = await connect(scope, 'tony', cluster.a)

    const answer = await tony.presence.setState(channel, 'MESSAGE', { Mode: 'Happy' })

    expect(typeof answer.timestamp).toBe('number')
    await expectNoEvents(watcher, marker)
    await expect(watching.presence.getState('tony', channel, 'MESSAGE')).rejects.toMatchObject({ errorCode: -13011 })
    const { occupants } = await watching.presence.whoNow(channel, 'MESSAGE')
    expect(occupants.map(({ userId }) => userId)).not.toContain('tony')
  })

  test('000.1 the own getState answers from the cache, merged as it will be', async () => {
    const channel = uniqueChannel()
    const tony = await connect(scope, 'tony', cluster.a)
    await tony.presence.setState(channel, 'MESSAGE', { Mode: 'Happy', Mic: 'False' })
    await tony.presence.setState(channel, 'MESSAGE', { Mode: 'Sad', Score: '1' })
    await tony.presence.removeState(channel, 'MESSAGE', { states: ['Score'] })

    const own = await tony.presence.getState('tony', channel, 'MESSAGE')

    expect({ ...own.states }).toEqual({ Mode: 'Sad', Mic: 'False' })
    expect(own).toMatchObject({ userId: 'tony', statesCount: 2 })
  })

  test('000.1 a cached state of one channel type is none of the other', async () => {
    const channel = uniqueChannel()
    const tony = await connect(scope, 'tony', cluster.a)
    await tony.presence.setState(channel, 'STREAM', { Mode: 'Happy' })
    await expect(tony.presence.getState('tony', channel, 'MESSAGE')).rejects.toMatchObject({ errorCode: -13011 })
  })

  test('000.1 state is cached for 100 channels; one more is -13004 and the cached ones stay', async () => {
    const tony = await connect(scope, 'tony', cluster.a)
    const names = Array.from({ length: 101 }, (_, index) => `${uniqueChannel('cached')}-${index}`)
    for (const name of names.slice(0, 100)) await tony.presence.setState(name, 'MESSAGE', { n: '1' })
    await expect(tony.presence.setState(names[100] ?? '', 'MESSAGE', { n: '1' })).rejects.toMatchObject({ errorCode: -13004, operation: 'presenceSetState' })
    await expect(tony.presence.setState(names[0] ?? '', 'MESSAGE', { n: '2' })).resolves.toBeDefined()
    expect(await statesOf(tony, 'tony', names[0] ?? '')).toEqual({ n: '2' })
  })
})

describe('000.2 joining with cached state', () => {
  test.each(['MESSAGE', 'STREAM'] as const)('000.2 watchers of a %s channel get REMOTE_JOIN, then REMOTE_STATE_CHANGED, and getState returns it', async (channelType) => {
    const channel = uniqueChannel()
    const watching = await connect(scope, 'watcher', cluster.b)
    const watcher = await watch(watching, channel, { channelType })
    const tony = await connect(scope, 'tony', cluster.a)
    await tony.presence.setState(channel, channelType, { Mode: 'Happy', Mic: 'False' })

    if (channelType === 'STREAM') await tony.createStreamChannel(channel).join({ withPresence: true })
    else await tony.subscribe(channel, { withPresence: true })

    const joined = await expectJoin(watcher, 'tony')
    expect({ ...joined.stateChanged }).toEqual({})
    const changed = await expectState(watcher, 'tony', { Mode: 'Happy', Mic: 'False' })
    expect(changed).toMatchObject({ channelName: channel, channelType, publisher: 'tony', interval: null, snapshot: null })
    expect(await statesOf(watching, 'tony', channel, channelType)).toEqual({ Mode: 'Happy', Mic: 'False' })
    expectWholeStays(watcher)
  })

  test('000.2 a join without cached state is a REMOTE_JOIN and nothing more', async () => {
    const channel = uniqueChannel()
    const marker = await joinMarker(scope, cluster.a, channel)
    const watcher = await watch(await connect(scope, 'watcher', cluster.b), channel)
    const tony = await connect(scope, 'tony', cluster.a)
    await tony.subscribe(channel)
    await expectJoin(watcher, 'tony')
    await expectNoEvents(watcher, marker)
  })
})

describe('changes of state', () => {
  test('000.4 setState merges: keys are overwritten and added, others stay', async () => {
    const channel = uniqueChannel()
    const watching = await connect(scope, 'watcher', cluster.b)
    const watcher = await watch(watching, channel)
    const tony = await connect(scope, 'tony', cluster.a)
    await tony.subscribe(channel)
    await tony.presence.setState(channel, 'MESSAGE', { Mode: 'Happy', Mic: 'False' })
    await tony.presence.setState(channel, 'MESSAGE', { Mode: 'Sad', Score: '7' })

    await expectJoin(watcher, 'tony')
    await expectState(watcher, 'tony', { Mode: 'Happy', Mic: 'False' })
    await expectState(watcher, 'tony', { Mode: 'Sad', Mic: 'False', Score: '7' })
    expect(await statesOf(watching, 'tony', channel)).toEqual({ Mode: 'Sad', Mic: 'False', Score: '7' })
  })

  test('000.5 one setState with many keys is exactly one REMOTE_STATE_CHANGED with the full map', async () => {
    const channel = uniqueChannel()
    const marker = await joinMarker(scope, cluster.a, channel)
    const watcher = await watch(await connect(scope, 'watcher', cluster.b), channel)
    const tony = await connect(scope, 'tony', cluster.a)
    await tony.subscribe(channel)
    const states = Object.fromEntries(Array.from({ length: 32 }, (_, index) => [`key${index}`, `value ${index}`]))
    await tony.presence.setState(channel, 'MESSAGE', states)

    await expectJoin(watcher, 'tony')
    const event = await expectState(watcher, 'tony', states)
    expect(event.publisher).toBe('tony')
    await expectNoEvents(watcher, marker)
    expect(countOf(watcher, 'REMOTE_STATE_CHANGED', 'tony')).toBe(1)
  })

  test('000.5 values of every kind of text arrive as they were sent', async () => {
    const channel = uniqueChannel()
    const watching = await connect(scope, 'watcher', cluster.b)
    const watcher = await watch(watching, channel)
    const tony = await connect(scope, 'tony', cluster.a)
    await tony.subscribe(channel)
    const states = { empty: '', zero: '0', long: '9007199254740993', list: '[]', map: '{}', text: '麦位状态 🎤', nul: 'a\0b', line: 'a\r\nb', big: 'x'.repeat(16_384), 'a key [with] {marks}': '"' }
    await tony.presence.setState(channel, 'MESSAGE', states)
    await expectJoin(watcher, 'tony')
    await expectState(watcher, 'tony', states)
    expect(await statesOf(watching, 'tony', channel)).toEqual(states)
  })

  test('000.6 removeState deletes the named keys and tells the full remainder', async () => {
    const channel = uniqueChannel()
    const watching = await connect(scope, 'watcher', cluster.b)
    const watcher = await watch(watching, channel)
    const tony = await connect(scope, 'tony', cluster.a)
    await tony.subscribe(channel)
    await tony.presence.setState(channel, 'MESSAGE', { Mode: 'Happy', Mic: 'False', Score: '7' })
    await tony.presence.removeState(channel, 'MESSAGE', { states: ['Mode', 'Mic', 'never there'] })

    await expectJoin(watcher, 'tony')
    await expectState(watcher, 'tony', { Mode: 'Happy', Mic: 'False', Score: '7' })
    await expectState(watcher, 'tony', { Score: '7' })
    expect(await statesOf(watching, 'tony', channel)).toEqual({ Score: '7' })
  })

  test('000.6 a list in place of the options is refused, and removes nothing', async () => {
    const channel = uniqueChannel()
    const tony = await connect(scope, 'tony', cluster.a)
    await tony.subscribe(channel)
    await tony.presence.setState(channel, 'MESSAGE', { Mode: 'Happy', Mic: 'False' })
    await expect(tony.presence.removeState(channel, 'MESSAGE', ['Mic'] as never)).rejects.toMatchObject({ errorCode: -13003, operation: 'presenceRemoveState' })
    expect(await statesOf(tony, 'tony', channel)).toEqual({ Mode: 'Happy', Mic: 'False' })
  })

  test.each([
    ['no options', undefined],
    ['no list', {}],
    ['an empty list', { states: [] }],
  ])('000.6 removeState with %s deletes all and tells {}', async (_, options) => {
    const channel = uniqueChannel()
    const watching = await connect(scope, 'watcher', cluster.b)
    const watcher = await watch(watching, channel)
    const tony = await connect(scope, 'tony', cluster.a)
    await tony.subscribe(channel)
    await tony.presence.setState(channel, 'MESSAGE', { Mode: 'Happy', Mic: 'False' })
    await (options === undefined ? tony.presence.removeState(channel, 'MESSAGE') : tony.presence.removeState(channel, 'MESSAGE', options))

    await expectJoin(watcher, 'tony')
    await expectState(watcher, 'tony', { Mode: 'Happy', Mic: 'False' })
    await expectState(watcher, 'tony', {})
    expect(await watching.presence.getState('tony', channel, 'MESSAGE')).toMatchObject({ userId: 'tony', statesCount: 0 })
  })

  test('000.7 the session that set it gets no event; the other session of the user does; who watches without presence does not', async () => {
    const channel = uniqueChannel()
    const marker = await joinMarker(scope, cluster.a, channel)
    const phone = await connect(scope, 'tony', cluster.a)
    const laptop = await connect(scope, 'tony', cluster.b)
    const onPhone = await watch(phone, channel, { name: "tony's phone" })
    const onLaptop = await watch(laptop, channel, { name: "tony's laptop" })
    const deafClient = await connect(scope, 'deaf', cluster.b)
    const deaf = listen(deafClient, channel, 'who watches without presence')
    await deafClient.subscribe(channel, { withPresence: false })
    await expectJoin(onPhone, 'deaf')
    await expectJoin(onLaptop, 'deaf')

    await phone.presence.setState(channel, 'MESSAGE', { Mode: 'Happy' })
    await phone.presence.removeState(channel, 'MESSAGE')

    await expectState(onLaptop, 'tony', { Mode: 'Happy' })
    await expectState(onLaptop, 'tony', {})
    await expectNoEvents([onPhone, onLaptop], marker)
    expect(deaf.log.events).toEqual([])
  })
})
