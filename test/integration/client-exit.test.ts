import path from 'node:path'

import { expect, test } from '@jest/globals'

import { useCluster } from '../support/node.js'
import { startProcess } from '../support/process.js'
import { useTestScope } from '../support/scope.js'
import { ensureBuilt } from '../support/spawned.js'
import { within } from '../support/wait.js'

const ROOT = path.resolve(import.meta.dirname, '..', '..')
const cluster = useCluster()
const scope = useTestScope()

const PROGRAMS = {
  'the SDK, with a call and a subscription under way': `
    import { RollcallClient } from 'rollcall/client'
    const client = new RollcallClient('dev', 'ada', { url: process.env.NODE_URL })
    await client.login()
    client.invitations.send('bob', { content: 'join me' }).catch(() => undefined)
    client.peers.subscribe(['bob']).catch(() => undefined)
    client.messages.send('bob', 'hello', { offline: true }).catch(() => undefined)
    await client.logout()
    console.log('out', client.peers.subscribed.size)`,
  'the shape of RTM, with a call under way': `
    import ArRTM from 'rollcall/compat/ar-rtm'
    const client = ArRTM.createInstance('dev', { url: process.env.NODE_URL })
    await client.login({ uid: 'ada' })
    client.createLocalInvitation('bob').send()
    await client.logout()
    console.log('out', 0)`,
  'the shape of tim, whose calls nobody awaits': `
    import { createTimClient } from 'rollcall/compat/tim'
    const tc = createTimClient({ url: process.env.NODE_URL, appId: 'dev', userId: 'ada' })
    tc.BroadPresence(1, 1, 'too early')
    await tc.login()
    tc.PresenceToUser('nobody', 1, 'x')
    tc.Addroster('ada')
    await tc.logout()
    console.log('out', 0)`,
}

/** Its exit code, and what it has said. */
async function run(text: string): Promise<readonly [number | null, string]> {
  await ensureBuilt()
  const program = startProcess('the program', process.execPath, ['--input-type=module', '--eval', text], { cwd: ROOT, env: { ...process.env, NODE_URL: cluster.a.url } })
  scope.defer('the program', () => program.stop('SIGKILL'))
  const { code } = await within(program.exited, 20_000, `it ends; it said:\n${program.tail()}`)
  return [code, program.output]
}

test.each(Object.entries(PROGRAMS))('a program with %s ends by itself after its logout', async (_, text) => {
  expect(await run(text)).toEqual([0, 'out 0\n'])
})

test('in the shape of tim a handler that throws changes nothing of its call: each refusal is told, and its own error is an uncaught one', async () => {
  const [code, output] = await run(`
    import { createTimClient } from 'rollcall/compat/tim'
    const told = []
    process.on('uncaughtException', ({ message }) => told.push(message))
    const throws = (what) => () => { throw new Error(what) }
    const tc = createTimClient({ url: process.env.NODE_URL, appId: 'dev', userId: 'eve' })
    await tc.login()
    Object.assign(tc, { ackHandler: throws('ack'), nodesHandler: throws('nodes') })
    const { ok, error } = await tc.PresenceToList(['nobody', 'nowhere'], 1, 'x')
    const list = await tc.Roster()
    await tc.logout()
    const refused = createTimClient({ url: process.env.NODE_URL, appId: 'dev', userId: '' })
    refused.ackHandler = throws('login')
    const login = await refused.login().catch(({ timType }) => timType)
    setTimeout(() => console.log(JSON.stringify([ok, error.code, list, login, told])), 10)`)
  expect([code, JSON.parse(output)]).toEqual([0, [false, 4106, { ok: true, timType: 41, nodelist: [] }, 16, ['ack', 'ack', 'nodes', 'login']]])
})
