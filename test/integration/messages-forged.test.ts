import { expect, test } from '@jest/globals'

import { uniqueChannel } from '../support/client.js'
import { useCluster } from '../support/node.js'
import { connectPlain } from '../support/plain.js'
import { useTestScope } from '../support/scope.js'
import { MessageLog } from '../support/message-log.js'

const cluster = useCluster({ limits: { messageWaitMs: 500 } })
const scope = useTestScope()

test('who logs in with the session id of somebody else sends and receives nothing in their name', async () => {
  const [ann, bob] = [await connectPlain(scope, uniqueChannel('ann'), cluster.a), await connectPlain(scope, uniqueChannel('bob'), cluster.b)]
  const { sessionId } = ann.ready
  const eve = await connectPlain(scope, uniqueChannel('eve'), cluster.b, { auth: { sessionId, attach: ann.ready.attach + 1 } })
  eve.socket.on('message', (_message: unknown, acknowledge: () => void) => acknowledge())
  const log = MessageLog.ofPlain(bob, { acknowledges: false })

  // She has had her own, of the same number: that says nothing of Ann's.
  const pending = ann.must('sendMessage', { userId: bob.user, text: 'one', sequence: 1, offline: true })
  await log.next()
  expect(await eve.must('sendMessage', { userId: eve.user, text: 'mine', sequence: 1 })).toMatchObject({ received: true })
  expect(await pending).toMatchObject({ received: false })
  // Nor is Ann's next one taken for old because of hers, or replaced by it.
  await eve.must('sendMessage', { userId: bob.user, text: 'evil', sequence: 1_000_000, offline: true })
  await log.next()
  await ann.must('sendMessage', { userId: bob.user, text: 'two', sequence: 2, offline: true })
  await log.next()
  expect(log.texts).toEqual(['one', 'evil', 'two'])
})

test('post and timers of a kind that a node does not know, or cannot read, are passed over', async () => {
  const [ann, bob] = [await connectPlain(scope, uniqueChannel('ann'), cluster.a), await connectPlain(scope, uniqueChannel('bob'), cluster.b)]
  const log = MessageLog.ofPlain(bob, { acknowledges: false })
  for (let partition = 0; partition < 16; partition += 1) {
    expect(await cluster.redis.command('SPUBLISH', `rollcall:{${partition}}:post`, ['1', 'another', 'dev', '1', bob.user, 'x'].join('\0'))).toBe(2)
    for (const kind of ['post', 'status']) await cluster.redis.command('SPUBLISH', `rollcall:{${partition}}:${kind}`, 'what nobody can read')
    await cluster.redis.command('ZADD', `rollcall:{${partition}}:timers`, 1, ['another', 'dev:USER:x', 'id'].join('\0'))
    await cluster.redis.command('EXPIRE', `rollcall:{${partition}}:timers`, 60)
  }
  void ann.must('sendMessage', { userId: bob.user, text: 'hello', offline: true }).catch(() => undefined)
  await log.next()
  expect(log.texts).toEqual(['hello'])
})
