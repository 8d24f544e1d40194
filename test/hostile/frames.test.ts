import { beforeAll, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'

import { http } from '../support/http.js'
import type { Content } from '../support/redis.js'
import { useTestScope } from '../support/scope.js'
import { expectAllOfCatalogue } from './support/answers.js'
import { enginePacket } from './support/packets.js'
import { RawPolling, SEPARATOR } from './support/polling.js'
import { OPCODE, RawWebSocket, frame } from './support/raw-websocket.js'
import { useVictim } from './support/victim.js'

const fixture = useVictim({ ROLLCALL_LIMITS: '{"callsPerSecond":100000}' })
const scope = useTestScope()
const RUNS = 100

let before: Record<string, Content>
beforeAll(async () => {
  before = await fixture.victim.contents()
})

const nothingLeft = () => fixture.victim.nothingLeft(before)

async function hostile<T>(arbitrary: fc.Arbitrary<T>, attack: (input: T, user: string) => Promise<void>, numRuns = RUNS): Promise<void> {
  let user = 0
  await fc.assert(
    fc.asyncProperty(arbitrary, async (input) => {
      await attack(input, `eve-${++user}`)
      if (user % 20 === 0) await fixture.victim.serves()
    }),
    { numRuns, endOnFailure: true },
  )
  await nothingLeft()
}

describe('over a websocket', () => {
  test('packets that are wrong in any part, from somebody who is logged in and from somebody who is not', async () => {
    await hostile(fc.tuple(fc.boolean(), fc.array(enginePacket, { minLength: 1, maxLength: 12 })), async ([loggedIn, packets], user) => {
      const raw = await RawWebSocket.open(scope, fixture.victim.node)
      if (loggedIn) await raw.login(user)
      for (const packet of packets) raw.text(packet)
      if (loggedIn) await raw.settled()
      expectAllOfCatalogue(raw.messages)
      raw.end()
    })
  }, 120_000)

  test('frames that are wrong in any part: lengths, opcodes, masks, pieces', async () => {
    const anyFrame = fc.record({
      payload: fc.oneof(enginePacket.map((text) => Buffer.from(text)), fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes))),
      opcode: fc.constantFrom(...Object.values(OPCODE), OPCODE.text, OPCODE.text, 3, 15),
      fin: fc.boolean(),
      length: fc.option(fc.oneof(fc.integer({ min: 0, max: 300 }), fc.constantFrom(2n ** 31n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n)), { freq: 4 }),
      masked: fc.boolean(),
      reserved: fc.constantFrom(0, 0, 0, 1, 4, 7),
    })
    await hostile(fc.tuple(fc.boolean(), fc.array(anyFrame, { minLength: 1, maxLength: 8 })), async ([loggedIn, frames], user) => {
      const raw = await RawWebSocket.open(scope, fixture.victim.node)
      if (loggedIn) await raw.login(user)
      for (const { payload, length, ...options } of frames) raw.bytes(frame(payload, length === null ? options : { ...options, length }))
      raw.bytes(frame('2'))
      expectAllOfCatalogue(raw.messages)
      raw.end()
    })
  }, 120_000)

  test('bytes that are no frames at all', async () => {
    await hostile(fc.array(fc.uint8Array({ minLength: 1, maxLength: 500 }), { minLength: 1, maxLength: 5 }), async (chunks) => {
      const raw = await RawWebSocket.open(scope, fixture.victim.node)
      for (const chunk of chunks) raw.bytes(Buffer.from(chunk))
      raw.end()
    })
  }, 120_000)

  test.each([
    ['attachments that never come', ['451-["setState",{"_placeholder":true,"num":0}]'], false],
    ['text in place of an attachment', ['451-["setState",{"_placeholder":true,"num":0}]', '42["whereNow",{}]'], true],
    ['more attachments than any request has', ['45999999999-["setState"]'], true],
    ['a binary message that nobody announced', [Buffer.from('binary')], true],
    ['a second login on the transport', ['40{"appId":"dev","userId":"eve"}'], true],
    ['a message one byte too long', [`42["setState","${'x'.repeat(1_048_576)}"]`], true],
    ['a name that emitters keep', ['42["newListener","x"]'], true],
    ['another one', ['42["disconnecting"]'], true],
    ['an error from the client', ['42["error",{}]'], false],
    ['an answer to what was never asked', ['439[1]', '43["x"]'], false],
  ] as const)('%s', async (_, messages, closes) => {
    const raw = await RawWebSocket.open(scope, fixture.victim.node)
    await raw.login('eve')
    for (const message of messages) raw.bytes(typeof message === 'string' ? frame(message) : frame(message, { opcode: OPCODE.binary }))
    if (closes) await raw.untilClosed()
    else raw.end()
    await nothingLeft()
  })

  test('nesting of 10,000 levels where an object is asked for', async () => {
    const raw = await RawWebSocket.open(scope, fixture.victim.node)
    await raw.login('eve')
    const deep = (name: string, open: string, close: string) => `421["${name}",${open.repeat(10_000)}1${close.repeat(10_000)}]`
    for (const name of ['subscribe', 'setState', 'removeState', 'resume']) {
      raw.text(deep(name, '[', ']'))
      raw.text(deep(name, '{"states":', '}'))
      raw.text(`421["${name}",{"channelName":"room","states":${'{"a":'.repeat(10_000)}"b"${'}'.repeat(10_000)}}]`)
    }
    await raw.settled()
    const replies = raw.messages.filter((message) => message.startsWith('431['))
    expect(replies).toHaveLength(12)
    for (const reply of replies) expect(reply).toContain('"ok":false')
    expectAllOfCatalogue(raw.messages)
    raw.end()
    await nothingLeft()
  })
})

