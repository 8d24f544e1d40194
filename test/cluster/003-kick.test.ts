import { expect, test } from '@jest/globals'

import { RollcallClient } from '../../src/client/index.js'
import type { LinkStateEvent } from '../../src/client/index.js'
import { http } from '../support/http.js'
import { Link } from '../support/link.js'
import { connectPlain } from '../support/plain.js'
import { spawnPair } from '../support/pair.js'
import { useTestScope } from '../support/scope.js'
import { eventually } from '../support/wait.js'

const scope = useTestScope()

async function kick(port: number, user: string, reason: string): Promise<unknown> {
  const body = JSON.stringify({ reason })
  const { json } = await http(port, `/v1/users/${user}/disconnect`, { method: 'POST', headers: { 'content-type': 'application/json', 'content-length': String(body.length) }, body })
  return json
}

interface Seen {
  readonly kicks: { readonly reason: string; readonly errorCode: number }[]
  readonly states: LinkStateEvent[]
}

async function sdk(user: string, url: string): Promise<{ readonly client: RollcallClient; readonly seen: Seen }> {
  const client = new RollcallClient('dev', user, { url })
  scope.defer(`the client of ${user}`, () => client.logout())
  const seen: Seen = { kicks: [], states: [] }
  client.on('kicked', (event) => seen.kicks.push(event))
  client.on('linkState', (event) => seen.states.push(event))
  await client.login()
  return { client, seen }
}

async function expectOver({ kicks, states }: Seen, reason: string): Promise<void> {
  await eventually('the client is told and stops', () => kicks.length === 1 && states.at(-1)?.currentState === 'FAILED')
  expect(kicks[0]?.reason).toBe(reason)
  expect(states.at(-1)).toMatchObject({ operation: 'SERVER_REJECT', reason })
}

test('a kick ends all sessions of a user on all nodes, leaves at once, with a reason that the SDK shows; another login is free to come', async () => {
  const { a, b } = await spawnPair(scope)
  const watcher = await connectPlain(scope, 'tom', b)
  await watcher.must('subscribe', { channelName: 'lobby', beQuiet: true })
  const [one, two] = [await sdk('ann', a.url), await sdk('ann', b.url)]
  await one.client.subscribe('lobby')
  expect(await kick(b.port, 'ann', 'the shift is over')).toEqual({ sessions: 2 })
  await expectOver(one.seen, 'the shift is over')
  await expectOver(two.seen, 'the shift is over')
  const { log } = watcher.watcher('lobby')
  await log.until('the leave', () => log.events.find(({ eventType, publisher }) => eventType === 'REMOTE_LEAVE' && publisher === 'ann'))
  expect(await kick(a.port, 'ann', 'again')).toEqual({ sessions: 0 })
  await one.client.login()
})

test('a session that has no connection is kicked too: it learns why when it comes back, and does not come back again', async () => {
  const { a, b } = await spawnPair(scope, { ROLLCALL_PRESENCE_TIMEOUT_MS: '20000' })
  const link = await Link.open(scope, a)
  const { seen } = await sdk('ann', link.url)
  link.cut()
  await eventually('it is away', () => seen.states.at(-1)?.currentState === 'CONNECTING')
  expect(await kick(b.port, 'ann', 'while you were away')).toEqual({ sessions: 1 })
  link.restore()
  await expectOver(seen, 'while you were away')
})

test('what a session without a connection was in is left at once too, and told as a leave', async () => {
  const { a, b } = await spawnPair(scope, { ROLLCALL_PRESENCE_TIMEOUT_MS: '60000' })
  const watcher = await connectPlain(scope, 'tom', b)
  await watcher.must('subscribe', { channelName: 'lobby', beQuiet: true })
  const link = await Link.open(scope, a)
  const away = await sdk('ann', link.url)
  await away.client.subscribe('lobby')
  await away.client.subscribe('attic')
  link.cut()
  await eventually('its node knows', async () => ((await http(b.port, '/v1/users/ann/status')).json as { status: string }).status === 'UNREACHABLE')
  const here = await sdk('ann', b.url)
  await here.client.subscribe('lobby')
  expect(await kick(b.port, 'ann', 'enough')).toEqual({ sessions: 2 })
  await expectOver(here.seen, 'enough')
  const { log } = watcher.watcher('lobby')
  const told = await log.until('its end', () => log.events.find(({ eventType, publisher }) => publisher === 'ann' && eventType !== 'REMOTE_JOIN'))
  expect(told.eventType).toBe('REMOTE_LEAVE')
  expect(await watcher.must('whereNow', { userId: 'ann' })).toMatchObject({ channels: [] })
})

test('a node that sleeps through a kick does not keep its session: the user has left, and the client is turned away with the reason', async () => {
  const { a, b } = await spawnPair(scope)
  const { client, seen } = await sdk('ann', a.url)
  await client.subscribe('lobby')
  a.process.kill('SIGSTOP')
  expect(await kick(b.port, 'ann', 'while your node slept')).toEqual({ sessions: 1 })
  expect((await http(b.port, '/v1/users/ann/channels')).json).toEqual({ totalChannel: 0, channels: [] })
  a.process.kill('SIGCONT')
  await expectOver(seen, 'while your node slept')
})

test('a kick while Redis is put right after a loss says that there may be more; repeated, it reaches everybody', async () => {
  const { a, b, redis } = await spawnPair(scope)
  const { seen } = await sdk('ann', a.url)
  await redis.command('FLUSHALL')
  expect(await kick(b.port, 'ann', 'enough')).toMatchObject({ error: { code: 'PRESENCE_OPERATION_FAILED' } })
  await eventually('a kick is answered with a number', async () => Object.hasOwn((await kick(b.port, 'ann', 'enough')) as object, 'sessions'), { everyMs: 200 })
  await expectOver(seen, 'enough')
})
