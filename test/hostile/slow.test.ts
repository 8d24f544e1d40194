import { once } from 'node:events'
import type { Server } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'

import { beforeAll, expect, test } from '@jest/globals'

import { createNode } from '../../src/node.js'
import { createHttpServer } from '../../src/rest/index.js'
import { http } from '../support/http.js'
import { SMALL_TIMINGS } from '../support/node.js'
import { connectPlain, type PlainClient } from '../support/plain.js'
import { RedisServer } from '../support/redis.js'
import { useFileScope, useTestScope } from '../support/scope.js'
import { within } from '../support/wait.js'
import { RawPolling } from './support/polling.js'

/** The node's own rule with less patience: what holds for these numbers holds for those of the node. */
const PATIENCE = { headersMs: 1_000, requestMs: 2_000 }
const CROWD = 100
/** What a busy machine may add to these, in ms. */
const CUT_MS = 10_000

const files = useFileScope()
const scope = useTestScope()
let server: Server
let port: number
let ada: PlainClient

beforeAll(async () => {
  const redis = await RedisServer.start(files)
  server = createHttpServer(undefined, PATIENCE)
  const node = createNode({ ...SMALL_TIMINGS, heartbeatMs: 1_000, heartbeatTtlMs: 10_000, pingIntervalMs: 5_000, pingTimeoutMs: 5_000, drainMs: 500, redisUrl: redis.url, logLevel: 'fatal', server })
  files.defer('the HTTP server', async () => {
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  })
  files.defer('the node', () => node.close())
  await node.listen()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port
  ada = await connectPlain(files, 'ada', { port, url: `http://127.0.0.1:${port}` })
  await ada.must('subscribe', { channelName: 'room' })
})

/** Many connections that begin a request and go on with it for ever, a piece at a time. */
async function slowly(begin: () => Promise<string> | string, piece: string): Promise<{ readonly untilGone: Promise<unknown>; readonly answers: string[] }> {
  const answers: string[] = []
  const sockets = await Promise.all(
    Array.from({ length: CROWD }, async (_, index) => {
      const first = await begin()
      const socket: Socket = connect(port, '127.0.0.1')
      const dripping = setInterval(() => {
        if (socket.writable) socket.write(piece)
      }, 100)
      const stop = () => clearInterval(dripping)
      socket.on('close', stop)
      scope.defer('a slow client', () => {
        stop()
        socket.destroy()
      })
      socket.on('error', () => undefined)
      socket.on('data', (data) => (answers[index] = `${answers[index] ?? ''}${data.toString('latin1')}`))
      socket.write(first)
      await once(socket, 'connect')
      return socket
    }),
  )
  return { untilGone: Promise.all(sockets.map(async (socket) => socket.closed || once(socket, 'close'))), answers }
}

async function served(): Promise<void> {
  await within(ada.must('setState', { channelName: 'room', channelType: 'MESSAGE', states: { at: String(Date.now()) } }), 10_000, 'a normal client is served')
  expect((await within(http(port, '/readyz'), 10_000, 'a normal request is answered')).status).toBe(200)
}

interface Slow {
  readonly what: string
  readonly begin: () => Promise<string> | string
  readonly piece: string
  readonly ms: number
}

const head = (line: string, ...headers: readonly string[]) => [line, 'Host: rollcall', ...headers, ''].join('\r\n')
const DISCONNECT = 'POST /v1/users/ada/disconnect HTTP/1.1'
const SLOW: readonly Slow[] = [
  { what: 'headers that never end', begin: () => head('GET /readyz HTTP/1.1'), piece: 'X-More: and more\r\n', ms: PATIENCE.headersMs },
  { what: 'a first line that never ends', begin: () => 'GET /', piece: 'x', ms: PATIENCE.headersMs },
  { what: 'a body that never ends', begin: () => `${head(DISCONNECT, 'Content-Type: application/json', 'Content-Length: 10000')}\r\n{`, piece: ' ', ms: PATIENCE.requestMs },
  { what: 'chunks that never end', begin: () => `${head(DISCONNECT, 'Content-Type: application/json', 'Transfer-Encoding: chunked')}\r\n`, piece: '1\r\n \r\n', ms: PATIENCE.requestMs },
  {
    what: 'polling bodies that never end',
    begin: async () => `${head(`POST ${(await RawPolling.open({ port, url: '' })).path} HTTP/1.1`, 'Content-Type: text/plain', 'Content-Length: 100000')}\r\n4`,
    piece: 'x',
    ms: PATIENCE.requestMs,
  },
]

test.each(SLOW)('$what: gone in time, and others are served meanwhile', async ({ begin, piece, ms }) => {
  const { untilGone, answers } = await slowly(begin, piece)
  await served()
  await within(untilGone, ms + CUT_MS, 'all of them are cut off')
  expect(answers).toHaveLength(CROWD)
  for (const answer of answers) expect(answer).toMatch(/^HTTP\/1\.1 408 /)
  await served()
})

test('connections that never say a word are gone in time', async () => {
  const { untilGone } = await slowly(() => '', '')
  await served()
  await within(untilGone, PATIENCE.headersMs + CUT_MS, 'all of them are cut off')
})

test('a long poll may take longer than any request', async () => {
  const polling = await RawPolling.open({ port, url: '' })
  await polling.login('patient')
  // The rest of the login first; then nothing until the ping.
  const started = Date.now()
  let answer = await polling.poll()
  while (answer.status === 200 && answer.text !== '2') answer = await polling.poll()
  expect(answer.text).toBe('2')
  expect(Date.now() - started).toBeGreaterThan(PATIENCE.requestMs)
})

test('a node of its own has this patience, too', () => {
  const own = createHttpServer()
  expect([own.headersTimeout, own.requestTimeout]).toEqual([10_000, 30_000])
})
