import { describe, expect, test } from '@jest/globals'
import type { LinkStateEvent, RollcallClient } from '../../src/client/index.js'
import { connect, createClient, joinMarker, listen, statesOf, uniqueChannel, watch } from '../support/client.js'
import { Link } from '../support/link.js'
import { startNode, useCluster } from '../support/node.js'
import { useTestScope } from '../support/scope.js'
import { eventually } from '../support/wait.js'
import { expectJoin, expectNoEvents, expectSnapshot, expectState, expectTimeout } from '../support/watcher.js'

const cluster = useCluster()
const scope = useTestScope()

function pathOf(client: RollcallClient): LinkStateEvent[] {
  const path: LinkStateEvent[] = []
  client.on('linkState', (event) => path.push(event))
  return path
}

const back = (path: LinkStateEvent[]) => eventually('the client is back', () => path.at(-1)?.currentState === 'CONNECTED' && path.at(-1))

describe('a client that loses its connection', () => {
  test('and is back in time, on another node: nobody hears of it, and it hears what it missed, once and in order', async () => {
    const channel = uniqueChannel()
    const marker = await joinMarker(scope, cluster.b, channel)
    const watcher = await watch(await connect(scope, 'watcher', cluster.b), channel)
    const wire = await Link.open(scope, cluster.a)
    const tony = await connect(scope, 'tony', wire, { presenceTimeout: 8_000 })
    const own = await watch(tony, channel, { name: 'tony' })
    await tony.presence.setState(channel, 'MESSAGE', { mood: 'good' })
    await expectJoin(watcher, 'tony')
    await expectState(watcher, 'tony', { mood: 'good' })

    const path = pathOf(tony)
    wire.cut()
    await eventually('tony is cut off', () => tony.channel(channel).status === 'stale')
    const ana = await connect(scope, 'ana', cluster.b)
    await ana.subscribe(channel)
    await ana.presence.setState(channel, 'MESSAGE', { n: '1' })
    await ana.presence.setState(channel, 'MESSAGE', { n: '2' })
    wire.restore(cluster.b)

    expect(await back(path)).toMatchObject({ isResumed: true, operation: 'RECONNECTED' })
    expect(tony.nodeId).toBe(cluster.b.nodeId)
    await expectJoin(own, 'ana')
    await expectState(own, 'ana', { n: '1' })
    await expectState(own, 'ana', { n: '2' })
    expect(tony.channel(channel).status).toBe('live')
    await expectJoin(watcher, 'ana')
    await expectState(watcher, 'ana', { n: '1' })
    await expectState(watcher, 'ana', { n: '2' })
    await expectNoEvents([watcher, own], marker)
    expect(await statesOf(ana, 'tony', channel)).toEqual({ mood: 'good' })
  })

  test('000.10: and is back too late: others see it time out, join, and set its states again', async () => {
    const channel = uniqueChannel()
    const watcher = await watch(await connect(scope, 'watcher', cluster.b), channel)
    const wire = await Link.open(scope, cluster.a)
    const tony = await connect(scope, 'tony', wire, { presenceTimeout: 1_000 })
    await tony.presence.setState(channel, 'MESSAGE', { mood: 'good' })
    const own = await watch(tony, channel, { name: 'tony' })
    await tony.presence.setState(channel, 'MESSAGE', { seat: '3' })
    await tony.presence.removeState(channel, 'MESSAGE', { states: ['mood'] })
    await expectJoin(watcher, 'tony')
    await expectState(watcher, 'tony', { mood: 'good' })
    await expectState(watcher, 'tony', { mood: 'good', seat: '3' })
    await expectState(watcher, 'tony', { seat: '3' })

    const path = pathOf(tony)
    wire.cut()
    await expectTimeout(watcher, 'tony')
    await eventually('tony knows', () => path.at(-1)?.currentState === 'SUSPENDED')
    wire.restore()

    expect(await back(path)).toMatchObject({ isResumed: false, previousState: 'SUSPENDED' })
    await expectJoin(watcher, 'tony')
    await expectState(watcher, 'tony', { seat: '3' })
    await expectSnapshot(own, { tony: { seat: '3' }, watcher: {} })
    expect(tony.channel(channel).members.get('tony')?.states).toEqual({ seat: '3' })
  })

  test('does not undo what another session of its user changed meanwhile', async () => {
    const channel = uniqueChannel()
    const wire = await Link.open(scope, cluster.a)
    const phone = await connect(scope, 'tony', wire, { presenceTimeout: 8_000 })
    const laptop = await connect(scope, 'tony', cluster.b)
    await phone.subscribe(channel)
    await laptop.subscribe(channel)
    await phone.presence.setState(channel, 'MESSAGE', { mood: 'phone' })
    const path = pathOf(phone)
    wire.cut()
    await eventually('the phone is cut off', () => phone.channel(channel).status === 'stale')
    await laptop.presence.setState(channel, 'MESSAGE', { mood: 'laptop' })
    wire.restore()
    await back(path)
    await eventually('the phone knows', () => phone.channel(channel).members.get('tony')?.states.mood === 'laptop')
    expect(await statesOf(laptop, 'tony', channel)).toEqual({ mood: 'laptop' })
  })

  test('sees in its live view what whoNow says, whatever happened', async () => {
    const channel = uniqueChannel()
    const wire = await Link.open(scope, cluster.a)
    const tony = await connect(scope, 'tony', wire, { presenceTimeout: 8_000 })
    await tony.subscribe(channel)
    const users = await Promise.all(Array.from({ length: 8 }, (_, i) => connect(scope, `user-${i}`, i % 2 === 0 ? cluster.a : cluster.b)))
    for (let round = 0; round < 4; round++) {
      if (round % 2 === 0) wire.redirect(round === 0 ? cluster.b : cluster.a)
      await Promise.all(
        users.map(async (user, i) => {
          if ((i + round) % 3 === 0) return user.subscribe(channel)
          await user.presence.setState(channel, 'MESSAGE', { round: String(round) })
          return (i + round) % 3 === 1 ? user.unsubscribe(channel).catch(() => undefined) : undefined
        }),
      )
    }
    await eventually('the view is that of the cluster', async () => {
      const { occupants } = await tony.presence.whoNow(channel, 'MESSAGE', { includedState: true })
      const view = [...tony.channel(channel).members.values()].map(({ userId, states }) => [userId, { ...states }] as const)
      const truth = occupants.map(({ userId, states }) => [userId, { ...states }] as const)
      expect(new Map(view)).toEqual(new Map(truth))
      return true
    })
    expect(tony.channel(channel).status).toBe('live')
  })
})

