import { createHash } from 'node:crypto'

import { beforeAll, describe, expect, test } from '@jest/globals'

import { createNode } from '../../src/node.js'
import { FunctionError } from '../../src/rest/functions.js'
import { http, type HttpAnswer, type HttpQuestion } from '../support/http.js'
import { SMALL_TIMINGS, useCluster } from '../support/node.js'
import { post } from '../support/on-off.js'
import { connectPlain } from '../support/plain.js'

const KEY = 'the-api-key'
const cluster = useCluster({ apiKey: KEY })
const PATH = '/1.1/functions/getOnOffStatus'
const RIGHT = { 'x-lc-id': 'dev', 'x-lc-key': KEY }

const sign = (timestamp: number | string, key = KEY): string => `${createHash('md5').update(`${timestamp}${key}`).digest('hex')},${timestamp}`

beforeAll(async () => {
  await connectPlain(cluster.scope, 'ada', cluster.a)
})

async function ask(headers: Readonly<Record<string, string>>, path = PATH): Promise<HttpAnswer> {
  return post(cluster.b, path, { peerIds: ['ada', 'bob'] }, headers)
}

/** An error is JSON in LeanCloud's shape, never HTML and never a stack. */
function expectRefusal(answer: HttpAnswer, status: number, code: number, error: unknown = expect.any(String)): void {
  expect({ status: answer.status, type: answer.type, json: answer.json }).toEqual({ status, type: expect.stringMatching(/^application\/json\b/), json: { code, error } })
  expect(answer.text).not.toMatch(/\n\s+at |node_modules|\.ts:/)
}

describe('003.4 who may call', () => {
  test.each([
    ['the key', { 'x-lc-key': KEY }],
    ['the key of a master', { 'x-lc-key': `${KEY},master` }],
    ['a signature', { 'x-lc-sign': sign(Date.now()) }],
    ['one in capitals', { 'x-lc-sign': sign(Date.now()).toUpperCase() }],
    ['one of a master', { 'x-lc-sign': `${sign(Date.now())},master` }],
    ['one in seconds', { 'x-lc-sign': sign(Math.floor(Date.now() / 1_000)) }],
  ])('003.4 %s opens functions and call', async (_, headers) => {
    for (const path of [PATH, '/1.1/call/getOnOffStatus']) {
      const { status, json } = await ask({ 'x-lc-id': 'dev', ...headers }, path)
      expect({ status, json }).toEqual({ status: 200, json: { result: ['1', null] } })
    }
  })

  test.each([
    ['nothing', {}],
    ['no app id', { 'x-lc-key': KEY }],
    ['another app id', { ...RIGHT, 'x-lc-id': 'other' }],
    ['no key', { 'x-lc-id': 'dev' }],
    ['another key', { ...RIGHT, 'x-lc-key': 'another' }],
    ['a longer key', { ...RIGHT, 'x-lc-key': `${KEY}x` }],
    ['another key of a master', { ...RIGHT, 'x-lc-key': 'another,master' }],
    ['the key in the header of /v1', { 'x-lc-id': 'dev', authorization: `Bearer ${KEY}` }],
    ['a signature with another key', { 'x-lc-id': 'dev', 'x-lc-sign': sign(Date.now(), 'another') }],
    ['a signature of another time', { 'x-lc-id': 'dev', 'x-lc-sign': sign(Date.now()).replace(/\d$/, 'x') }],
    ['a signature of an hour ago', { 'x-lc-id': 'dev', 'x-lc-sign': sign(Date.now() - 3_600_000) }],
    ['a signature of the next hour', { 'x-lc-id': 'dev', 'x-lc-sign': sign(Date.now() + 3_600_000) }],
    ['a signature without its time', { 'x-lc-id': 'dev', 'x-lc-sign': sign('').replace(',', '') }],
    ['a signature of no time', { 'x-lc-id': 'dev', 'x-lc-sign': sign('') }],
  ] as const)('003.4 %s does not', async (_, headers) => {
    for (const path of [PATH, '/1.1/call/getOnOffStatus', '/1.1/functions/nothing', '/1.1']) expectRefusal(await ask(headers, path), 401, 401, 'Unauthorized.')
  })
})

