import { expect, test } from '@jest/globals'

import { useCluster } from '../support/node.js'
import { connectPlain } from '../support/plain.js'
import { useTestScope } from '../support/scope.js'
import { expectSnapshot, expectState, expectWholeStays } from '../support/watcher.js'
import { wireChannel } from '../support/wire-suite.js'

const cluster = useCluster()
const scope = useTestScope()
const LONG = { auth: { presenceTimeout: 30_000 } }

/** Somebody who watches a channel, drops its connection, and knows where it stood. */
async function dropped(user: string) {
  const channel = wireChannel()
  const ada = await connectPlain(scope, user, cluster.a, LONG)
  await ada.must('subscribe', channel)
  const snapshot = await expectSnapshot(ada.watcher(channel.channelName), [user])
  ada.socket.io.reconnection(false)
  ada.socket.io.engine.close()
  const since = { life: snapshot.life, version: snapshot.version }
  return { channel, since, sessionId: ada.ready.sessionId, ask: { ...channel, withPresence: true, beQuiet: false, since } }
}

test('a resume where nothing has changed is unchanged, and no event follows', async () => {
  const { channel, ask, sessionId, since } = await dropped('ada')
  const back = await connectPlain(scope, 'ada', cluster.b, { auth: { ...LONG.auth, sessionId } })
  const reply = await back.must('resume', { channels: [ask] })
  expect(reply.channels).toEqual([{ ...channel, result: 'unchanged', version: since.version }])
  const bob = await connectPlain(scope, 'bob', cluster.a)
  await bob.must('subscribe', { ...channel, states: { n: '1' } })
  const { log } = back.watcher(channel.channelName)
  await log.until('the next change', () => log.events.find((event) => event.publisher === 'bob' && event.eventType === 'REMOTE_STATE_CHANGED'))
  expect(log.events.map((event) => event.eventType)).toEqual(['REMOTE_JOIN', 'REMOTE_STATE_CHANGED'])
})

test('a resume on a node that keeps the channel\'s changes gets just what was missed, in order', async () => {
  // The other node has a watcher of its own, so its feed has seen everything.
  const { channel, ask, sessionId } = await dropped('ada')
  const bob = await connectPlain(scope, 'bob', cluster.b)
  await bob.must('subscribe', channel)
  await bob.must('setState', { ...channel, states: { n: '1' } })
  await bob.must('setState', { ...channel, states: { n: '2' } })

  const back = await connectPlain(scope, 'ada', cluster.b, { auth: { ...LONG.auth, sessionId } })
  const reply = await back.must('resume', { channels: [ask] })
  const { log } = back.watcher(channel.channelName)
  const [result] = reply.channels as readonly { result: string }[]
  if (result?.result === 'changes') {
    await log.until('the last change', () => log.events.find((event) => event.stateChanged.n === '2'))
    expect(log.events.map((event) => `${event.eventType} ${event.publisher} ${event.stateChanged.n ?? ''}`)).toEqual(['REMOTE_JOIN bob ', 'REMOTE_STATE_CHANGED bob 1', 'REMOTE_STATE_CHANGED bob 2'])
  } else {
    // The feed began after where the client stood.
    expect(result?.result).toBe('snapshot')
    await expectSnapshot(back.watcher(channel.channelName), { ada: {}, bob: { n: '2' } })
  }
})

test('a resume from a life that is over gets one SNAPSHOT', async () => {
  const { channel, ask, sessionId } = await dropped('ada')
  const back = await connectPlain(scope, 'ada', cluster.a, { auth: { ...LONG.auth, sessionId } })
  const reply = await back.must('resume', { channels: [{ ...ask, since: { life: 'some-other-life', version: ask.since.version } }] })
  expect(reply.channels).toEqual([expect.objectContaining({ ...channel, result: 'snapshot' })])
  await expectSnapshot(back.watcher(channel.channelName), ['ada'])
  expect(back.watcher(channel.channelName).log.events).toHaveLength(1)
})

test('a resume that is malformed anywhere is refused whole, and changes nothing', async () => {
  const { channel, ask, sessionId } = await dropped('ada')
  const back = await connectPlain(scope, 'ada', cluster.b, { auth: { ...LONG.auth, sessionId } })
  const other = wireChannel()
  const refused = await back.send('resume', { channels: [ask, { ...other, channelType: 'NOISE' }] })
  expect(refused).toMatchObject({ ok: false, error: { errorCode: -10019, operation: 'resume' } })
  expect(await back.must('whoNow', other)).toMatchObject({ totalOccupancy: 0 })
  const reply = await back.must('resume', { channels: [ask, other] })
  expect(reply.channels).toEqual([
    expect.objectContaining({ ...channel, result: expect.stringMatching(/unchanged|snapshot/) }),
    expect.objectContaining({ ...other, result: 'snapshot' }),
  ])
})

test('a client that tracks no versions subscribes again and gets a SNAPSHOT; nothing is missing afterwards', async () => {
  const { channel, sessionId } = await dropped('ada')
  const bob = await connectPlain(scope, 'bob', cluster.b)
  await bob.must('subscribe', { ...channel, states: { n: '1' } })
  const back = await connectPlain(scope, 'ada', cluster.b, { auth: { ...LONG.auth, sessionId } })
  await back.must('subscribe', channel)
  await expectSnapshot(back.watcher(channel.channelName), { ada: {}, bob: { n: '1' } })
  await bob.must('setState', { ...channel, states: { n: '2' } })
  await expectState(back.watcher(channel.channelName), 'bob', { n: '2' })
  expectWholeStays(back.watcher(channel.channelName))
})
