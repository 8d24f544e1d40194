import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

import { afterEach, describe, expect, test } from '@jest/globals'

import { createAuth } from '../../src/auth/index.js'
import { COMMANDS } from '../../src/cli/args.js'
import { eventLine } from '../../src/cli/event-line.js'
import { run } from '../../src/cli/run.js'
import { printable, statesText } from '../../src/cli/terminal.js'

const SECRET = 'a secret of thirty-two bytes or more'

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

interface Outcome {
  readonly code: number
  readonly out: readonly string[]
  readonly err: readonly string[]
}

async function rollcall(line: string | readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
  const out: string[] = []
  const err: string[] = []
  const argv = typeof line === 'string' ? line.split(' ').filter((part) => part !== '') : line
  const code = await run(argv, { env, out: (text) => out.push(text), err: (text) => err.push(text) })
  return { code, out, err }
}

interface Asked {
  readonly method: string
  readonly path: string
  readonly key: string | undefined
  readonly body: string
}

/** A node that answers from a table, by method and path. */
async function fakeNode(answers: Readonly<Record<string, unknown>>): Promise<{ url: string; asked: Asked[] }> {
  const asked: Asked[] = []
  const server = createServer((req, res) => {
    let body = ''
    req.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
    req.on('end', () => {
      const { method = '', url: path = '' } = req
      asked.push({ method, path, key: req.headers.authorization, body })
      const answer = answers[`${method} ${path}`]
      res.statusCode = answer === undefined ? 404 : 200
      res.end(JSON.stringify(answer ?? { error: { code: 'NOT_FOUND', errorCode: -20404, message: `there is no ${path}`, remediation: 'Look elsewhere.' } }))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => new Promise((resolve) => server.close(resolve).closeAllConnections()))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

describe('usage', () => {
  test.each([
    ['', 'a command is missing'],
    ['dance', 'no command "dance"'],
    ['toString', 'no command "toString"'],
    ['who', 'needs a CHANNEL'],
    ['who a b', 'no further argument "b"'],
    ['nodes extra', 'no further argument "extra"'],
    ['nodes --type MESSAGE', 'nodes has no option --type'],
    ['who room --nonsense', '--nonsense'],
    ['who room --type USER', '--type is one of'],
    ['who room --url localhost:3000', '--url is an address'],
    ['start --workers 0', '--workers is a whole number'],
    ['start --workers many', '--workers is a whole number'],
    ['start --port 65536', '--port is a whole number'],
    ['where ..', '".." is no name'],
    ['token', 'token needs --user'],
    ['token --user .', '--user'],
    ['token --user ana --ttl 0', '--ttl is a whole number'],
    ['token --user ana --channels {', '--channels'],
    ['token --user ana --channels [{}]', '--channels'],
  ])('%j is wrong', async (line, says) => {
    const { code, out, err } = await rollcall(line)
    expect([code, out]).toEqual([2, []])
    expect(err.join()).toContain(says)
  })

  test('help names every command and option', async () => {
    for (const line of ['help', '--help', 'who --help']) {
      const { code, out } = await rollcall(line)
      expect(code).toBe(0)
      for (const [command, { options }] of Object.entries(COMMANDS)) {
        expect(out.join('\n')).toContain(`  ${command} `)
        for (const option of options) expect(out.join('\n')).toContain(`--${option} `)
      }
    }
  })
})

describe('commands that ask a node', () => {
  test('who reads all pages', async () => {
    const path = '/v1/channels/STREAM/a%2Fb/members?includeState=true'
    const occupant = (userId: string, states: object) => ({ userId, states, statesCount: Object.keys(states).length })
    const { url } = await fakeNode({
      [`GET ${path}`]: { totalOccupancy: 2, occupants: [occupant('ana', { mood: 'well', seat: '4 b' })], nextPage: 'YW5h', version: 7 },
      [`GET ${path}&page=YW5h`]: { totalOccupancy: 2, occupants: [occupant('b\u001b[2Job', {})], nextPage: '', version: 8 },
    })
    const text = await rollcall(['who', 'a/b', '--type', 'stream', '--url', `${url}/`])
    expect(text).toEqual({ code: 0, out: ['ana  mood=well seat="4 b"', 'b\\u001b[2Job'], err: ['2 in a/b (STREAM)'] })
    const json = await rollcall(['who', 'a/b', '--type', 'STREAM', '--url', url, '--json'])
    expect(JSON.parse(json.out.join(''))).toMatchObject({ channelName: 'a/b', totalOccupancy: 2, occupants: [{ userId: 'ana' }, { userId: 'b\u001b[2Job' }] })
  })

  test('where, nodes', async () => {
    const { url } = await fakeNode({
      'GET /v1/users/%C3%BC%3F/channels': { totalChannel: 1, channels: [{ channelName: 'room', channelType: 'MESSAGE' }] },
      'GET /v1/nodes': { nodes: [{ nodeId: 'n1', leaseMs: 12_345, memberships: 1, self: true }, { nodeId: 'n2', leaseMs: 0, memberships: 2, self: false }] },
    })
    expect(await rollcall(`where ü? --url ${url}`)).toEqual({ code: 0, out: ['MESSAGE  room'], err: ['ü? is in 1 channel'] })
    expect((await rollcall(`nodes --url ${url}`)).out).toEqual(['n1  lease 12.3 s  1 membership  (answering)', 'n2  lease ended  2 memberships'])
    expect(JSON.parse((await rollcall(`nodes --url ${url} --json`)).out.join(''))).toHaveProperty('nodes.1.nodeId', 'n2')
  })

  test('kick, with the key of the environment or of the command line', async () => {
    const { url, asked } = await fakeNode({ 'POST /v1/users/ana/disconnect': { sessions: 2 } })
    expect((await rollcall(`kick ana --url ${url} --reason spam`, { ROLLCALL_API_KEY: 'k-1' })).out).toEqual(['2 sessions of ana ended'])
    await rollcall(`kick ana --url ${url} --api-key k-2`, { ROLLCALL_API_KEY: 'k-1' })
    await rollcall(`kick ana --url ${url}`)
    expect(asked.map(({ key, body }) => [key, body])).toEqual([['Bearer k-1', '{"reason":"spam"}'], ['Bearer k-2', '{}'], [undefined, '{}']])
  })

  test('a refusal, an answer of another kind and silence are failures that say why', async () => {
    const { url } = await fakeNode({ 'GET /v1/nodes': { hello: 'world' } })
    expect(await rollcall(`where ana --url ${url}`)).toEqual({ code: 1, out: [], err: ['rollcall: NOT_FOUND: there is no /v1/users/ana/channels. Look elsewhere.'] })
    expect(await rollcall(`nodes --url ${url}`)).toMatchObject({ code: 1, out: [] })
    const closed = createServer().listen(0, '127.0.0.1')
    await once(closed, 'listening')
    const { port } = closed.address() as AddressInfo
    await new Promise((resolve) => closed.close(resolve))
    const silent = await rollcall(`nodes --url http://127.0.0.1:${port}`)
    expect(silent.code).toBe(1)
    expect(silent.err.join()).toContain(`no answer from http://127.0.0.1:${port}: ECONNREFUSED`)
  })
})

describe('token', () => {
  test('prints a token that lets its user in, and nothing else', async () => {
    const channels = [{ type: 'MESSAGE', prefix: 'room-', can: ['join'] }]
    const env = { ROLLCALL_SECRET: SECRET, ROLLCALL_APP_ID: 'shop' }
    const { code, out, err } = await rollcall(['token', '--user', 'ana', '--ttl', '60', '--channels', JSON.stringify(channels)], env)
    expect([code, out.length, err]).toEqual([0, 1, []])
    const auth = createAuth({ appId: 'shop', secret: SECRET, apiKey: null, production: false })
    const grant = await auth.verify(out[0], { userId: 'ana' }, true)
    expect(grant.can('join', { channelName: 'room-1', channelType: 'MESSAGE' })).toBe(true)
    expect(grant.can('watch', { channelName: 'room-1', channelType: 'MESSAGE' })).toBe(false)
    expect(JSON.parse((await rollcall('token --user ana --json', env)).out.join(''))).toMatchObject({ userId: 'ana', appId: 'shop', ttlSeconds: 3600, token: expect.any(String) })
  })

  test('without a usable secret it fails', async () => {
    expect((await rollcall('token --user ana')).code).toBe(1)
    const { code, err } = await rollcall('token --user ana', { ROLLCALL_SECRET: 'short' })
    expect(code).toBe(1)
    expect(err.join()).toContain('ROLLCALL_SECRET must be at least 32 bytes')
  })
})

describe('what is printed', () => {
  test('other people\'s text cannot move the terminal', () => {
    expect(printable('a\u001b[2J\u0007\u009b\u202eb\n')).toBe('a\\u001b[2J\\u0007\\u009b\\u202eb\\u000a')
    expect(printable('Ана 😀')).toBe('Ана 😀')
    expect(statesText({ 'a b': 'x y', url: 'http://x', empty: '' })).toBe('a b="x y" url=http://x empty=""')
  })

  test('events, one a line', () => {
    const base = { publisher: '', stateChanged: {}, interval: null, snapshot: null, timestamp: 1_700_000_000_123 }
    expect(eventLine({ ...base, eventType: 'REMOTE_JOIN', publisher: 'ana' })).toBe('22:13:20.123  REMOTE_JOIN           ana')
    expect(eventLine({ ...base, eventType: 'REMOTE_STATE_CHANGED', publisher: 'ana', stateChanged: { mood: 'well' } })).toMatch(/ana {2}mood=well$/)
    const occupants = Array.from({ length: 25 }, (_, index) => ({ userId: `u${index}`, states: {}, statesCount: 0 }))
    expect(eventLine({ ...base, eventType: 'SNAPSHOT', snapshot: occupants })).toMatch(/25 here: u0, .*u19, …$/)
    const users = (userCount: number) => ({ users: [], userCount })
    const interval = { join: users(3), leave: users(2), timeout: users(1), userStateList: [], totalOccupancy: 500 }
    expect(eventLine({ ...base, eventType: 'INTERVAL', interval })).toMatch(/500 here, 3 joined, 2 left, 1 timed out, 0 with new states$/)
  })
})
