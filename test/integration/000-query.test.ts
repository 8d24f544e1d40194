import { describe, expect, test } from '@jest/globals'

import { connect, statesOf, uniqueChannel, watch } from '../support/client.js'
import { useCluster } from '../support/node.js'
import { connectPlain } from '../support/plain.js'
import { useTestScope } from '../support/scope.js'
import { eventually } from '../support/wait.js'
import { expectJoin, expectTimeout } from '../support/watcher.js'

const PAGE = 3
const cluster = useCluster({ limits: { pageSize: PAGE } })
const scope = useTestScope()

describe('000.15 whoNow', () => {
  test('000.15 needs no subscription, and getOnlineUsers is the same', async () => {
    const channel = uniqueChannel()
    const tony = await connect(scope, 'tony', cluster.a)
    await tony.subscribe(channel)
    await tony.presence.setState(channel, 'MESSAGE', { Mode: 'Happy' })
    const asking = await connect(scope, 'asking', cluster.b)

    const who = await asking.presence.whoNow(channel, 'MESSAGE', { includedState: true })

    expect(who).toMatchObject({ totalOccupancy: 1, nextPage: '' })
    expect(who.occupants.map(({ userId, states, statesCount }) => ({ userId, states: { ...states }, statesCount }))).toEqual([
      { userId: 'tony', states: { Mode: 'Happy' }, statesCount: 1 },
    ])
    expect(typeof who.timestamp).toBe('number')
    const alias = await asking.presence.getOnlineUsers(channel, 'MESSAGE', { includedState: true })
    expect({ ...alias, timestamp: 0 }).toEqual({ ...who, timestamp: 0 })
  })

  test('000.15 says by default who, and not what they say', async () => {
    const channel = uniqueChannel()
    const tony = await connect(scope, 'tony', cluster.a)
    await tony.subscribe(channel)
    await tony.presence.setState(channel, 'MESSAGE', { Mode: 'Happy' })
    const { occupants } = await tony.presence.whoNow(channel, 'MESSAGE')
    expect(occupants.map(({ userId, states }) => ({ userId, states: { ...states } }))).toEqual([{ userId: 'tony', states: {} }])
  })

  test('000.15 counts without naming anybody when no user ids are asked for', async () => {
    const channel = uniqueChannel()
    await (await connect(scope, 'tony', cluster.a)).subscribe(channel)
    const asking = await connect(scope, 'asking', cluster.b)
    const who = await asking.presence.whoNow(channel, 'MESSAGE', { includedUserId: false })
    expect(who.totalOccupancy).toBe(1)
    expect(JSON.stringify(who.occupants)).not.toContain('tony')
  })

  test('000.15 an empty channel has nobody', async () => {
    const asking = await connect(scope, 'asking', cluster.b)
    expect(await asking.presence.whoNow(uniqueChannel('empty'), 'STREAM')).toMatchObject({ totalOccupancy: 0, occupants: [], nextPage: '' })
  })

  test('000.15 pages by an opaque nextPage, each with the true total, every member once', async () => {
    const channel = uniqueChannel()
    const users = Array.from({ length: 2 * PAGE + 1 }, (_, index) => `user-${index}`)
    for (const [index, user] of users.entries()) {
      const client = await connect(scope, user, index % 2 === 0 ? cluster.a : cluster.b)
      await client.subscribe(channel, { withPresence: false })
    }
    const asking = await connect(scope, 'asking', cluster.b)
    const pages: string[][] = []
    let page = ''
    do {
      const who = await asking.presence.whoNow(channel, 'MESSAGE', page === '' ? {} : { page })
      expect(who.totalOccupancy).toBe(users.length)
      pages.push(who.occupants.map(({ userId }) => userId))
      page = who.nextPage
    } while (page !== '' && pages.length < 10)
    expect(pages.map((one) => one.length)).toEqual([PAGE, PAGE, 1])
    expect(pages.flat().sort()).toEqual(users)
  })

  test('000.15 sees at once what its own node has acknowledged', async () => {
    const tony = await connect(scope, 'tony', cluster.a)
    for (let turn = 0; turn < 8; turn++) {
      const channel = uniqueChannel()
      await tony.subscribe(channel)
      expect(await tony.presence.whoNow(channel, 'MESSAGE')).toMatchObject({ totalOccupancy: 1 })
      await tony.unsubscribe(channel)
      expect(await tony.presence.whoNow(channel, 'MESSAGE')).toMatchObject({ totalOccupancy: 0 })
    }
  })
})

