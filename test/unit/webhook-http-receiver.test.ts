import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'

import { afterEach, expect, test } from '@jest/globals'

import type { WebhookMessage } from '../../src/protocol/webhooks.js'
import { HttpReceiver } from '../../src/webhooks/http-receiver.js'
import { within } from '../support/wait.js'
import { WEBHOOK_SECRET } from '../support/webhook-server.js'

const MESSAGE: WebhookMessage = { id: 'life-1-online', type: '_clientOnline', timestamp: '2025-01-01T00:00:00.000Z', data: { peerId: 'ada', sourceIP: '::1' } }

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function serve(listener: RequestListener): Promise<number> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => new Promise((resolve) => server.close(resolve).closeAllConnections()))
  return (server.address() as AddressInfo).port
}

function receiver(url: string, options: { allowPrivate?: boolean; timeoutMs?: number } = {}): HttpReceiver {
  const made = new HttpReceiver({ url, secret: WEBHOOK_SECRET, allowPrivate: true, ...options })
  closing.push(() => made.close())
  return made
}

test('one POST, with the id and the type of the body; a connection is used again', async () => {
  const seen: unknown[] = []
  const ports = new Set<unknown>()
  const port = await serve((req, res) => {
    ports.add(req.socket.remotePort)
    seen.push([req.method, req.url, req.headers['content-type'], req.headers['webhook-id']])
    req.resume().on('end', () => res.writeHead(200).end('thanks'))
  })
  const hook = receiver(`http://127.0.0.1:${port}/a/b?c=d`)
  await hook.deliver(MESSAGE)
  await hook.deliver(MESSAGE)
  expect(seen).toEqual(Array.from({ length: 2 }, () => ['POST', '/a/b?c=d', 'application/json', 'life-1-online']))
  expect(ports.size).toBe(1)
})

test.each([301, 302, 307, 400, 404, 410, 429, 500, 503])('%i is a failure', async (status) => {
  let calls = 0
  const port = await serve((req, res) => {
    calls += 1
    req.resume().on('end', () => res.writeHead(status, { location: '/elsewhere' }).end())
  })
  await expect(receiver(`http://127.0.0.1:${port}/`).deliver(MESSAGE)).rejects.toThrow(`HTTP ${status}`)
  expect(calls).toBe(1)
})

test('who does not answer in time has failed, before or after the headers of a refusal', async () => {
  const silent = await serve(() => undefined)
  await expect(receiver(`http://127.0.0.1:${silent}/`, { timeoutMs: 100 }).deliver(MESSAGE)).rejects.toThrow('no answer within 100 ms')
  const stuck = await serve((_req, res) => res.writeHead(500).write('x'))
  await expect(receiver(`http://127.0.0.1:${stuck}/`, { timeoutMs: 100 }).deliver(MESSAGE)).rejects.toThrow('HTTP 500')
})

test('an answer without an end has been given all the same', async () => {
  const flood = await serve((req, res) => {
    req.resume()
    res.writeHead(200).write(Buffer.alloc(1_000_000))
  })
  await within(receiver(`http://127.0.0.1:${flood}/`).deliver(MESSAGE), 10_000, 'a body that is too long is not waited for')
  const drip = await serve((req, res) => {
    req.resume()
    res.writeHead(200).write('x')
  })
  await within(receiver(`http://127.0.0.1:${drip}/`, { timeoutMs: 100 }).deliver(MESSAGE), 10_000, 'a body that does not come is not waited for')
})

test('private addresses are refused, as a name and as an address, and nothing reaches them', async () => {
  let calls = 0
  const port = await serve((_req, res) => {
    calls += 1
    res.end()
  })
  for (const host of ['127.0.0.1', 'localhost', '[::ffff:127.0.0.1]', '0x7f000001']) {
    await expect(receiver(`http://${host}:${port}/`, { allowPrivate: false }).deliver(MESSAGE)).rejects.toThrow('no public address')
  }
  expect(calls).toBe(0)
})

test('its name says which host, and none of what the URL may keep secret', () => {
  const names = ['https://user:word@hooks.example.com:8443/T1/B2?key=hidden', 'https://hooks.example.com:8443/T1/B3'].map((url) => receiver(url).name)
  expect(names[0]).toMatch(/^hooks\.example\.com_8443-[0-9a-f]{8}$/)
  expect(names[1]).toMatch(/^hooks\.example\.com_8443-[0-9a-f]{8}$/)
  expect(names[0]).not.toBe(names[1])
  expect(receiver('https://user:word@hooks.example.com:8443/T1/B2?key=hidden').name).toBe(names[0])
})
