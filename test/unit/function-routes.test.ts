import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

import { afterEach, expect, test } from '@jest/globals'
import express from 'express'

import { createAuth } from '../../src/auth/index.js'
import { resolveConfig } from '../../src/config.js'
import { silentLogger } from '../../src/log.js'
import { createMetrics } from '../../src/metrics/index.js'
import { functionRoutes } from '../../src/rest/function-routes.js'
import { Functions } from '../../src/rest/functions.js'

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

async function serve(functions: Functions, callMs?: number): Promise<(name: string) => Promise<{ readonly status: number; readonly body: unknown }>> {
  const config = resolveConfig({})
  const presence = { nodeId: 'n', app: 'dev', getState: unused, whereNow: unused, statuses: unused, acknowledged: () => 0 }
  const app = express().use('/1.1', functionRoutes({ config, auth: createAuth(config), presence, functions, log: silentLogger, metrics: createMetrics('n') }, callMs))
  const server = createServer(app)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => new Promise((resolve) => server.close(resolve).closeAllConnections()))
  const { port } = server.address() as AddressInfo
  return async (name) => {
    const answer = await fetch(`http://127.0.0.1:${port}/1.1/functions/${name}`, { method: 'POST' })
    return { status: answer.status, body: await answer.json() }
  }
}

const unused = (): never => {
  throw new Error('not used here')
}

test('a function that takes too long is given up, and what becomes of it later is nobody\'s business', async () => {
  const functions = new Functions()
  let fail: (error: Error) => void = () => undefined
  functions.define('slow', () => new Promise((_, reject) => {
    fail = reject
  }))
  const ask = await serve(functions, 20)
  expect(await ask('slow')).toEqual({ status: 503, body: { code: 124, error: 'The request timed out on the server.' } })
  fail(new Error('too late'))
  expect((await ask('slow')).status).toBe(503)
})

test('a function is looked up at each call: first those of the node, then those of others', async () => {
  const functions = new Functions()
  const others = new Map<string, () => string>([['f', () => 'other']])
  functions.include((name) => others.get(name))
  const ask = await serve(functions)
  expect(await ask('f')).toEqual({ status: 200, body: { result: 'other' } })
  functions.define('f', () => 'own')
  expect(await ask('f')).toEqual({ status: 200, body: { result: 'own' } })
  expect((await ask('g')).status).toBe(404)
  others.set('g', () => 'late')
  expect(await ask('g')).toEqual({ status: 200, body: { result: 'late' } })
})
