import { describe, expect, test } from '@jest/globals'

import { http } from './http.js'
import type { NodeAddress } from './node.js'
import { connectPlain, joinPlainMarker, type PlainClient, type PlainOptions } from './plain.js'
import { useTestScope, type Scope } from './scope.js'
import { eventually } from './wait.js'
import { countOf, expectJoin, expectLeave, expectNoEvents, expectSnapshot, expectState, expectTimeout, expectWholeStays } from './watcher.js'

/** Two addresses, which may be the same: behind one port it is the balancer who says which node serves whom. */
export type Addresses = () => readonly [NodeAddress, NodeAddress]

let channels = 0

/** A channel of this test alone, as requests name it. */
export function wireChannel(channelType: 'MESSAGE' | 'STREAM' = 'MESSAGE') {
  return { channelName: `wire-${++channels}-${process.pid}`, channelType } as const
}

/** Connects somebody to a node other than that one, however many tries it takes behind a balancer. */
export async function connectElsewhere(scope: Scope, user: string, address: NodeAddress, other: PlainClient, options: PlainOptions = {}): Promise<PlainClient> {
  const taken: string[] = []
  for (let attempt = 0; attempt < 12; attempt++) {
    const connected = await openConnections(address)
    const client = await connectPlain(scope, user, address, options)
    if (client.ready.nodeId !== other.ready.nodeId) return client
    taken.push(client.ready.nodeId)
    // A disconnect is a logout: of a session that is to be continued the connection is lost.
    if (options.auth?.sessionId === undefined) client.socket.disconnect()
    else {
      client.socket.io.reconnection(false)
      client.socket.io.engine.close()
    }
    // Between workers with as many clients each the balancer takes always the same: somebody else tips the scales, on the
    // other side if the one that is gone still counts.
    await eventually('the connection is gone', async () => (await openConnections(address)) <= connected)
    await connectPlain(scope, `${user}-company-${attempt}`, address)
  }
  throw new Error(`${user} was never served by another node than ${other.user}: ${taken.join(', ')}`)
}

/** The connections that are open at that address, to all who serve there. */
async function openConnections({ port }: NodeAddress): Promise<number> {
  const { text } = await http(port, '/metrics')
  const counts = [...text.matchAll(/^rollcall_sockets(?:\{.*\})? (\d+)/gm)]
  if (counts.length === 0) throw new Error(`no count of connections in ${text}`)
  return counts.reduce((sum, [, count]) => sum + Number(count), 0)
}

/**
 * What every Socket.IO client may rely on that knows the wire and nothing else: a bare socket.io-client with its
 * default options, two of them always on two different nodes.
 */