const raw = (body: string, type = 'application/json'): HttpQuestion => ({ method: 'POST', headers: { ...RIGHT, 'content-type': type, 'content-length': String(Buffer.byteLength(body)) }, body })

describe('003.4 what cannot be answered', () => {
  test.each([
    ['an unknown function', '/1.1/functions/getOnOffStatuses', raw('{}'), 404, 1, 'No such cloud function \'getOnOffStatuses\''],
    ['a name of the prototype', '/1.1/functions/constructor', raw('{}'), 404, 1],
    ['a hook', '/1.1/functions/_clientOnline', raw('{}'), 404, 1],
    ['no name', '/1.1/functions', raw('{}'), 404, 1],
    ['two names', '/1.1/functions/getOnOffStatus/twice', raw('{}'), 404, 1],
    ['another route', '/1.1/classes/Todo', raw('{}'), 404, 1],
    ['another method', PATH, { method: 'GET', headers: RIGHT }, 405, -20_405],
    ['a URL that does not decode', '/1.1/functions/%E0%A4%A', raw('{}'), 400, -13_003],
    ['no JSON', PATH, raw('{"peerIds":'), 400, -13_003],
    ['another content type', PATH, raw('peerIds=ada', 'application/x-www-form-urlencoded'), 400, -13_003],
    ['a list', PATH, raw('["ada"]'), 400, -13_003],
    ['no peerIds', PATH, raw('{}'), 400, -13_003],
    ['no body', PATH, { method: 'POST', headers: RIGHT }, 400, -13_003],
    ['peerIds of a prototype', PATH, raw('{"__proto__":{"peerIds":["ada"]}}'), 400, -13_003],
    ['one peer that is no list', PATH, raw('{"peerIds":"ada"}'), 400, -13_003],
    ['a peer that is a number', PATH, raw('{"peerIds":[1]}'), 400, -10_006],
    ['a peer that nobody can be', PATH, raw('{"peerIds":["ada",".."]}'), 400, -10_006],
    ['an empty peer', PATH, raw('{"peerIds":[""]}'), 400, -10_006],
    ['1,001 peers', PATH, raw(JSON.stringify({ peerIds: Array.from({ length: 1_001 }, (_, i) => `u${i}`) })), 400, -13_003],
    ['a huge body', PATH, raw(JSON.stringify({ peerIds: ['x'.repeat(1_000_000)] })), 413, -20_413],
  ] as const)('003.4 %s is refused, in the shape of LeanCloud', async (_, path, question, status, code, error: unknown = expect.any(String)) => {
    expectRefusal(await http(cluster.b.port, path, question), status, code, error)
  })
})

test('003.4 the function of the application takes the place of ours, and what it throws on purpose is answered', async () => {
  const node = createNode({ host: '127.0.0.1', port: 0, logLevel: 'silent', drainMs: 500, ...SMALL_TIMINGS, redisUrl: cluster.redis.url, apiKey: KEY })
  cluster.scope.defer('a node with functions', () => node.close())
  node.functions.define('getOnOffStatus', ({ params, meta }) => ({ params, from: meta.remoteAddress }))
  node.functions.define('refuses', () => {
    throw new FunctionError('not today', { status: 409, code: 7 })
  })
  node.functions.define('breaks', async () => {
    throw new Error('the password is 1234')
  })
  node.functions.define('nothing', () => undefined)
  node.functions.define('noJson', () => 1n)
  expect(() => node.functions.define('nothing', () => undefined)).toThrow('already defined')
  const { port } = await node.listen()
  const at = async (name: string): Promise<HttpAnswer> => post({ port }, `/1.1/functions/${name}`, { peerIds: ['ada'] }, RIGHT)
  expect((await at('getOnOffStatus')).json).toEqual({ result: { params: { peerIds: ['ada'] }, from: '127.0.0.1' } })
  expect((await at('nothing')).json).toEqual({})
  expectRefusal(await at('refuses'), 409, 7, 'not today')
  for (const name of ['breaks', 'noJson']) expectRefusal(await at(name), 500, 1, expect.not.stringContaining('1234'))
})
