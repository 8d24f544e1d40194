import { describe, expect, test } from '@jest/globals'

import { connect, joinMarker, statesOf, uniqueChannel, watch } from '../support/client.js'
import { useCluster } from '../support/node.js'
import { connectPlain } from '../support/plain.js'
import { useTestScope } from '../support/scope.js'
import { expectJoin, expectNoEvents, expectState } from '../support/watcher.js'

const cluster = useCluster()
const scope = useTestScope()

function keys(count: number, from = 0): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${from + index}`, 'v']))
}

describe('000.9 a member has 32 keys', () => {
  const overflow = { errorCode: -13005, code: 'PRESENCE_STATE_COUNT_OVERFLOW', operation: 'presenceSetState', error: true }

  test('000.9 the 33rd distinct key is refused, stored and new together, and nothing is changed or told', async () => {
    const channel = uniqueChannel()
    const marker = await joinMarker(scope, cluster.a, channel)
    const watcher = await watch(await connect(scope, 'watcher', cluster.b), channel)
    const tony = await connect(scope, 'tony', cluster.a)
    await tony.subscribe(channel)
    await tony.presence.setState(channel, 'MESSAGE', keys(31))
    await expectJoin(watcher, 'tony')
    await expectState(watcher, 'tony', keys(31))

    await expect(tony.presence.setState(channel, 'MESSAGE', { k0: 'changed', new1: '1', new2: '2' })).rejects.toMatchObject(overflow)
    expect(await statesOf(tony, 'tony', channel)).toEqual(keys(31))
    await expectNoEvents(watcher, marker)

    await tony.presence.setState(channel, 'MESSAGE', { k0: 'changed', new1: '1' })
    await expectState(watcher, 'tony', { ...keys(31), k0: 'changed', new1: '1' })
    await expect(tony.presence.setState(channel, 'MESSAGE', { new2: '2' })).rejects.toMatchObject(overflow)
    await tony.presence.removeState(channel, 'MESSAGE', { states: ['new1'] })
    await expect(tony.presence.setState(channel, 'MESSAGE', { new2: '2' })).resolves.toBeDefined()
  })

  test('000.9 33 keys at once are refused', async () => {
    const channel = uniqueChannel()
    const tony = await connect(scope, 'tony', cluster.a)
    await tony.subscribe(channel)
    await expect(tony.presence.setState(channel, 'MESSAGE', keys(33))).rejects.toMatchObject(overflow)
    expect(await statesOf(tony, 'tony', channel)).toEqual({})
  })

  test('000.9 two sessions of the user race for the last place, and one gets it', async () => {
    for (let turn = 0; turn < 10; turn++) {
      const channel = uniqueChannel()
      const phone = await connect(scope, `tony-${turn}`, cluster.a)
      const laptop = await connect(scope, `tony-${turn}`, cluster.b)
      await Promise.all([phone.subscribe(channel), laptop.subscribe(channel)])
      await phone.presence.setState(channel, 'MESSAGE', keys(31))

      const results = await Promise.allSettled([
        phone.presence.setState(channel, 'MESSAGE', { phone: '1' }),
        laptop.presence.setState(channel, 'MESSAGE', { laptop: '1' }),
      ])

      const refused = results.filter((result) => result.status === 'rejected')
      expect(refused).toHaveLength(1)
      expect(refused[0]?.reason).toMatchObject(overflow)
      const winner = results[0].status === 'fulfilled' ? { phone: '1' } : { laptop: '1' }
      expect(await statesOf(phone, `tony-${turn}`, channel)).toEqual({ ...keys(31), ...winner })
    }
  })

  test('000.9 two sessions of the user that set different keys at once lose none of them', async () => {
    const channel = uniqueChannel()
    const phone = await connect(scope, 'tony', cluster.a)
    const laptop = await connect(scope, 'tony', cluster.b)
    await Promise.all([phone.subscribe(channel), laptop.subscribe(channel)])
    await Promise.all(
      Array.from({ length: 8 }, (_, index) => [
        phone.presence.setState(channel, 'MESSAGE', { [`phone${index}`]: '1' }),
        laptop.presence.setState(channel, 'MESSAGE', { [`laptop${index}`]: '1' }),
      ]).flat(),
    )
    expect(Object.keys(await statesOf(phone, 'tony', channel))).toHaveLength(16)
  })
})

describe('000.13 state is one\'s own', () => {
  test('000.13 nothing in a request says whose state it is: another user\'s cannot be reached', async () => {
    const channel = uniqueChannel()
    const victim = await connect(scope, 'victim', cluster.a)
    await victim.subscribe(channel)
    await victim.presence.setState(channel, 'MESSAGE', { Mode: 'Happy' })
    const attacker = await connectPlain(scope, 'attacker', cluster.b)
    await attacker.must('subscribe', { channelName: channel, channelType: 'MESSAGE' })

    for (const extra of [{ userId: 'victim' }, { publisher: 'victim' }, { user: 'victim' }]) {
      await attacker.send('setState', { channelName: channel, channelType: 'MESSAGE', states: { Mode: 'Hacked' }, ...extra })
      await attacker.send('removeState', { channelName: channel, channelType: 'MESSAGE', ...extra })
    }

    expect(await statesOf(victim, 'victim', channel)).toEqual({ Mode: 'Happy' })
  })

  test('000.13 a session id of somebody else gives nothing of his', async () => {
    const channel = uniqueChannel()
    const victim = await connectPlain(scope, 'victim', cluster.a)
    await victim.must('subscribe', { channelName: channel, channelType: 'MESSAGE', states: { Mode: 'Happy' } })
    const attacker = await connectPlain(scope, 'attacker', cluster.b, { auth: { sessionId: victim.ready.sessionId } })
    await attacker.send('setState', { channelName: channel, channelType: 'MESSAGE', states: { Mode: 'Hacked' } })

    const asking = await connect(scope, 'asking', cluster.b)
    expect(await statesOf(asking, 'victim', channel)).toEqual({ Mode: 'Happy' })
    await expect(victim.must('setState', { channelName: channel, channelType: 'MESSAGE', states: { Mode: 'Sad' } })).resolves.toBeDefined()
  })
})
