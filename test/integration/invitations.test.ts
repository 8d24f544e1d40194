import { describe, expect, test } from '@jest/globals'

import { connect, uniqueChannel as unique } from '../support/client.js'
import { InvitationLog } from '../support/invitation-log.js'
import { useCluster } from '../support/node.js'
import { useTestScope } from '../support/scope.js'

const cluster = useCluster({ limits: { invitationReceiptMs: 1_500, invitationAnswerMs: 1_500 } })
const scope = useTestScope()

async function pair() {
  const [ann, bob] = [await connect(scope, unique('ann'), cluster.a), await connect(scope, unique('bob'), cluster.b)]
  return { ann, bob, annLog: new InvitationLog(ann), bobLog: new InvitationLog(bob) }
}

describe('an invitation between two nodes', () => {
  test('is received and accepted', async () => {
    const { ann, bob, annLog, bobLog } = await pair()
    const sent = await ann.invitations.send(bob.userId, { content: 'hello', channelId: 'room' })
    await bobLog.next(sent.id, 'SENT')
    await annLog.next(sent.id, 'SENT')
    await annLog.next(sent.id, 'RECEIVED')
    await bobLog.next(sent.id, 'RECEIVED')
    await bob.invitations.accept(sent.id, 'yes')
    expect(await annLog.next(sent.id, 'ACCEPTED')).toMatchObject({ response: 'yes', answeredBy: bob.sessionId })
    await bobLog.next(sent.id, 'ACCEPTED')
  })
})
