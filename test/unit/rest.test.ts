import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'

import { afterEach, describe, expect, test } from '@jest/globals'

import { createAuth } from '../../src/auth/index.js'
import { resolveConfig, type NodeOptions } from '../../src/config.js'
import type { Feed } from '../../src/feeds/types.js'
import { silentLogger } from '../../src/log.js'
import { createMetrics } from '../../src/metrics/index.js'
import { StoreRefusedError, UnknownOutcomeError } from '../../src/presence/store.js'
import { RollcallError } from '../../src/protocol/errors.js'
import { createApp, Functions, type RestDeps } from '../../src/rest/index.js'
import type { Member } from '../../src/replica/replica.js'

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** A room with three members, "ana" in two channels, and a node beside this one whose lease has ended. */
function deps(options: NodeOptions = {}, overrides: Partial<RestDeps> = {}): RestDeps & { released: number } {
  const config = resolveConfig(options)
  const members = new Map<string, Member>(['ana', 'bob', 'cem'].map((userId) => [userId, { userId, states: { mood: userId }, joinedAt: 1 }]))
  const unused = (): never => {
    throw new Error('not used here')
  }
  const feed: Feed = {
    channel: { app: 'dev', type: 'MESSAGE', name: 'room' },
    replica: { life: 'a', version: 42, members },
    missedSince: unused,
    sortedUserIds: () => [...members.keys()].sort(),
    atLeast: async () => undefined,
    fresh: true,
    settled: true,
  }
  const self = {
    config,
    auth: createAuth(config),
    presence: {
      nodeId: 'node-a',
      app: 'dev',
      getState: async (_channel, userId) => {
        const member = members.get(userId)
        if (member === undefined) throw new RollcallError('PRESENCE_USER_NOT_EXIST', `${userId} is not here`)
        return member.states
      },
      whereNow: async () => [{ channelName: 'room', channelType: 'MESSAGE' }],
      statuses: async (userIds) => userIds.map(() => ({ status: 'ONLINE', lastSeen: null })),
      acknowledged: () => 0,
    },
    feeds: {
      acquire: async () => feed,
      release: () => {
        self.released++
      },
    },
    store: {
      partitions: 2,
      channels: async (cursor: string) => {
        if (cursor === '') return { channels: [{ app: 'dev', type: 'MESSAGE', name: 'room', occupancy: 3, version: 42 }, { app: 'dev', type: 'USER', name: 'ana', occupancy: 1, version: 1 }], cursor: 'next' }
        if (cursor !== 'next') return null
        return { channels: [{ app: 'dev', type: 'STREAM', name: 'stage', occupancy: 1, version: 43 }, { app: 'other', type: 'MESSAGE', name: 'room', occupancy: 9, version: 9 }], cursor: '' }
      },
      leases: async (partition: number) => ({
        clock: 10_000_000,
        rows: [{ node: 'node-a', leaseEnd: 22_000_000 + partition, owned: 3 }, { node: 'node-b', leaseEnd: 0, owned: 1 }],
      }),
      ping: async () => undefined,
    },
    functions: new Functions(),
    metrics: createMetrics('node-a'),
    log: silentLogger,
    disconnectUser: async () => 2,
    draining: () => false,
    ready: async () => true,
    released: 0,
    ...overrides,
  } satisfies RestDeps & { released: number }
  return self
}

async function serve(given: RestDeps, ...more: [] | [{ browser: string; demo: string }]): Promise<string> {
  const server: Server = createServer(createApp(given, ...more))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => new Promise((resolve) => server.close(resolve).closeAllConnections()))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function get(url: string, init?: RequestInit): Promise<{ status: number; headers: Headers; body: unknown }> {
  const response = await fetch(url, init)
  return { status: response.status, headers: response.headers, body: await response.json() }
}

