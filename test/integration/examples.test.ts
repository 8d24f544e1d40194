import { readFile } from 'node:fs/promises'
import path from 'node:path'

import { test } from '@jest/globals'

import { useCluster, type NodeAddress } from '../support/node.js'
import { startProcess, type TestProcess } from '../support/process.js'
import { useTestScope } from '../support/scope.js'
import { ensureBuilt } from '../support/spawned.js'
import { eventually } from '../support/wait.js'

const ROOT = path.resolve(import.meta.dirname, '..', '..')
const cluster = useCluster()
const scope = useTestScope()

/** An example as its page prints it, but for the address. */
async function run(name: string, where: NodeAddress, ...names: readonly string[]): Promise<TestProcess> {
  await ensureBuilt()
  const text = (await readFile(path.join(ROOT, 'examples', name), 'utf8')).replace('http://127.0.0.1:3000', where.url)
  const program = startProcess(`${name} of ${names[0] ?? ''}`, process.execPath, ['--input-type=module', '--eval', text, name, ...names], { cwd: ROOT, env: process.env })
  scope.defer(program.what, () => program.stop('SIGINT'))
  return program
}

async function says(program: TestProcess, ...lines: readonly string[]): Promise<void> {
  await eventually(`${program.what} says ${lines.join(', ')}; it said:\n${program.tail()}`, () => lines.every((line) => program.output.includes(`${line}\n`)))
}

test('two friends in the shape of tim: they see each other come and go', async () => {
  const ada = await run('tim.mjs', cluster.a, 'ada', 'bob')
  await eventually('ada is in', () => ada.running)
  const bob = await run('tim.mjs', cluster.b, 'bob', 'ada')
  await says(ada, 'bob: here')
  await says(bob, 'ada: here')
  await bob.stop('SIGINT')
  await says(ada, 'bob: gone')
})

test('two who talk in the shape of RTM 1.x: one finds a message, then they call each other', async () => {
  const ada = await run('rtm.mjs', cluster.a, 'ada', 'bob')
  await says(ada, 'CONNECTED LOGIN_SUCCESS', 'kept for later')
  const bob = await run('rtm.mjs', cluster.b, 'bob', 'ada')
  await says(bob, 'ada: hello (while you were away)', 'ada calls: join me', 'received')
  await says(ada, 'bob: hello', "{ bob: 'ONLINE' }", 'bob: on my way')
})
