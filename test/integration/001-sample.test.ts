import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { runInThisContext } from 'node:vm'

import { expect, test } from '@jest/globals'

import { TimPresence, type TimClient } from '../../src/client/compat/tim/index.js'
import { userChannel } from '../../src/presence/types.js'
import { Keys, partitionOf, timerText } from '../../src/store/redis/keys.js'
import { uniqueChannel } from '../support/client.js'
import { Link } from '../support/link.js'
import { useCluster } from '../support/node.js'
import { useTestScope } from '../support/scope.js'
import { befriend, TimUser } from '../support/tim.js'
import { eventually } from '../support/wait.js'

const cluster = useCluster()
const scope = useTestScope()

interface Shown {
  readonly node: string
  readonly online: boolean
  readonly status: string | undefined
}

/** The sample sets a client's `presenceHandler`; what it uses but does not declare is handed to it. */
async function install(user: TimUser, shown: Shown[], submap: Record<string, number>): Promise<void> {
  const text = await readFile(path.join(import.meta.dirname, 'samples', '001-presence-handler.txt'), 'utf8')
  type Sample = (tc: TimClient, TimPresence: unknown, isEmpty: (value: unknown) => boolean, submap: object, myAccount: string, friendstatus: (...args: never) => void, console: object) => void
  const sample = runInThisContext(`(function (tc, TimPresence, isEmpty, submap, myAccount, friendstatus, console) {\n${text}\n})`) as Sample
  const isEmpty = (value: unknown): boolean => value === undefined || value === null || value === '' || value === 0
  const friendstatus = (node: string, online: boolean, status: string | undefined): void => void shown.push({ node, online, status })
  sample(user.tc, TimPresence, isEmpty, submap, user.account, friendstatus, { log: () => undefined })
}

test('001.12 the sample\'s presenceHandler runs as it is printed: REQ is answered, offline is shown, and an account that was taken for gone says that it is here', async () => {
  const wire = await Link.open(scope, cluster.a)
  const a = await TimUser.login(scope, uniqueChannel('a'), wire)
  const b = await TimUser.login(scope, uniqueChannel('b'), cluster.b)
  await befriend(a, b)
  const [shownToA, shownToB]: [Shown[], Shown[]] = [[], []]
  const subscribedByB: Record<string, number> = {}
  await install(a, shownToA, {})
  await install(b, shownToB, subscribedByB)

  await a.tc.BroadPresence(1, 0, '😄')
  await eventually('both show each other', () => shownToA.length > 0 && shownToB.length > 0)
  expect(shownToB).toEqual([{ node: a.account, online: true, status: '😄' }])
  expect(shownToA).toEqual([{ node: b.account, online: true, status: '😄' }])
  expect(subscribedByB).toEqual({ [a.account]: 0 })

  // Lost for longer than its time, and back: told that it was taken for gone, it tells its friends otherwise.
  wire.cut()
  await eventually('b shows that a is gone', () => shownToB.some(({ node, online }) => node === a.account && !online))
  wire.restore(cluster.b)
  const back = await TimUser.login(scope, a.account, cluster.a)
  await back.tc.BroadPresence(1, 0, 'back')
  await eventually('b shows that a is back', () => shownToB.at(-1)?.status === 'back')
})

test('001.12 an account that is back by the time its friends are told hears of its own going, and broadcasts again', async () => {
  const a = await TimUser.login(scope, uniqueChannel('a'), cluster.a)
  const b = await TimUser.login(scope, uniqueChannel('b'), cluster.b)
  await befriend(a, b)
  const shown: Shown[] = []
  await install(a, shown, {})
  // The sweep that tells them is late: the account has been back for a while.
  await tellLate(a.account)
  const [gone, back] = await b.expectFrom(a.account, 2)
  expect(gone).toMatchObject({ offline: true })
  expect(back).toMatchObject({ subStatus: 1, status: 'haha' })
  expect(shown[0]).toEqual({ node: a.account, online: false, status: '' })
})

/** A farewell as the script that ends the last session leaves it. */
async function tellLate(account: string): Promise<void> {
  const channel = userChannel('dev', account)
  const { timers } = new Keys(partitionOf(channel, 16))
  await cluster.redis.command('ZADD', timers, 1, timerText({ kind: 'farewell', channel, id: '1' }))
}