describe('000.15 whereNow', () => {
  test('000.15 names all channels of a user, of both types, and getUserChannels is the same', async () => {
    const [one, two] = [uniqueChannel(), uniqueChannel()]
    const user = `where-${one}`
    const tony = await connect(scope, user, cluster.a)
    await tony.subscribe(one)
    await tony.createStreamChannel(one).join()
    await tony.subscribe(two)
    const asking = await connect(scope, 'asking', cluster.b)

    const where = await asking.presence.whereNow(user)

    expect(where.totalChannel).toBe(3)
    const names = where.channels.map(({ channelName, channelType }) => `${channelType}:${channelName}`)
    expect(names.sort()).toEqual([`MESSAGE:${one}`, `MESSAGE:${two}`, `STREAM:${one}`].sort())
    expect((await asking.presence.getUserChannels(user)).totalChannel).toBe(3)

    await tony.unsubscribe(two)
    expect((await asking.presence.whereNow(user)).totalChannel).toBe(2)
    await tony.logout()
    // A logout has no acknowledgement on the wire.
    await eventually('the user is nowhere', async () => (await asking.presence.whereNow(user)).totalChannel === 0)
  })

  test('000.15 a user whom nobody has ever seen is nowhere', async () => {
    const asking = await connect(scope, 'asking', cluster.b)
    expect(await asking.presence.whereNow('nobody-at-all')).toMatchObject({ totalChannel: 0, channels: [] })
  })
})

describe('000.8 getState of a user who is not there', () => {
  const absent = { errorCode: -13011, code: 'PRESENCE_USER_NOT_EXIST', error: true, operation: 'presenceGetState' }

  test('000.8 rejects for one who never joined, whoever asks', async () => {
    const channel = uniqueChannel()
    const member = await connect(scope, 'member', cluster.a)
    await member.subscribe(channel)
    const stranger = await connect(scope, 'stranger', cluster.b)
    await expect(member.presence.getState('nobody', channel, 'MESSAGE')).rejects.toMatchObject(absent)
    await expect(stranger.presence.getState('nobody', channel, 'MESSAGE')).rejects.toMatchObject(absent)
    await expect(stranger.presence.getState('stranger', channel, 'MESSAGE')).rejects.toMatchObject(absent)
  })

  test('000.8 rejects for one who has left, and answers for one who is back without the old state', async () => {
    const channel = uniqueChannel()
    const tony = await connect(scope, 'tony', cluster.a)
    const asking = await connect(scope, 'asking', cluster.b)
    await tony.subscribe(channel)
    await tony.presence.setState(channel, 'MESSAGE', { Mode: 'Happy' })
    expect(await statesOf(asking, 'tony', channel)).toEqual({ Mode: 'Happy' })
    await tony.unsubscribe(channel)
    await expect(asking.presence.getState('tony', channel, 'MESSAGE')).rejects.toMatchObject(absent)
    await tony.subscribe(channel)
    expect(await statesOf(asking, 'tony', channel)).toEqual({})
  })

  test('000.8 rejects for one who has timed out', async () => {
    const channel = uniqueChannel()
    const asking = await connect(scope, 'asking', cluster.b)
    const watcher = await watch(asking, channel)
    const gone = await connectPlain(scope, 'gone', cluster.a, { reconnection: false, transports: ['websocket'] })
    await gone.must('subscribe', { channelName: channel, channelType: 'MESSAGE' })
    await expectJoin(watcher, 'gone')
    gone.socket.io.engine.close()
    await expect(asking.presence.getState('gone', channel, 'MESSAGE')).resolves.toMatchObject({ userId: 'gone' })
    await expectTimeout(watcher, 'gone')
    await expect(asking.presence.getState('gone', channel, 'MESSAGE')).rejects.toMatchObject(absent)
  })
})