/** `fetch` repairs paths before it sends them; this does not. */
function rawGet(base: string, rawPath: string): Promise<{ status: number; type: string; body: string }> {
  const { hostname, port } = new URL(base)
  return new Promise((resolve, reject) => {
    request({ hostname, port, path: rawPath }, (res) => {
      let body = ''
      res.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
      res.on('end', () => resolve({ status: res.statusCode ?? 0, type: res.headers['content-type'] ?? '', body }))
    })
      .on('error', reject)
      .end()
  })
}

describe('resources', () => {
  test('channels: of this app, without the internal ones, filtered', async () => {
    const base = await serve(deps())
    const room = { channelName: 'room', channelType: 'MESSAGE', totalOccupancy: 3, version: 42 }
    const stage = { channelName: 'stage', channelType: 'STREAM', totalOccupancy: 1, version: 43 }
    expect((await get(`${base}/v1/channels`)).body).toEqual({ channels: [room, stage], cursor: '' })
    expect((await get(`${base}/v1/channels?type=STREAM`)).body).toEqual({ channels: [stage], cursor: '' })
    expect((await get(`${base}/v1/channels?prefix=ro&cursor=`)).body).toEqual({ channels: [room], cursor: '' })
    expect(await get(`${base}/v1/channels?type=USER`)).toMatchObject({ status: 400, body: { error: { code: 'INVALID_CHANNEL_TYPE' } } })
    expect(await get(`${base}/v1/channels?cursor=x`)).toMatchObject({ status: 400, body: { error: { code: 'PRESENCE_INVALID_ARGUMENT' } } })
    expect(await get(`${base}/v1/channels?prefix=a&prefix=b`)).toMatchObject({ status: 400, body: { error: { code: 'PRESENCE_INVALID_ARGUMENT' } } })
  })

  test('members: pages as whoNow, states on demand, the feed given back', async () => {
    const given = deps({ limits: { pageSize: 2 } })
    const base = await serve(given)
    const first = await get(`${base}/v1/channels/MESSAGE/room/members`)
    expect(first.body).toMatchObject({ totalOccupancy: 3, version: 42, occupants: [{ userId: 'ana', states: {}, statesCount: 1 }, { userId: 'bob' }] })
    const { nextPage } = first.body as { nextPage: string }
    const second = await get(`${base}/v1/channels/MESSAGE/room/members?includeState=true&page=${nextPage}`)
    expect(second.body).toEqual({ totalOccupancy: 3, version: 42, occupants: [{ userId: 'cem', states: { mood: 'cem' }, statesCount: 1 }], nextPage: '' })
    expect(await get(`${base}/v1/channels/MESSAGE/room/members?page=!`)).toMatchObject({ status: 400 })
    expect(await get(`${base}/v1/channels/MESSAGE/room/members?includeState=perhaps`)).toMatchObject({ status: 400 })
    expect(given.released).toBe(3)
  })

  test('a feed that may not speak for Redis does not', async () => {
    const given = deps()
    const feed = await given.feeds.acquire({ app: 'dev', type: 'MESSAGE', name: 'room' })
    const stale = { ...given, feeds: { ...given.feeds, acquire: async () => ({ ...feed, fresh: false }) } }
    const { status, headers, body } = await get(`${await serve(stale)}/v1/channels/MESSAGE/room/members`)
    expect([status, headers.get('retry-after')]).toEqual([503, '1'])
    expect(body).toMatchObject({ error: { code: 'PRESENCE_OPERATION_FAILED' } })
    expect(given.released).toBe(1)
  })

  test('one member, and where a user is', async () => {
    const base = await serve(deps())
    expect((await get(`${base}/v1/channels/MESSAGE/room/members/ana`)).body).toEqual({ userId: 'ana', states: { mood: 'ana' }, statesCount: 1 })
    expect(await get(`${base}/v1/channels/MESSAGE/room/members/dan`)).toMatchObject({ status: 404, body: { error: { code: 'PRESENCE_USER_NOT_EXIST', errorCode: -13011 } } })
    expect((await get(`${base}/v1/users/ana/channels`)).body).toEqual({ totalChannel: 1, channels: [{ channelName: 'room', channelType: 'MESSAGE' }] })
  })

  test('nodes, over all partitions', async () => {
    expect((await get(`${await serve(deps())}/v1/nodes`)).body).toEqual({
      nodes: [
        { nodeId: 'node-a', leaseMs: 12_000, memberships: 6, self: true },
        { nodeId: 'node-b', leaseMs: 0, memberships: 2, self: false },
      ],
    })
  })

  test('disconnect, with and without a reason', async () => {
    const seen: string[][] = []
    const base = await serve(deps({}, { disconnectUser: async (...call) => seen.push(call) }))
    const post = (body?: string, type = 'application/json') =>
      get(`${base}/v1/users/${encodeURIComponent('a/ü')}/disconnect`, { method: 'POST', ...(body === undefined ? {} : { body, headers: { 'content-type': type } }) })
    expect((await post()).body).toEqual({ sessions: 1 })
    expect((await post('{"reason":"spam"}')).body).toEqual({ sessions: 2 })
    expect(seen).toEqual([['a/ü', 'disconnected by the application'], ['a/ü', 'spam']])
    for (const body of ['{', 'null', '5']) expect(await post(body)).toMatchObject({ status: 400, body: { error: { code: 'PRESENCE_INVALID_ARGUMENT', message: 'the body is not a JSON object' } } })
    for (const body of ['[]', '"x"', '{"reason":7}', `{"reason":"${'x'.repeat(257)}"}`]) expect(await post(body)).toMatchObject({ status: 400 })
    expect(await post('reason=spam', 'application/x-www-form-urlencoded')).toMatchObject({ status: 400 })
    expect(await post(`{"reason":"${'x'.repeat(20_000)}"}`)).toMatchObject({ status: 413, body: { error: { code: 'PAYLOAD_TOO_LARGE' } } })
    expect(seen).toHaveLength(2)
  })
})

