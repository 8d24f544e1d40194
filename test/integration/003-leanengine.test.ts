import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

import { beforeAll, expect, test } from '@jest/globals'

import { http } from '../support/http.js'
import { onOff, post } from '../support/on-off.js'
import { connectPlain } from '../support/plain.js'
import { freePort, startProcess, type TestProcess } from '../support/process.js'
import { RedisServer } from '../support/redis.js'
import { useTestScope } from '../support/scope.js'
import { ensureBuilt } from '../support/spawned.js'
import { eventually } from '../support/wait.js'

const ROOT = path.resolve(import.meta.dirname, '..', '..')
const scope = useTestScope()

beforeAll(ensureBuilt, 150_000)

/** What an application adds to the documentation's own files: a node, and the line that lets it serve them. */
const APP = `
const { createNode } = require('rollcall')
const AV = require('rollcall/compat/leanengine')

// 加载上下线状态中的云函数
require('./functions/rtm-onoff-status');

const node = createNode({ redisUrl: process.env.REDIS_URL, port: process.env.PORT, apiKey: process.env.ROLLCALL_API_KEY, logLevel: 'warn' })
AV.init(node)
node.listen()
process.once('SIGTERM', () => node.close().then(() => process.exit()))
`

/** A file of the documentation as its page prints it, with one thing in it replaced. */
async function sample(name: string, printed: string, ours: string): Promise<string> {
  const text = await readFile(path.join(import.meta.dirname, 'samples', `${name}.txt`), 'utf8')
  expect(text.split(printed)).toHaveLength(2)
  return text.replace(printed, ours)
}

/** The application as the documentation lays it out: CommonJS, with packages in `node_modules`. */
async function writeApp(): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'rollcall-leancloud-'))
  scope.defer('the application', () => rm(directory, { recursive: true, force: true }))
  await Promise.all(['functions', 'node_modules'].map((folder) => mkdir(path.join(directory, folder))))
  await symlink(ROOT, path.join(directory, 'node_modules', 'rollcall'))
  await symlink(path.join(ROOT, 'node_modules', 'ioredis'), path.join(directory, 'node_modules', 'ioredis'))
  await writeFile(path.join(directory, 'redis.js'), await sample('003-redis', 'REDIS_URL_<LeanCache-实例名称>', 'REDIS_URL_statusCache'))
  await writeFile(path.join(directory, 'functions', 'rtm-onoff-status.js'), await sample('003-rtm-onoff-status', 'leanengine', 'rollcall/compat/leanengine'))
  await writeFile(path.join(directory, 'app.js'), APP)
  return directory
}

async function start(cwd: string, file: string, env: Readonly<Record<string, string>>): Promise<{ readonly port: number; readonly process: TestProcess }> {
  const port = await freePort()
  const started = startProcess(`${file} :${port}`, process.execPath, [file], { cwd, env: { PATH: process.env.PATH, PORT: String(port), ...env } })
  scope.defer(`${file} :${port}`, () => started.stop())
  await eventually(`${file} is ready`, async () => {
    if (!started.running) throw new Error(`it ended:\n${started.tail()}`)
    return (await http(port, '/readyz')).status === 200
  }, { withinMs: 20_000, everyMs: 50 })
  return { port, process: started }
}

test('003.8 the documentation\'s own two files run, on two nodes: log in, log out, query by HTTP', async () => {
  const [presence, cache] = [await RedisServer.start(scope), await RedisServer.start(scope)]
  const app = await writeApp()
  const env = { REDIS_URL: presence.url, REDIS_URL_statusCache: cache.url, ROLLCALL_API_KEY: 'the-key' }
  const [a, b] = await Promise.all([start(app, 'app.js', env), start(app, 'app.js', env)])
  // What the documentation's C# client sends.
  const query = async (port: number, peerIds: readonly string[]): Promise<unknown> => {
    const { json } = await post({ port }, '/1.1/functions/getOnOffStatus', { peerIds }, { 'x-lc-id': 'dev', 'x-lc-key': 'the-key' })
    return (json as { readonly result?: unknown }).result
  }
  const reads = async (answer: unknown): Promise<void> => {
    for (const { port } of [a, b]) await eventually(`:${port} says ${JSON.stringify(answer)}`, async () => JSON.stringify(await query(port, ['tony', 'nobody'])) === JSON.stringify(answer))
  }

  expect(await query(a.port, ['tony', 'nobody'])).toEqual([null, null])
  const first = await connectPlain(scope, 'tony', { url: `http://127.0.0.1:${a.port}`, port: a.port })
  await reads(['1', null])
  expect(await cache.command('TTL', 'tony')).toBe(-1)
  first.socket.disconnect()
  await reads(['0', null])
  expect(Number(await cache.command('TTL', 'tony'))).toBeGreaterThan(604_700)
  const second = await connectPlain(scope, 'tony', { url: `http://127.0.0.1:${b.port}`, port: b.port })
  await reads(['1', null])
  second.socket.disconnect()
  await reads(['0', null])

  // It is their function that answers, out of their Redis.
  await cache.command('SET', 'nobody', 'theirs')
  await reads(['0', 'theirs'])
  for (const { process: node } of [a, b]) expect(node.output).toBe('')
})

test('003.8 the shortest program of the page runs', async () => {
  const redis = await RedisServer.start(scope)
  const { port, process: program } = await start(ROOT, 'examples/leancloud.mjs', { REDIS_URL: redis.url })
  const client = await connectPlain(scope, 'ada', { url: `http://127.0.0.1:${port}`, port })
  await eventually('the hook has said so', () => program.output.includes('ada is here\n'))
  expect(await onOff({ port }, ['ada', 'bob'])).toEqual(['1', null])
  client.socket.disconnect()
  await eventually('the other hook has said so', () => program.output.includes('ada has gone: logout\n'))
  expect(await onOff({ port }, ['ada', 'bob'])).toEqual(['0', null])
  expect((await post({ port }, '/1.1/functions/hello', { name: 'bob' })).json).toEqual({ result: 'hello, bob' })
})
