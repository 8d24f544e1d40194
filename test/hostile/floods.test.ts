import { beforeAll, describe, expect, test } from '@jest/globals'

import type { Content } from '../support/redis.js'
import { useTestScope } from '../support/scope.js'
import { eventually } from '../support/wait.js'
import { RawPolling, SEPARATOR } from './support/polling.js'
import { RawWebSocket } from './support/raw-websocket.js'
import { SERVED_MS, useVictim, withoutGrowth } from './support/victim.js'

const fixture = useVictim()
const scope = useTestScope()
const MESSAGE_BYTES = 1_000_000
const LOGIN = '40{"appId":"dev","userId":"eve"}'

let before: Record<string, Content>
beforeAll(async () => {
  before = await fixture.victim.contents()
})

/** As many of a packet as fit into one message. */
function fill(packet: string): string {
  return Array.from({ length: Math.floor(MESSAGE_BYTES / (packet.length + 1)) }, () => packet).join(SEPARATOR)
}

describe('one message full of small packets holds up nobody', () => {
  test.each([
    ['logins', LOGIN, false],
    ['logins that say nothing', '40', false],
    ['logins to a namespace that is not there', '40/a,', false],
    ['the same from somebody who is logged in', '40/a,', true],
    ['pongs', '3', true],
    ['packets without meaning', '6', true],
    ['empty packets', '', true],
    ['events', '42["a"]', true],
    ['events with an id', '421["a",{}]', true],
    ['changes of states', '421["setState",{"channelName":"room","states":{"a":"b"}}]', true],
    ['farewells', '42["closing"]', true],
    ['answers', '431[]', true],
  ])('%s', async (_, packet, loggedIn) => {
    const polling = await RawPolling.open(fixture.victim.node)
    if (loggedIn) await polling.login('eve')
    const posted = polling.post(fill(packet)).catch(() => undefined)
    // Two in a row: the first may come before the message, the second does not.
    await fixture.victim.serves()
    await fixture.victim.serves()
    await posted
    await polling.post('1').catch(() => undefined)
  })

  test('what is in such a message beyond all bounds ends the connection, and leaves nothing behind', async () => {
    const polling = await RawPolling.open(fixture.victim.node)
    await polling.post(fill(LOGIN)).catch(() => undefined)
    expect((await polling.poll()).status).toBe(400)
    expect(await fixture.victim.metric('rollcall_dropped_total{reason="flood"}')).toBeGreaterThan(0)
    await fixture.victim.nothingLeft(before)
  })

  test('as many requests as may be under way, and some more, are all answered', async () => {
    const raw = await RawWebSocket.open(scope, fixture.victim.node)
    await raw.login('eve')
    for (let id = 0; id < 400; id++) raw.text(`42${id}["whereNow",{"userId":"ada"}]`)
    await eventually('all are answered', () => raw.messages.filter((message) => message.startsWith('43')).length === 400)
  })
})

describe('many connections', () => {
  test('300 at once that log in and are cut off, again and again: others are served, and nothing of them stays', async () => {
    await withoutGrowth(fixture.victim, async () => {
      for (let round = 0; round < 3; round++) {
        const crowd = await Promise.all(Array.from({ length: 300 }, () => RawWebSocket.open(scope, fixture.victim.node)))
        await Promise.all(crowd.map((raw, index) => raw.login(`eve-${index}`)))
        await fixture.victim.serves()
        for (const raw of crowd) raw.text('420["subscribe",{"channelName":"crowd"}]')
        await fixture.victim.serves()
        for (const raw of crowd) raw.end()
        await fixture.victim.alone()
      }
    })
    await fixture.victim.nothingLeft(before)
  }, 120_000)

  test('200 that open a session of long-polling and never come back', async () => {
    await Promise.all(Array.from({ length: 200 }, async () => (await RawPolling.open(fixture.victim.node)).sid))
    expect(await fixture.victim.metric('rollcall_sockets')).toBeGreaterThan(200)
    await fixture.victim.serves()
    await fixture.victim.alone(30_000)
  })

  test('300 that never log in are gone after the time that is given for it', async () => {
    const started = Date.now()
    const crowd = await Promise.all(Array.from({ length: 300 }, () => RawWebSocket.open(scope, fixture.victim.node)))
    await fixture.victim.serves(SERVED_MS)
    await Promise.all(crowd.map((raw) => raw.untilClosed(30_000)))
    expect(Date.now() - started).toBeGreaterThan(15_000)
    await fixture.victim.nothingLeft(before)
  })

  test('nobody stays on a transport after the logout', async () => {
    const raw = await RawWebSocket.open(scope, fixture.victim.node)
    await raw.login('eve')
    raw.text('41')
    await raw.untilClosed()
    await fixture.victim.nothingLeft(before)
  })
})
