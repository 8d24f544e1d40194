import { expect, test } from '@jest/globals'

import { connect, listen, statesOf } from '../support/client.js'
import { http } from '../support/http.js'
import { useCluster } from '../support/node.js'
import { connectPlain, joinPlainMarker, type PlainClient, type WireReply } from '../support/plain.js'
import { useTestScope } from '../support/scope.js'
import { eventually } from '../support/wait.js'
import { countOf, expectNoEvents } from '../support/watcher.js'
import { wireChannel } from '../support/wire-suite.js'

const RATE = 5
const cluster = useCluster({ limits: { callsPerSecond: RATE, pendingRequests: 30 } })
const scope = useTestScope()
const burst = (client: PlainClient, count: number, request: (index: number) => readonly [string, object]) => Promise.all(Array.from({ length: count }, (_, index) => client.send(...request(index))))
const coalesced = (replies: readonly WireReply[]) => replies.map((reply) => (reply.ok ? (reply.coalesced ?? 1) : reply.error.code))

test('below the rate one setState is one event, and no answer speaks of others', async () => {
  const channel = wireChannel()
  const marker = await joinPlainMarker(scope, cluster.a, channel.channelName)
  const [ada, bob] = [await connectPlain(scope, 'ada', cluster.a), await connectPlain(scope, 'bob', cluster.b)]
  await ada.must('subscribe', channel)
  await bob.must('subscribe', channel)
  const replies = await burst(bob, RATE, (n) => ['setState', { ...channel, states: { n: String(n) } }])
  expect(replies).toEqual(replies.map(() => ({ ok: true, version: expect.any(Number), timestamp: expect.any(Number) })))
  await expectNoEvents(ada.watcher(channel.channelName), marker, { allow: ['SNAPSHOT', 'REMOTE_JOIN', 'REMOTE_STATE_CHANGED'] })
  expect(countOf(ada.watcher(channel.channelName), 'REMOTE_STATE_CHANGED', 'bob')).toBe(RATE)
})

test('over the rate calls become one change a slot: nothing is lost, the last one wins, and every answer says how many', async () => {
  const channel = wireChannel()
  const [ada, bob] = [await connectPlain(scope, 'ada', cluster.a), await connectPlain(scope, 'bob', cluster.b)]
  const watcher = ada.watcher(channel.channelName)
  await ada.must('subscribe', channel)
  await bob.must('subscribe', channel)
  const replies = await burst(bob, 20, (n) => ['setState', { ...channel, states: { n: String(n), [`k${n}`]: '1' } }])

  expect(coalesced(replies)).toEqual([...Array<number>(RATE).fill(1), ...Array<number>(20 - RATE).fill(20 - RATE)])
  const all = { n: '19', ...Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`k${n}`, '1'])) }
  const last = await watcher.log.until('the last change', () => watcher.log.events.find(({ stateChanged }) => stateChanged.n === '19'))
  expect(last.stateChanged).toEqual(all)
  expect(replies.at(-1)).toMatchObject({ version: last.version })
  expect(countOf(watcher, 'REMOTE_STATE_CHANGED', 'bob')).toBe(RATE + 1)
  expect(await ada.must('getState', { ...channel, userId: 'bob' })).toMatchObject({ states: all })
  const metrics = (await http(cluster.b.port, '/metrics')).text
  expect(metrics).toMatch(new RegExp(`^rollcall_coalesced_calls_total ${20 - RATE}$`, 'm'))
})

test('sets and removals keep their order inside the change, and the count is checked for each as if it were alone', async () => {
  const channel = wireChannel()
  const bob = await connectPlain(scope, 'bob', cluster.b)
  const keys = (count: number, prefix: string) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`${prefix}${n}`, '1']))
  await bob.must('subscribe', { ...channel, states: keys(30, 'a') })
  await burst(bob, RATE, () => ['setState', { ...channel, states: { a0: '2' } }])
  const replies = await Promise.all([
    bob.send('setState', { ...channel, states: keys(2, 'b') }),
    bob.send('setState', { ...channel, states: keys(1, 'c') }),
    bob.send('removeState', channel),
    bob.send('setState', { ...channel, states: keys(2, 'd') }),
    bob.send('removeState', { ...channel, states: ['d0', 'nothing'] }),
  ])
  expect(coalesced(replies)).toEqual([4, 'PRESENCE_STATE_COUNT_OVERFLOW', 4, 4, 4])
  expect(await bob.must('getState', { ...channel, userId: 'bob' })).toMatchObject({ states: { d1: '1' } })
})

