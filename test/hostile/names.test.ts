import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'

import { run } from '../../src/cli/run.js'
import { connect, createClient, listen } from '../support/client.js'
import { http } from '../support/http.js'
import { useCluster } from '../support/node.js'
import { connectPlain, PlainClient } from '../support/plain.js'
import { Scope } from '../support/scope.js'
import { eventually, within } from '../support/wait.js'

const cluster = useCluster()
const RUNS = 25

/** Whether something is a name, said in other words than the node's: what the contract says of them. */
function isName(text: string): boolean {
  const bytes = Buffer.from(text)
  return bytes.length >= 1 && bytes.length <= 64 && bytes.toString() === text && text.normalize('NFC') === text && !/^\.\.?$/.test(text) && !text.includes('\0')
}

const NASTY = [
  ...['__proto__', 'constructor', 'hasOwnProperty', 'toString', 'then', 'null', 'undefined', 'NaN', '-', '--help', '-1', '*', '?', '#', '%', '%2e%2e', '%00', '&a=b', '+'],
  ...['{0}', '}{', '{', '}', '{a}:{b}', ':', 'MESSAGE:room', 'rollcall:{0}:clock', 'room\tx', 'a\r\nSet-Cookie: x', 'a b', ' ', '\t', '\n', '\x1b[2J', '\x9b31m', '\x7f', '\u2028'],
  ...['.', '..', '../../etc/passwd', '/', '//', 'a/b', 'a\\b', './a', 'a/../b', 'C:\\', 'file:///etc', 'http://x/', '~'],
  ...['\u202eabc', '\u200f', '\u061c', '\u2066x\u2069', '\ufeff', '\u200b', '\u0000', 'e\u0301', 'é', '\u212b', '\ud800', '\udc00', '😀', '👨‍👩‍👧', 'שלום', 'مرحبا', '\uffff', '"', "'", '`', '<script>', '${x}', "' OR 1=1", '\\u0000', '\\'],
] as const

/** Exactly 64 bytes and one more, with characters of one to four bytes at the edge. */
const edges = fc.tuple(fc.constantFrom('x', 'é', '€', '😀'), fc.integer({ min: 60, max: 66 }), fc.constantFrom('x', 'é', '€', '😀')).map(([fill, bytes, last]) => {
  const count = Math.floor((bytes - Buffer.byteLength(last)) / Buffer.byteLength(fill))
  return fill.repeat(Math.max(0, count)) + 'y'.repeat(Math.max(0, bytes - Buffer.byteLength(last) - count * Buffer.byteLength(fill))) + last
})
const name = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...NASTY) },
  { weight: 3, arbitrary: edges },
  { weight: 2, arbitrary: fc.array(fc.constantFrom(...NASTY), { minLength: 2, maxLength: 4 }).map((parts) => parts.join('')) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 30 }) },
)

async function withScope(work: (scope: Scope) => Promise<void>): Promise<void> {
  const scope = new Scope()
  try {
    await work(scope)
  } finally {
    await scope.close()
  }
}

/** One command line against the second node, with all that it would print. */
async function rollcall(...argv: readonly string[]): Promise<{ readonly code: number; readonly text: string; readonly out: string }> {
  const lines: string[] = []
  const out: string[] = []
  const terminal = { env: {}, out: (line: string) => void (out.push(line), lines.push(line)), err: (line: string) => void lines.push(line) }
  const code = await within(run([...argv.slice(0, 1), '--url', cluster.b.url, ...argv.slice(1)], terminal), 10_000, `rollcall ${argv.join(' ')}`)
  // Whatever the name is, nothing of it may move a cursor or turn the direction of the text.
  for (const line of lines) expect(line).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/)
  return { code, text: lines.join('\n'), out: out.join('\n') }
}

/** The node's HTTP API; a URL cannot carry everything, and then there is nothing to ask. */
function encoded(text: string): string | null {
  try {
    return encodeURIComponent(text)
  } catch {
    return null
  }
}

const channelOf = (channelName: string) => ({ channelName, channelType: 'MESSAGE' }) as const