describe('errors are JSON, always', () => {
  test.each([
    ['/v1/users/%E0%A4%A/channels', 400, 'PRESENCE_INVALID_ARGUMENT'],
    ['/%', 400, 'PRESENCE_INVALID_ARGUMENT'],
    ['/demo/%zz', 400, 'PRESENCE_INVALID_ARGUMENT'],
    ['/v1/users/%00/channels', 400, 'INVALID_USER_ID'],
    ['/v1/users/%2e%2e/channels', 400, 'INVALID_USER_ID'],
    [`/v1/users/${'x'.repeat(65)}/channels`, 400, 'INVALID_USER_ID'],
    [`/v1/users/${encodeURIComponent('e\u0301')}/channels`, 400, 'INVALID_USER_ID'],
    ['/v1/channels/MESSAGE/%2e/members', 400, 'INVALID_CHANNEL_NAME'],
    ['/v1/channels/message/room/members', 400, 'INVALID_CHANNEL_TYPE'],
    ['/v1/nothing', 404, 'NOT_FOUND'],
    ['/', 404, 'NOT_FOUND'],
    ['/demo/../package.json', 404, 'NOT_FOUND'],
    ['/demo/%2e%2e/%2e%2e/package.json', 404, 'NOT_FOUND'],
    ['//', 404, 'NOT_FOUND'],
    ['/METRICS', 404, 'NOT_FOUND'],
    ['/metrics/', 404, 'NOT_FOUND'],
  ])('%s: %d %s', async (path, status, code) => {
    const response = await rawGet(await serve(deps()), path)
    expect(response).toMatchObject({ status, type: 'application/json; charset=utf-8' })
    const { error } = JSON.parse(response.body) as { error: Record<string, unknown> }
    expect(error).toEqual({ code, errorCode: expect.any(Number), message: expect.any(String), remediation: expect.any(String) })
  })

  test('a wrong method is told which ones are right', async () => {
    const base = await serve(deps())
    for (const [path, allow] of [['/v1/channels', 'GET, HEAD, OPTIONS'], ['/v1/users/ana/disconnect', 'POST, OPTIONS'], ['/livez', 'GET, HEAD, OPTIONS'], ['/client.js', 'GET, HEAD, OPTIONS']] as const) {
      const { status, headers, body } = await get(base + path, { method: 'DELETE' })
      expect([status, headers.get('allow')]).toEqual([405, allow])
      expect(body).toMatchObject({ error: { code: 'METHOD_NOT_ALLOWED' } })
    }
    expect((await fetch(`${base}/v1/channels`, { method: 'HEAD' })).status).toBe(200)
  })

  test.each([
    ['a call without an answer', new UnknownOutcomeError(new Error('x')), 504, 'PRESENCE_OPERATION_TIMEOUT'],
    ['a refusal of the store', new StoreRefusedError('LOADING', null), 503, 'PRESENCE_OPERATION_FAILED'],
    ['a defect', new TypeError('secret detail at line 7'), 500, 'INTERNAL'],
  ])('%s becomes its own code and tells nothing of the inside', async (_what, thrown, status, code) => {
    const given = deps()
    const failing = { ...given, store: { ...given.store, leases: () => Promise.reject(thrown) } }
    const response = await rawGet(await serve(failing), '/v1/nodes')
    expect(response.status).toBe(status)
    expect(response.body).toContain(code)
    expect(response.body).not.toMatch(/secret detail|rest\/|node_modules/)
    expect(await given.metrics.text()).toContain(`rollcall_errors_total{code="${code}"} 1`)
  })

  test.each([
    ['a call without an answer', new UnknownOutcomeError(new Error('x')), 504, { code: -13012, error: 'the store did not answer' }],
    ['a refusal of the store', new StoreRefusedError('LOADING', null), 503, { code: -13013, error: 'the store refused' }],
    ['a defect', new TypeError('secret detail at line 7'), 500, { code: 1, error: 'something went wrong inside the server' }],
  ])('%s in a function has the shape of functions', async (_what, thrown, status, body) => {
    const given = deps()
    const base = await serve({ ...given, presence: { ...given.presence, statuses: () => Promise.reject(thrown) } })
    const asked = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"peerIds":["ana"]}' }
    const answer = await get(`${base}/1.1/functions/getOnOffStatus`, asked)
    expect([answer.status, answer.body, answer.headers.get('retry-after')]).toEqual([status, body, status === 503 ? '1' : null])
    expect(await given.metrics.text()).toContain(`rollcall_http_requests_total{method="POST",status="${status}"} 1`)
  })
})