test('what is asked behind waiting changes sees them, and an unsubscribe ends what they changed', async () => {
  const channel = wireChannel()
  const bob = await connectPlain(scope, 'bob', cluster.b)
  await bob.must('subscribe', channel)
  const setting = burst(bob, RATE + 2, (n) => ['setState', { ...channel, states: { n: String(n) } }])
  const reading = bob.must('getState', { ...channel, userId: 'bob' })
  const after = bob.send('setState', { ...channel, states: { n: 'after' } })
  const leaving = bob.must('unsubscribe', channel)
  expect(coalesced(await setting)).toEqual([...Array<number>(RATE).fill(1), 2, 2])
  expect(await reading).toMatchObject({ states: { n: String(RATE + 1) } })
  expect(coalesced([await after])).toEqual([1])
  await leaving
  expect(await bob.send('setState', { ...channel, states: { n: 'late' } })).toMatchObject({ ok: false, error: { code: 'CHANNEL_NOT_SUBSCRIBED' } })
})

test('what waits is bounded, and other requests over the rate are refused as ever', async () => {
  const channel = wireChannel()
  const bob = await connectPlain(scope, 'bob', cluster.b)
  await bob.must('subscribe', channel)
  const replies = await burst(bob, 60, (n) => ['setState', { ...channel, states: { n: String(n) } }])
  const refused = replies.filter((reply) => !reply.ok)
  expect(refused).not.toHaveLength(0)
  for (const reply of refused) expect(reply).toMatchObject({ error: { code: 'PRESENCE_TOO_MANY_PENDING', operation: 'presenceSetState', retryable: true } })
  const asked = await burst(bob, RATE + 3, () => ['whereNow', { userId: 'bob' }])
  expect(coalesced(asked)).toEqual([...Array<number>(RATE).fill(1), ...Array<string>(3).fill('RATE_EXCEEDED')])
})

test('invalid ones are refused at once and take nobody with them; a client that goes leaves nothing behind', async () => {
  const channel = wireChannel()
  const [ada, bob] = [await connectPlain(scope, 'ada', cluster.a), await connectPlain(scope, 'bob', cluster.b)]
  await ada.must('subscribe', channel)
  await bob.must('subscribe', channel)
  const replies = await burst(bob, RATE + 4, (n) => ['setState', { ...channel, states: n % 2 === 0 ? { n: String(n) } : { n } }])
  expect(coalesced(replies).filter((reply) => reply === 'PRESENCE_INVALID_STATE_VALUE')).toHaveLength(4)
  expect(await ada.must('getState', { ...channel, userId: 'bob' })).toMatchObject({ states: { n: '8' } })

  for (let n = 0; n < RATE + 5; n++) bob.socket.emit('setState', { ...channel, states: { n: `late ${n}` } })
  bob.socket.disconnect()
  await eventually('bob is gone', async () => (await ada.must('whoNow', channel)).totalOccupancy === 1)
})

test.each([true, false])('the SDK needs to know nothing of it: its own states add up (with presence: %s)', async (withPresence) => {
  const channel = wireChannel()
  const watching = await connect(scope, 'watching', cluster.a)
  const watcher = listen(watching, channel.channelName, 'watching')
  await watching.subscribe(channel.channelName)
  const client = await connect(scope, 'sdk', cluster.b)
  await client.subscribe(channel.channelName, { withPresence })
  await Promise.all(Array.from({ length: 15 }, (_, n) => client.presence.setState(channel.channelName, 'MESSAGE', { n: String(n), [`k${n}`]: '1' })))
  const all = { n: '14', ...Object.fromEntries(Array.from({ length: 15 }, (_, n) => [`k${n}`, '1'])) }
  expect(await statesOf(client, 'sdk', channel.channelName)).toEqual(all)
  const changed = await watcher.log.until('all of it', () => watcher.log.events.find(({ stateChanged }) => stateChanged.n === '14'))
  expect(changed.stateChanged).toEqual(all)
  if (withPresence) expect({ ...client.channel(channel.channelName).members.get('sdk')?.states }).toEqual(all)
})
