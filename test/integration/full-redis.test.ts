import { beforeEach, describe, expect, test } from '@jest/globals'

import { connect, LinkLog, uniqueChannel, watch } from '../support/client.js'
import { Link } from '../support/link.js'
import { useCluster } from '../support/node.js'
import { connectPlain } from '../support/plain.js'
import { useTestScope } from '../support/scope.js'
import { eventually } from '../support/wait.js'
import { expectJoin, expectLeave, expectState } from '../support/watcher.js'

const cluster = useCluster()
const scope = useTestScope()

const most = (bytes: number): Promise<unknown> => cluster.redis.command('CONFIG', 'SET', 'maxmemory', bytes)

describe('while Redis is full (noeviction)', () => {
  beforeEach(() => {
    scope.defer('the limit', () => most(0))
  })

  test('who is there stays: with the connection lost and made again, on another node too, nobody hears of it', async () => {
    const channel = uniqueChannel()
    const bob = await watch(await connect(scope, 'bob', cluster.b), channel)
    const wire = await Link.open(scope, cluster.a)
    const ann = await connect(scope, 'ann', wire, { presenceTimeout: 20_000 })
    await watch(ann, channel, { name: 'ann' })
    await ann.presence.setState(channel, 'MESSAGE', { mood: 'good' })
    await expectJoin(bob, 'ann')
    await expectState(bob, 'ann', { mood: 'good' })
    const path = new LinkLog('ann', ann)

    await most(1)
    await expect(connectPlain(scope, 'eve', cluster.b, { reconnection: false })).rejects.toMatchObject({ data: { code: 'PRESENCE_OPERATION_FAILED' } })
    for (const node of [cluster.a, cluster.b]) {
      wire.redirect(node)
      await path.until('CONNECTED')
      expect(ann.nodeId).toBe(node.nodeId)
      await eventually('ann sees the channel again', () => ann.channel(channel).status === 'live')
    }
    await expect(ann.presence.setState(channel, 'MESSAGE', { mood: 'bad' })).rejects.toMatchObject({ code: 'PRESENCE_OPERATION_FAILED' })

    await most(0)
    await ann.presence.setState(channel, 'MESSAGE', { mood: 'relieved' })
    // The next that bob hears: neither a timeout nor another join came before it.
    await expectState(bob, 'ann', { mood: 'relieved' })
    await ann.logout()
    await expectLeave(bob, 'ann')
  })
})