describe('over polling', () => {
  test('messages of packets that are wrong in any part', async () => {
    const body = fc.array(enginePacket, { minLength: 1, maxLength: 12 }).chain((packets) => fc.constantFrom(SEPARATOR, '', '\n', `${SEPARATOR}${SEPARATOR}`).map((separator) => packets.join(separator)))
    await hostile(fc.tuple(fc.boolean(), body), async ([loggedIn, text], user) => {
      const polling = await RawPolling.open(fixture.victim.node)
      if (loggedIn) await polling.login(user)
      // The answer may be a refusal, or the end of the connection.
      await polling.post(text).catch(() => undefined)
      await polling.post('1').catch(() => undefined)
    }, RUNS / 2)
  }, 120_000)

  test.each([
    ['an unknown transport', '/socket.io/?EIO=4&transport=__proto__', 400],
    ['an unknown session', '/socket.io/?EIO=4&transport=polling&sid=nobody', 400],
    ['a session of every object', '/socket.io/?EIO=4&transport=polling&sid=__proto__', 400],
    ['another one', '/socket.io/?EIO=4&transport=polling&sid=hasOwnProperty', 400],
    ['a session twice', '/socket.io/?EIO=4&transport=polling&sid=a&sid=b', 400],
    ['an old protocol', '/socket.io/?EIO=3&transport=polling', 400],
    ['an upgrade of nothing', '/socket.io/?EIO=4&transport=websocket', 400],
    ['a URL that does not decode', '/socket.io/?EIO=4&transport=%E0%A4%A&sid=%', 400],
  ])('%s is refused', async (_, path, status) => {
    const { status: answered } = await http(fixture.victim.node.port, path)
    expect(answered).toBe(status)
  })

  test('a body that is too large, of the wrong kind, or of another method changes nothing', async () => {
    const polling = await RawPolling.open(fixture.victim.node)
    await polling.login('eve')
    expect((await polling.post('x'.repeat(2_000_000)).catch(() => ({ status: 413 }))).status).toBe(413)
    const other = await RawPolling.open(fixture.victim.node)
    await other.post(Buffer.from([0xff, 0xfe, 0x00, 0x1e, 0xc3]), { 'content-type': 'application/octet-stream' }).catch(() => undefined)
    await nothingLeft()
  })
})
