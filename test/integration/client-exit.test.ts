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

test.each(Object.entries(PROGRAMS))('a program with %s ends by itself after its logout', async (_, text) => {
  await ensureBuilt()
  const program = startProcess('the program', process.execPath, ['--input-type=module', '--eval', text], { cwd: ROOT, env: { ...process.env, NODE_URL: cluster.a.url } })
  scope.defer('the program', () => program.stop('SIGKILL'))
  const { code } = await within(program.exited, 20_000, `it ends; it said:\n${program.tail()}`)
  expect([code, program.output]).toEqual([0, 'out 0\n'])
}, 60_000)
