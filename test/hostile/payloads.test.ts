import { beforeAll, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'

import { connectPlain, type PlainClient } from '../support/plain.js'
import { http } from '../support/http.js'
import { eventually } from '../support/wait.js'
import { expectOfCatalogue } from './support/answers.js'
import { ROOM, useVictim } from './support/victim.js'

const fixture = useVictim({ ROLLCALL_LIMITS: '{"callsPerSecond":100000}' })
/** Each compares all that Redis holds before and after. */
const RUNS = 60

let eve: PlainClient
beforeAll(async () => {
  eve = await connectPlain(fixture.scope, 'eve', fixture.victim.node)
  await eve.must('subscribe', { channelName: 'den', states: { mood: 'evil' } })
})

/** What the JSON parser makes of anything; binary parts become attachments. */
const anything = fc.anything({ withBigInt: false, withTypedArray: true, withNullPrototype: true, withSparseArray: true, withDate: true, withMap: true, withSet: true, maxDepth: 4 })

/** The right request for each name, of which one part will be wrong. */
const RIGHT: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  subscribe: { channelName: 'den', channelType: 'MESSAGE', withPresence: true, beQuiet: false, states: { mood: 'evil' }, since: { life: 'x', version: 1 } },
  unsubscribe: { channelName: 'nowhere', channelType: 'MESSAGE' },
  setState: { channelName: 'den', channelType: 'MESSAGE', states: { mood: 'evil' } },
  removeState: { channelName: 'den', channelType: 'MESSAGE', states: ['nothing'] },
  getState: { channelName: 'room', channelType: 'MESSAGE', userId: 'ada' },
  whoNow: { channelName: 'room', channelType: 'MESSAGE', includedUserId: true, includedState: true, page: '' },
  whereNow: { userId: 'ada' },
  resume: { channels: [{ channelName: 'den', channelType: 'MESSAGE', withPresence: true, beQuiet: false, states: { mood: 'evil' } }] },
  renewToken: { token: 'a token' },
}

const hostileText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 70 }),
  fc.constantFrom('', '__proto__', 'constructor', '\0', '\ud800', '..', '{0}', 'x'.repeat(65), 'x'.repeat(17_000), 'USER', '%00', '_placeholder'),
)
const hostileValue = fc.oneof(anything, hostileText, fc.constantFrom(-1, 1e308, 2 ** 53, 0.5, null, [], {}, [[]], { _placeholder: true, num: 0 }), fc.dictionary(hostileText, fc.oneof(hostileText, anything), { maxKeys: 40 }), fc.array(hostileText, { maxLength: 40 }))

/** A right request with one part replaced, taken away or added. */
function nearly(right: Readonly<Record<string, unknown>>): fc.Arbitrary<unknown> {
  const fields = Object.keys(right)
  return fc.oneof(
    { weight: 6, arbitrary: fc.tuple(fc.constantFrom(...fields), hostileValue).map(([field, value]) => ({ ...right, [field]: value })) },
    { weight: 1, arbitrary: fc.constantFrom(...fields).map((field) => Object.fromEntries(Object.entries(right).filter(([name]) => name !== field))) },
    { weight: 1, arbitrary: fc.tuple(hostileText, hostileValue).map(([field, value]) => JSON.parse(`{${JSON.stringify(field)}:${JSON.stringify(value) ?? 'null'},${JSON.stringify(right).slice(1)}`) as unknown) },
    { weight: 1, arbitrary: fc.constant(JSON.parse(`{"__proto__":${JSON.stringify(right)}}`) as unknown) },
    { weight: 2, arbitrary: anything },
  )
}

/** All that is in a payload, however deep. */
function* within(payload: unknown): Generator<unknown> {
  yield payload
  if (typeof payload === 'object' && payload !== null && !ArrayBuffer.isView(payload)) for (const part of Object.values(payload)) yield* within(part)
}

/** Beside bytes, what says that it stands for some makes a frame that is none, and ends the connection (`frames.test.ts`). */
function isFrame(payload: unknown): boolean {
  const parts = [...within(payload)]
  const isBytes = (part: unknown): boolean => ArrayBuffer.isView(part) || part instanceof ArrayBuffer
  const isForged = (part: unknown): boolean => (part as { readonly _placeholder?: unknown } | null | undefined)?._placeholder === true
  return !(parts.some(isBytes) && parts.some(isForged))
}

describe.each(Object.entries(RIGHT))('%s', (name, right) => {
  test('whatever is sent is answered from the catalogue, and what is refused changes nothing', async () => {
    let refused = 0
    await fc.assert(
      fc.asyncProperty(nearly(right), fc.constantFrom(1, 1, 1, 1, 0, 2), async (payload, copies) => {
        fc.pre(isFrame(payload))
        const before = await fixture.victim.contents()
        const { id } = eve.socket
        const reply = await eve.send(name, ...Array.from({ length: copies }, () => payload)).catch((error: Error) => {
          // What the client's own encoder chokes on (it copies an object's `__proto__`) never gets onto the wire.
          fc.pre(error.name !== 'TypeError')
          throw error
        })
        expectOfCatalogue(reply)
        expect(eve.socket.id).toBe(id)
        if (reply.ok) return
        refused++
        expect(await fixture.victim.contents()).toEqual(before)
      }),
      { numRuns: RUNS, endOnFailure: true },
    )
    expect(refused).toBeGreaterThan(RUNS / 4)
  })
})

test('the login: whatever is sent as auth lets somebody in, or is refused from the catalogue', async () => {
  const right = { appId: 'dev', userId: 'mallory', token: '', presenceTimeout: 1_000, sessionId: 'a-session-id', tag: 'x' }
  await fc.assert(
    fc.asyncProperty(nearly(right), async (auth) => {
      const before = await fixture.victim.contents()
      const polling = await http(fixture.victim.node.port, '/socket.io/?EIO=4&transport=polling')
      const { sid } = JSON.parse(polling.text.slice(1)) as { readonly sid: string }
      const path = `/socket.io/?EIO=4&transport=polling&sid=${sid}`
      await http(fixture.victim.node.port, path, { method: 'POST', body: `40${JSON.stringify(auth) ?? ''}` })
      const answer = await http(fixture.victim.node.port, path)
      if (answer.text.startsWith('44')) {
        expectOfCatalogue({ ok: false, error: (JSON.parse(answer.text.slice(2)) as { readonly data: unknown }).data })
        expect(await fixture.victim.contents()).toEqual(before)
      }
      // A packet that is no login ends the transport; a login that holds is ended as one.
      const loggedIn = answer.text.startsWith('40')
      await http(fixture.victim.node.port, path, { method: 'POST', body: loggedIn ? '41' : '1' })
      if (loggedIn) await gone()
    }),
    { numRuns: RUNS, endOnFailure: true },
  )
})

/** Only ada and eve are there: in the node, and in Redis, which hears of it a moment later. */
async function gone(): Promise<void> {
  await eventually('the session is gone', async () => (await fixture.victim.metric('rollcall_sessions')) === 2)
  await eventually('Redis has no more of it', async () => Object.keys(await fixture.victim.contents()).filter((key) => key.includes(':members:dev:USER:')).length === 2)
}

test('the states of others are what they were', async () => {
  expect(await eve.must('getState', { ...ROOM, userId: 'ada' })).toMatchObject({ states: { Mode: 'Happy' } })
})
