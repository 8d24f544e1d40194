import { expect, test } from '@jest/globals'

import { connect } from '../support/client.js'
import { http } from '../support/http.js'
import { MessageLog } from '../support/message-log.js'
import { NoticeLog } from '../support/notice-log.js'
import { spawnPair } from '../support/pair.js'
import { connectPlain } from '../support/plain.js'
import { useTestScope } from '../support/scope.js'
import { eventually } from '../support/wait.js'

const scope = useTestScope()

test('a node that has slept tells nothing late of a session that has ended meanwhile: no status, no message, no call', async () => {
  const { a, b } = await spawnPair(scope)
  const bob = await connect(scope, 'bob', b)
  const ann = await connectPlain(scope, 'ann', a, { transports: ['websocket'], reconnection: false })
  await ann.must('addFriend', { userId: 'bob' })
  await bob.roster.add('ann')
  const notices = new NoticeLog(bob)
  const log = MessageLog.of(bob)
  const rings: string[] = []
  bob.on('invitation', ({ caller }) => rings.push(caller))

  a.process.kill('SIGSTOP')
  const said = () => undefined
  ann.socket.emit('broadcastStatus', { status: 'late' }, said)
  ann.socket.emit('sendMessage', { userId: 'bob', text: 'late', offline: true }, said)
  ann.socket.emit('invite', { userId: 'bob', id: 'late-call' }, said)
  await eventually('ann is gone for all others', () => notices.statuses.some(({ from, offline }) => from === 'ann' && offline === true))
  a.process.kill('SIGCONT')
  await eventually('the node is well again', async () => (await http(a.port, '/readyz')).status === 200)

  // What comes from there later comes behind whatever it still had to tell.
  const marker = await connectPlain(scope, 'marker', a)
  await marker.must('sendStatus', { userIds: ['bob'], status: 'mark' })
  await marker.must('sendMessage', { userId: 'bob', text: 'mark' })
  await marker.must('invite', { userId: 'bob', id: 'mark-call' })
  await eventually('bob hears of it', () => notices.statuses.some(({ from }) => from === 'marker') && log.texts.includes('mark') && rings.includes('marker'))
  expect(notices.statuses.filter(({ from }) => from === 'ann').map(({ offline, status }) => [offline, status])).toEqual([[true, undefined]])
  expect(log.texts).toEqual(['mark'])
  expect(new Set(rings)).toEqual(new Set(['marker']))
})
