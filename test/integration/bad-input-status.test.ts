import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals'

import { ERRORS, type ErrorCode } from '../../src/protocol/errors.js'
import { BAD_NAMES } from '../support/bad-input.js'
import { http, type HttpQuestion } from '../support/http.js'
import { useCluster } from '../support/node.js'
import { connectPlain } from '../support/plain.js'
import type { Content } from '../support/redis.js'
import { eventually } from '../support/wait.js'

const KEY = 'the-api-key'
const AUTHORIZED = { authorization: `Bearer ${KEY}` }
const cluster = useCluster({ apiKey: KEY })
let before: Record<string, Content>

beforeAll(async () => {
  await connectPlain(cluster.scope, 'ada', cluster.a)
  await eventually('both nodes have said that they are there', async () => (await cluster.redis.keys('rollcall:{*}:owned:*')).length >= 32)
})

beforeEach(async () => {
  before = await cluster.redis.contents()
})

async function refused(code: ErrorCode, path: string, { headers = {}, ...question }: HttpQuestion): Promise<void> {
  const answer = await http(cluster.b.port, path, { ...question, headers: { ...AUTHORIZED, ...headers } })
  expect({ status: answer.status, type: answer.type, json: answer.json }).toEqual({
    status: ERRORS[code].status,
    type: expect.stringMatching(/^application\/json\b/),
    json: { error: { code, errorCode: ERRORS[code].errorCode, message: expect.any(String), remediation: ERRORS[code].remediation } },
  })
  expect(await cluster.redis.contents()).toEqual(before)
}

const QUERY = '/v1/status/query'
const raw = (body: string, type = 'application/json'): HttpQuestion => ({ method: 'POST', headers: { 'content-type': type, 'content-length': String(Buffer.byteLength(body)) }, body })

describe('a bad query of statuses is refused with its code and changes nothing', () => {
  test.each([
    ['no JSON', 'PRESENCE_INVALID_ARGUMENT', raw('{"userIds":')],
    ['no body', 'PRESENCE_INVALID_ARGUMENT', { method: 'POST' }],
    ['another content type', 'PRESENCE_INVALID_ARGUMENT', raw('userIds=ada', 'text/plain')],
    ['a list', 'PRESENCE_INVALID_ARGUMENT', raw('["ada"]')],
    ['no userIds', 'PRESENCE_INVALID_ARGUMENT', raw('{"peerIds":["ada"]}')],
    ['userIds of a prototype', 'PRESENCE_INVALID_ARGUMENT', raw('{"__proto__":{"userIds":["ada"]}}')],
    ['one user that is no list', 'PRESENCE_INVALID_ARGUMENT', raw('{"userIds":"ada"}')],
    ['1,001 users', 'PRESENCE_INVALID_ARGUMENT', raw(JSON.stringify({ userIds: Array.from({ length: 1_001 }, (_, i) => `u${i}`) }))],
    ['a list in the list', 'INVALID_USER_ID', raw('{"userIds":[["ada"]]}')],
    ['a huge body', 'PAYLOAD_TOO_LARGE', raw(JSON.stringify({ userIds: ['x'.repeat(1_000_000)] }))],
    ['another method', 'METHOD_NOT_ALLOWED', { method: 'GET' }],
    ['another key', 'UNAUTHORIZED', { ...raw('{"userIds":[]}'), headers: { authorization: 'Bearer another' } }],
  ] as const)('%s', async (_, code, question) => refused(code, QUERY, question))

  test('ids that nobody can have, among others', async () => {
    for (const [, name] of BAD_NAMES) {
      // What JSON can say of it.
      if (name !== undefined && !Buffer.isBuffer(name) && JSON.stringify(name).length < 1_000) await refused('INVALID_USER_ID', QUERY, raw(JSON.stringify({ userIds: ['ada', name] })))
    }
  })
})

test('a bad question about one user is refused with its code', async () => {
  for (const [code, path, question] of [
    ['INVALID_USER_ID', `/v1/users/${'x'.repeat(65)}/status`, {}],
    ['INVALID_USER_ID', '/v1/users/%2e%2e/status', {}],
    ['PRESENCE_INVALID_ARGUMENT', '/v1/users/%E0%A4%A/status', {}],
    ['METHOD_NOT_ALLOWED', '/v1/users/ada/status', { method: 'POST' }],
    ['UNAUTHORIZED', '/v1/users/ada/status', { headers: { authorization: 'Bearer another' } }],
  ] as const) await refused(code, path, question)
})

test('1,000 ids of 64 bytes are taken, however they are written', async () => {
  // Each byte as six, and each id another one.
  const ids = Array.from({ length: 1_000 }, (_, i) => [...String(i).padStart(64, '\u0001')].map((char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`).join(''))
  const question = raw(`{"userIds":[${ids.map((id) => `"${id}"`).join(', ')}]}`)
  const { status, json } = await http(cluster.a.port, QUERY, { ...question, headers: { ...question.headers, ...AUTHORIZED } })
  expect([status, Object.keys((json as { statuses: object }).statuses).length]).toEqual([200, 1_000])
})
