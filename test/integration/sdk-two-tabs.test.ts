import { expect, test } from '@jest/globals'

import { connect, joinMarker, LinkLog, statesOf, uniqueChannel, watch } from '../support/client.js'
import { Link } from '../support/link.js'
import { useCluster } from '../support/node.js'
import { useTestScope } from '../support/scope.js'
import { expectJoin, expectNoEvents, expectState } from '../support/watcher.js'

const cluster = useCluster()
const scope = useTestScope()

test('a tab that was away for too long puts back what it wrote itself, and nothing of what the other tab has changed since', async () => {
  const channel = uniqueChannel()
  const marker = await joinMarker(scope, cluster.b, channel)
  const watcher = await watch(await connect(scope, 'watcher', cluster.b), channel)
  const wire = await Link.open(scope, cluster.a)
  const away = await connect(scope, 'tony', wire, { presenceTimeout: 1_000 })
  const here = await connect(scope, 'tony', cluster.b)
  const own = await watch(away, channel, { name: 'the tab that goes' })
  await here.subscribe(channel)
  await away.presence.setState(channel, 'MESSAGE', { phone: '1' })
  await here.presence.setState(channel, 'MESSAGE', { laptop: '1' })
  await expectState(own, 'tony', { phone: '1', laptop: '1' })

  const link = new LinkLog('the tab that goes', away)
  wire.cut()
  await link.until('SUSPENDED')
  await here.presence.setState(channel, 'MESSAGE', { laptop: '2' })
  wire.restore()
  expect((await link.until('CONNECTED')).isResumed).toBe(false)

  expect(await statesOf(here, 'tony', channel)).toEqual({ phone: '1', laptop: '2' })
  await expectJoin(watcher, 'tony')
  await expectState(watcher, 'tony', { phone: '1' })
  await expectState(watcher, 'tony', { phone: '1', laptop: '1' })
  await expectState(watcher, 'tony', { phone: '1', laptop: '2' })
  await expectNoEvents(watcher, marker, { allow: ['REMOTE_STATE_CHANGED'] })
})