describe('a node that leaves', () => {
  test('hands its clients over: nobody sees them go, and they do not see themselves cut off', async () => {
    const channel = uniqueChannel()
    const marker = await joinMarker(scope, cluster.b, channel)
    const watcher = await watch(await connect(scope, 'watcher', cluster.b), channel)
    // It waits for its clients, and not for this time; a busy machine needs a part of it.
    const leaving = await startNode(scope, { redisUrl: cluster.redis.url, drainMs: 20_000 })
    const tony = createClient(scope, 'tony', [leaving, cluster.a], { presenceTimeout: 8_000 })
    await tony.login()
    const own = listen(tony, channel, 'tony')
    await tony.subscribe(channel)
    await tony.presence.setState(channel, 'MESSAGE', { mood: 'good' })
    await expectSnapshot(own)
    await expectJoin(watcher, 'tony')
    await expectState(watcher, 'tony', { mood: 'good' })

    const path = pathOf(tony)
    await leaving.close()
    await eventually('another node serves it', () => tony.nodeId === cluster.a.nodeId)
    expect(path).toEqual([])
    expect(tony.channel(channel).status).toBe('live')
    await tony.presence.setState(channel, 'MESSAGE', { mood: 'better' })
    await expectState(watcher, 'tony', { mood: 'better' })
    await expectNoEvents([watcher, own], marker)
  })
})