export function wireSuite(where: string, addresses: Addresses): void {
  const scope = useTestScope()

  /** Two clients on two nodes. */
  async function two(first = 'ada', second = 'bob', options: PlainOptions = {}): Promise<readonly [PlainClient, PlainClient]> {
    const [a, b] = addresses()
    const one = await connectPlain(scope, first, a, options)
    return [one, await connectElsewhere(scope, second, b, one, options)]
  }

  describe(`a bare Socket.IO client, ${where}`, () => {
    test('is told who it is, and moves from polling to websocket', async () => {
      const [ada, bob] = await two()
      expect(ada.ready).toMatchObject({ sessionId: expect.any(String), nodeId: expect.any(String), timestamp: expect.any(Number) })
      expect(ada.ready.limits).toMatchObject({ statesPerMember: 32, stateKeyBytes: 32, stateValueBytes: 16_384, channelsPerClient: 200 })
      expect(ada.ready.sessionId).not.toBe(bob.ready.sessionId)
      await eventually('the transport is websocket', () => ada.socket.io.engine.transport.name === 'websocket')
    })

    test('000.2 000.3 subscribes: the reply first, then one SNAPSHOT; others see the join and the states', async () => {
      const channel = wireChannel()
      const [ada, bob] = await two()
      const [atAda, atBob] = [ada.watcher(channel.channelName), bob.watcher(channel.channelName)]
      const first = await ada.must('subscribe', { channelName: channel.channelName })
      expect(first).toMatchObject({ ok: true, timestamp: expect.any(Number), version: expect.any(Number) })
      const order: string[] = []
      bob.socket.on('presence', () => order.push('presence'))
      // By callback: a promise would be told a little later than the event that comes right after the reply.
      bob.socket.emit('subscribe', { ...channel, withPresence: true, states: { Mode: 'Happy' } }, () => order.push('reply'))

      await expectSnapshot(atBob, { ada: {}, bob: { Mode: 'Happy' } })
      expect(order[0]).toBe('reply')
      await expectSnapshot(atAda, ['ada'])
      const join = await expectJoin(atAda, 'bob')
      expect(join).toEqual({
        ...{ eventType: 'REMOTE_JOIN', ...channel, publisher: 'bob', stateChanged: {}, interval: null, snapshot: null },
        ...{ timestamp: expect.any(Number), life: expect.any(String), previous: expect.any(Number), version: expect.any(Number) },
      })
      await expectState(atAda, 'bob', { Mode: 'Happy' })
      expectWholeStays(atAda, atBob)
    })

    test('000.4 000.5 000.6 sets and removes state: one event each, with the full map', async () => {
      const channel = wireChannel()
      const [a] = addresses()
      const marker = await joinPlainMarker(scope, a, channel.channelName)
      const [ada, bob] = await two()
      const watcher = ada.watcher(channel.channelName)
      await ada.must('subscribe', channel)
      await bob.must('subscribe', channel)
      await expectJoin(watcher, 'bob')

      const set = await bob.must('setState', { ...channel, states: { Mode: 'Happy', Mic: 'False' } })
      expect(set).toMatchObject({ ok: true, version: expect.any(Number), timestamp: expect.any(Number) })
      await bob.must('setState', { ...channel, states: { Mode: 'Sad', Score: '7' } })
      await bob.must('removeState', { ...channel, states: ['Mode', 'Mic'] })
      await bob.must('removeState', channel)

      const event = await expectState(watcher, 'bob', { Mode: 'Happy', Mic: 'False' })
      expect(event.version).toBe(set.version)
      await expectState(watcher, 'bob', { Mode: 'Sad', Mic: 'False', Score: '7' })
      await expectState(watcher, 'bob', { Score: '7' })
      await expectState(watcher, 'bob', {})
      await expectNoEvents(watcher, marker, { allow: ['SNAPSHOT'] })
      await expectNoEvents(bob.watcher(channel.channelName), marker, { allow: ['SNAPSHOT'] })
      expectWholeStays(watcher, bob.watcher(channel.channelName))
    })

    test('000.8 000.15 asks who is there, what they say and where they are', async () => {
      const channel = wireChannel('STREAM')
      const [ada, bob] = await two('ada', `bob-${channel.channelName}`)
      await bob.must('subscribe', { ...channel, states: { Mode: 'Happy' } })
      expect(await ada.must('getState', { ...channel, userId: bob.user })).toMatchObject({ ok: true, userId: bob.user, states: { Mode: 'Happy' }, statesCount: 1 })
      await eventually('the other node has heard of it', async () => (await ada.must('whoNow', channel)).totalOccupancy === 1)
      expect(await ada.must('whoNow', { ...channel, includedState: true })).toMatchObject({
        ...{ totalOccupancy: 1, nextPage: '', version: expect.any(Number) },
        occupants: [{ userId: bob.user, states: { Mode: 'Happy' }, statesCount: 1 }],
      })
      expect(await ada.must('whereNow', { userId: bob.user })).toMatchObject({ totalChannel: 1, channels: [channel] })
      const refused = await ada.send('getState', { ...channel, userId: 'ada' })
      expect(refused).toEqual({
        ok: false,
        error: { code: 'PRESENCE_USER_NOT_EXIST', errorCode: -13011, operation: expect.any(String), reason: expect.any(String), retryable: false },
      })
    })

    test('000.10 unsubscribes and logs out: leaves at once, and the state is gone', async () => {
      const [one, other] = [wireChannel(), wireChannel()]
      const [ada, bob] = await two()
      for (const channel of [one, other]) {
        await ada.must('subscribe', channel)
        await bob.must('subscribe', { ...channel, states: { Mode: 'Happy' } })
        await expectJoin(ada.watcher(channel.channelName), 'bob')
        await expectState(ada.watcher(channel.channelName), 'bob', { Mode: 'Happy' })
      }
      await bob.must('unsubscribe', one)
      await expectLeave(ada.watcher(one.channelName), 'bob')
      bob.socket.disconnect()
      await expectLeave(ada.watcher(other.channelName), 'bob')
      expect(await ada.send('getState', { ...other, userId: 'bob' })).toMatchObject({ ok: false, error: { errorCode: -13011 } })
      expectWholeStays(ada.watcher(one.channelName), ada.watcher(other.channelName))
    })

    test('000.11 is dropped and comes back to another node with its session: no event, and the state is kept', async () => {
      const channel = wireChannel()
      const marker = await joinPlainMarker(scope, addresses()[0], channel.channelName)
      const [ada, bob] = await two('ada', 'bob', { auth: { presenceTimeout: 4_000 } })
      const watcher = ada.watcher(channel.channelName)
      await ada.must('subscribe', channel)
      await bob.must('subscribe', { ...channel, states: { Mode: 'Happy' } })
      await expectJoin(watcher, 'bob')
      await expectState(watcher, 'bob', { Mode: 'Happy' })

      const { sessionId } = bob.ready
      bob.socket.io.reconnection(false)
      bob.socket.io.engine.close()
      const back = await connectElsewhere(scope, 'bob', addresses()[0], bob, { auth: { sessionId, presenceTimeout: 4_000 } })
      expect(back.ready).toMatchObject({ sessionId, resumed: true })
      const reply = await back.must('resume', { channels: [{ ...channel, withPresence: true, beQuiet: false }] })
      expect(reply.channels).toEqual([expect.objectContaining({ ...channel, result: 'snapshot' })])

      await expectSnapshot(back.watcher(channel.channelName), { ada: {}, bob: { Mode: 'Happy' }, [marker.userId]: {} })
      await expectNoEvents(watcher, marker, { allow: ['SNAPSHOT'] })
      expect(await ada.must('getState', { ...channel, userId: 'bob' })).toMatchObject({ states: { Mode: 'Happy' } })
      back.socket.disconnect()
      await expectLeave(watcher, 'bob')
      expectWholeStays(watcher)
    })

    test('000.11 is dropped and stays away: one REMOTE_TIMEOUT', async () => {
      const channel = wireChannel()
      const [ada, bob] = await two('ada', 'bob', { auth: { presenceTimeout: 1_000 } })
      const watcher = ada.watcher(channel.channelName)
      await ada.must('subscribe', channel)
      await bob.must('subscribe', channel)
      await expectJoin(watcher, 'bob')
      bob.socket.io.reconnection(false)
      bob.socket.io.engine.close()
      await expectTimeout(watcher, 'bob')
      expect(countOf(watcher, 'REMOTE_TIMEOUT')).toBe(1)
      expectWholeStays(watcher)
    })

    test('000.14 is quiet: hears, and is not heard of', async () => {
      const channel = wireChannel()
      const marker = await joinPlainMarker(scope, addresses()[0], channel.channelName)
      const [ada, bob] = await two()
      await ada.must('subscribe', channel)
      await bob.must('subscribe', { ...channel, beQuiet: true })
      await expectSnapshot(bob.watcher(channel.channelName), ['ada', marker.userId])
      await ada.must('setState', { ...channel, states: { Mode: 'Happy' } })
      await expectState(bob.watcher(channel.channelName), 'ada', { Mode: 'Happy' })
      await bob.must('unsubscribe', channel)
      await expectNoEvents(ada.watcher(channel.channelName), marker, { allow: ['SNAPSHOT'] })
    })

    test('gets packets that say what they cover, without a gap and with rising versions', async () => {
      const channel = wireChannel()
      const [ada, bob] = await two()
      await ada.must('subscribe', channel)
      await bob.must('subscribe', channel)
      const watchers = [ada.watcher(channel.channelName), bob.watcher(channel.channelName)]
      await Promise.all(Array.from({ length: 15 }, (_, n) => Promise.all([ada.send('setState', { ...channel, states: { n: String(n) } }), bob.send('setState', { ...channel, states: { n: String(n) } })])))
      const [last] = [await bob.must('removeState', channel)]
      await watchers[0]?.log.until('the last change', () => watchers[0]?.log.events.find((event) => event.version === last?.version))

      for (const { log } of watchers) {
        for (const { events, span } of log.packets) {
          expect(span).toMatchObject({ ...channel, life: expect.any(String), previous: expect.any(Number), version: expect.any(Number) })
          for (const event of events) expect(event.version).toBeLessThanOrEqual(span?.version ?? 0)
        }
      }
      expectWholeStays(...watchers)
    })
  })
}