describe('the name of a channel', () => {
  test('is the same on every path, or refused on every path', async () => {
    await fc.assert(
      fc.asyncProperty(name, (channelName) =>
        withScope(async (scope) => {
          const channel = channelOf(channelName)
          const ada = await connectPlain(scope, 'ada', cluster.a, { transports: ['websocket'] })
          const sdk = await connect(scope, 'sdk', cluster.b, { transports: ['websocket'] })
          const path = encoded(channelName)
          if (!isName(channelName)) {
            const code = 'INVALID_CHANNEL_NAME'
            expect(await ada.send('subscribe', channel)).toMatchObject({ ok: false, error: { code } })
            await expect(sdk.subscribe(channelName)).rejects.toMatchObject({ code })
            await expect(sdk.presence.whoNow(channelName, 'MESSAGE')).rejects.toMatchObject({ code })
            if (path !== null) expect((await http(cluster.b.port, `/v1/channels/MESSAGE/${path}/members`)).status).toBeGreaterThanOrEqual(400)
            if (path !== null) expect((await rollcall('who', '--', channelName)).code).not.toBe(0)
            return
          }
          await ada.must('subscribe', { ...channel, states: { Mode: 'Happy' } })
          const watcher = listen(sdk, channelName, 'sdk')
          await sdk.subscribe(channelName)
          await watcher.log.until('the snapshot', () => watcher.log.events.find(({ eventType }) => eventType === 'SNAPSHOT'))
          expect(await sdk.presence.getState('ada', channelName, 'MESSAGE')).toMatchObject({ states: { Mode: 'Happy' } })
          expect((await sdk.presence.whereNow('ada')).channels).toEqual([channel])
          expect([...sdk.channel(channelName).members.keys()].sort()).toEqual(['ada', 'sdk'])

          const answer = await http(cluster.b.port, `/v1/channels/MESSAGE/${path ?? ''}/members?includeState`)
          expect(answer.json).toMatchObject({ totalOccupancy: 2, occupants: [{ userId: 'ada', states: { Mode: 'Happy' } }, { userId: 'sdk' }] })
          const listed = await http(cluster.b.port, `/v1/channels?prefix=${path ?? ''}`)
          expect((listed.json as { channels: unknown[] }).channels).toContainEqual({ ...channel, totalOccupancy: 2, version: expect.any(Number) })
          const who = await rollcall('who', '--json', '--', channelName)
          expect({ code: who.code, said: JSON.parse(who.out) as unknown }).toMatchObject({ code: 0, said: { ...channel, totalOccupancy: 2 } })
          expect((await rollcall('who', '--', channelName)).code).toBe(0)
          expect((await rollcall('where', '--', 'ada')).code).toBe(0)
        }),
      ),
      { numRuns: RUNS, endOnFailure: true },
    )
  })
})

describe('the id of a user', () => {
  test('is the same on every path, or refused on every path', async () => {
    const room = channelOf('room')
    await fc.assert(
      fc.asyncProperty(name, (userId) =>
        withScope(async (scope) => {
          const ada = await connectPlain(scope, 'asking', cluster.a, { transports: ['websocket'] })
          const path = encoded(userId)
          if (!isName(userId)) {
            const code = 'INVALID_USER_ID'
            expect(await PlainClient.open(scope, userId, cluster.a, { reconnection: false }).untilRefused()).toMatchObject({ code })
            await expect(createClient(scope, userId, cluster.b).login()).rejects.toMatchObject({ code })
            expect(await ada.send('getState', { ...room, userId })).toMatchObject({ ok: false, error: { code } })
            if (path !== null) expect((await http(cluster.b.port, `/v1/users/${path}/channels`)).status).toBeGreaterThanOrEqual(400)
            if (path !== null) expect((await rollcall('where', '--', userId)).code).not.toBe(0)
            return
          }
          const plain = await connectPlain(scope, userId, cluster.a, { transports: ['websocket'], reconnection: false })
          await plain.must('subscribe', { ...room, states: { Mode: 'Happy' } })
          const sdk = await connect(scope, userId, cluster.b, { transports: ['websocket'] })
          await sdk.subscribe('room')
          await eventually('the room is live', () => sdk.channel('room').status === 'live')
          expect({ ...sdk.channel('room').members.get(userId)?.states }).toEqual({ Mode: 'Happy' })
          expect(await ada.must('getState', { ...room, userId })).toMatchObject({ userId, states: { Mode: 'Happy' } })
          expect(await ada.must('whereNow', { userId })).toMatchObject({ channels: [room] })

          expect((await http(cluster.b.port, `/v1/channels/MESSAGE/room/members/${path ?? ''}`)).json).toMatchObject({ userId, states: { Mode: 'Happy' } })
          const where = await rollcall('where', '--json', '--', userId)
          expect({ code: where.code, said: JSON.parse(where.out) as unknown }).toMatchObject({ code: 0, said: { channels: [room] } })
          expect((await rollcall('who', '--', 'room')).code).toBe(0)
          const gone = new Promise((resolve) => plain.socket.once('disconnect', resolve))
          expect(await rollcall('kick', '--', userId)).toMatchObject({ code: 0, out: expect.stringMatching(/^2 sessions of /) })
          await within(gone, 15_000, 'the session has ended')
          await eventually('nobody is in the room', async () => (await ada.must('whoNow', room)).totalOccupancy === 0)
        }),
      ),
      { numRuns: RUNS, endOnFailure: true },
    )
  })
})