describe('who may', () => {
  test('the key is asked for before anything is told', async () => {
    const base = await serve(deps({ apiKey: 'k-1' }))
    for (const path of ['/v1/nodes', '/v1/nothing', '/v1']) {
      const { status, headers, body } = await get(base + path)
      expect([status, headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="rollcall"'])
      expect(body).toMatchObject({ error: { code: 'UNAUTHORIZED' } })
    }
    expect((await get(`${base}/v1/nodes`, { headers: { authorization: 'Bearer k-1' } })).status).toBe(200)
    expect((await get(`${base}/livez`)).status).toBe(200)
  })

  test('production without a key is closed', async () => {
    const base = await serve(deps({ nodeEnv: 'production', secret: 'x'.repeat(32) }))
    expect((await get(`${base}/v1/nodes`)).status).toBe(401)
  })

  test('origins', async () => {
    const allowedAt = async (base: string, origin: string, method = 'GET'): Promise<[number, string | null]> => {
      const response = await fetch(`${base}/v1/nodes`, { method, headers: { origin, 'access-control-request-method': 'GET' } })
      return [response.status, response.headers.get('access-control-allow-origin')]
    }
    const open = await serve(deps())
    expect(await allowedAt(open, 'https://any.example')).toEqual([200, '*'])
    const picky = await serve(deps({ apiKey: 'k-1', corsOrigins: ['https://a.example'] }))
    expect(await allowedAt(picky, 'https://a.example', 'OPTIONS')).toEqual([204, 'https://a.example'])
    expect(await allowedAt(picky, 'https://b.example', 'OPTIONS')).toEqual([204, null])
    // A refused request is one that its page may read.
    expect(await allowedAt(picky, 'https://a.example')).toEqual([401, 'https://a.example'])
    expect((await fetch(`${picky}/livez`)).headers.get('vary')).toBe('Origin')
  })
})

describe('health', () => {
  test('ready until Redis, the service or the node itself says otherwise', async () => {
    expect(await get(`${await serve(deps())}/readyz`)).toMatchObject({ status: 200, body: { status: 'ready' } })
    const given = deps()
    const failing = { ...given.store, ping: () => Promise.reject(new Error('down')) }
    for (const [overrides, check] of [
      [{ draining: () => true }, { draining: true }],
      [{ ready: async () => false }, { service: false }],
      [{ ready: () => Promise.reject(new Error('down')) }, { service: false }],
      [{ store: failing }, { commands: false }],
    ] as const) {
      const base = await serve(deps({}, overrides))
      expect(await get(`${base}/readyz`)).toMatchObject({ status: 503, body: { status: 'unready', checks: check } })
      expect((await get(`${base}/livez`)).body).toEqual({ status: 'alive', nodeId: 'node-a' })
    }
  })

  test('a check that hangs is a check that fails', async () => {
    const base = await serve(deps({}, { ready: () => new Promise(() => undefined) }))
    expect((await get(`${base}/readyz`)).status).toBe(503)
  })

  test('metrics, its own or those of all', async () => {
    const own = await fetch(`${await serve(deps())}/metrics`)
    expect(own.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
    expect(await own.text()).toContain('rollcall_node_info{node_id="node-a",pid="')
    const all = await fetch(`${await serve(deps({}, { renderMetrics: async () => 'all of them' }))}/metrics`)
    expect(await all.text()).toBe('all of them')
  })
})

describe('assets', () => {
  test('the SDK and the demo, revalidated and locked down', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'rollcall-'))
    closing.push(() => rm(folder, { recursive: true }))
    await writeFile(path.join(folder, 'client.js'), 'export {}')
    await writeFile(path.join(folder, 'index.html'), '<!doctype html>')
    const base = await serve(deps(), { browser: folder, demo: folder })
    const client = await fetch(`${base}/client.js`, { headers: { origin: 'https://any.example' } })
    expect(client.status).toBe(200)
    expect(client.headers.get('content-type')).toMatch(/^text\/javascript/)
    expect(client.headers.get('access-control-allow-origin')).toBe('*')
    expect(client.headers.get('cross-origin-resource-policy')).toBe('cross-origin')
    const etag = client.headers.get('etag') ?? ''
    expect((await fetch(`${base}/client.js`, { headers: { 'if-none-match': etag, 'cache-control': 'max-age=0' }, cache: 'no-cache' })).status).toBe(304)
    for (const at of ['/demo', '/demo/', '/demo/index.html']) {
      const page = await fetch(base + at)
      expect([page.status, page.headers.get('content-type'), page.headers.get('cache-control')]).toEqual([200, 'text/html; charset=utf-8', 'no-cache'])
      expect(page.headers.get('content-security-policy')).toContain("script-src 'self'")
      expect(page.headers.get('content-security-policy')).not.toContain('unsafe')
    }
  })

  test('what was not built says so', async () => {
    const base = await serve(deps(), { browser: '/nonexistent', demo: '/nonexistent' })
    for (const at of ['/client.js', '/demo', '/demo/']) {
      expect(await get(base + at)).toMatchObject({ status: 404, body: { error: { code: 'NOT_FOUND', message: expect.stringContaining('npm run build') } } })
    }
  })
})
