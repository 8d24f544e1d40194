import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

import { beforeEach, describe, expect, test } from '@jest/globals'
import { Server } from 'socket.io'
import { io as connect } from 'socket.io-client'

import { directFramesRefused, installedVersions, KNOWN_VERSIONS, sendDirectly } from '../../src/gateway/direct-frames.js'
import { createDirectOutlet, createOutlet } from '../../src/gateway/outlet.js'
import { Packet, parser } from '../../src/gateway/packet.js'
import type { GatewayServer } from '../../src/gateway/types.js'
import type { Outlet } from '../../src/gateway/watchers.js'
import { RawWebSocket } from '../support/raw-websocket.js'
import { useTestScope } from '../support/scope.js'
import { eventually } from '../support/wait.js'

const scope = useTestScope()
const SPAN = { channelName: 'room', channelType: 'MESSAGE', life: 'l', previous: 1, version: 2 } as const
const ROOM = 'room'

let io: GatewayServer
let port: number
let usual: Outlet
let direct: Outlet

beforeEach(async () => {
  const http = createServer()
  io = new Server(http, { parser, perMessageDeflate: false, serveClient: false })
  scope.defer('Socket.IO', async () => io.close())
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  port = (http.address() as AddressInfo).port
  usual = createOutlet(io)
  direct = createDirectOutlet(io)
})

/** A packet whose frame has this many bytes of payload. */
function packetOf(bytes: number, fill = 'x'): Packet {
  const empty = new Packet(['""'], SPAN)
  return new Packet([`"${fill.repeat(bytes - Buffer.byteLength(`4${empty.text}`))}"`], SPAN)
}

async function theOne(): Promise<string> {
  return eventually('one socket is there', () => [...io.of('/').sockets.keys()][0])
}

describe('frames that are sent directly', () => {
  test.each([110, 125, 126, 127, 65_535, 65_536, 200_000])('are byte for byte those of Socket.IO, at %d bytes', async (bytes) => {
    const client = await RawWebSocket.open(scope, port)
    const id = await theOne()
    const packet = packetOf(bytes)
    const sent: Buffer[] = []
    for (const outlet of [usual, direct]) {
      await eventually('nothing is under way', () => io.of('/').sockets.get(id)?.conn.transport.writable === true)
      client.take()
      outlet.toSockets([id], packet)
      await eventually('all of it has come', () => client.messages().length === 1)
      sent.push(client.take())
    }
    expect(sent[0]?.equals(sent[1] ?? Buffer.alloc(0))).toBe(true)
    expect(sent[1]?.length).toBe(bytes + (bytes <= 125 ? 2 : bytes <= 65_535 ? 4 : 10))
  })

  test('are the same for characters of more than one byte, and what the client parses is what was said', async () => {
    const client = await RawWebSocket.open(scope, port)
    const id = await theOne()
    const packet = new Packet([JSON.stringify({ publisher: 'zoë 🐙', stateChanged: { '"': '\\' } })], SPAN)
    client.take()
    direct.toSockets([id], packet)
    usual.toSockets([id], packet)
    await eventually('both have come', () => client.messages().length === 2)
    const [first, second] = client.messages()
    expect(first).toBe(second)
    expect(JSON.parse((first ?? '').slice(2))).toEqual(['presence', [{ publisher: 'zoë 🐙', stateChanged: { '"': '\\' } }], SPAN])
  })

  test('keep their place among all others while a client does not read', async () => {
    const client = await RawWebSocket.open(scope, port)
    const id = await theOne()
    const socket = io.of('/').sockets.get(id)
    if (socket === undefined) throw new Error('no socket')
    client.take()
    client.pause()
    const filling = 'y'.repeat(50_000)
    let wentDirectly = 0
    let wentUsually = 0
    const say = (count: number): void => {
      const packet = new Packet([JSON.stringify({ count, filling })], SPAN)
      const way = count % 3
      if (way === 0) usual.toSockets([id], packet)
      else if (way === 1) direct.toSockets([id], packet)
      else if (sendDirectly(socket.conn, packet.frame)) wentDirectly++
      else {
        wentUsually++
        direct.toSockets([id], packet)
      }
    }
    // Until neither the kernel nor Engine.IO takes more, and on.
    let count = 0
    await eventually(
      'the client is far behind',
      async () => {
        for (let i = 0; i < 10; i++) say(count++)
        await new Promise<void>((resolve) => setImmediate(resolve))
        return (socket.conn as unknown as { readonly writeBuffer: readonly unknown[] }).writeBuffer.length > 50
      },
      { everyMs: 1 },
    )
    client.resume()
    await eventually('it has caught up', () => client.messages().length === count)
    for (const more of [0, 1, 2]) {
      say(count++)
      await eventually(`packet ${more} after that`, () => client.messages().length === count)
    }
    const counts = client.messages().map((message) => (JSON.parse(message.slice(2)) as [string, [{ readonly count: number }]])[1][0].count)
    expect(counts).toEqual(Array.from({ length: count }, (_, index) => index))
    expect(wentDirectly).toBeGreaterThan(0)
    expect(wentUsually).toBeGreaterThan(0)
  })

  test('go the usual way to who is polling, and to who is just moving to a WebSocket, in order', async () => {
    const client = connect(`http://127.0.0.1:${port}`, { reconnection: false })
    scope.defer('a client', () => void client.disconnect())
    const seen: number[] = []
    client.on('presence', (events: readonly { readonly count: number }[]) => seen.push(events[0]?.count ?? -1))
    const id = await theOne()
    direct.join(id, ROOM)
    let count = 0
    let after = 0
    await eventually(
      'it has moved, and got more there',
      () => {
        direct.toRoom(ROOM, [], new Packet([JSON.stringify({ count: count++ })], SPAN))
        if (client.io.engine.transport.name === 'websocket') after++
        return after > 20
      },
      { everyMs: 1 },
    )
    await eventually('all have come', () => seen.length === count)
    expect(seen).toEqual(Array.from({ length: count }, (_, index) => index))
  })

  test('reach all in a room but those who are left out', async () => {
    const clients = await Promise.all([1, 2, 3].map(() => RawWebSocket.open(scope, port)))
    const ids = [...io.of('/').sockets.keys()]
    for (const id of ids) direct.join(id, ROOM)
    for (const client of clients) client.take()
    direct.toRoom(ROOM, ids.slice(0, 1), new Packet(['1'], SPAN))
    direct.toRoom(ROOM, [], new Packet(['2'], SPAN))
    await eventually('all have the second', () => clients.every((client) => client.messages().at(-1)?.includes('[2]') === true))
    expect(clients.map((client) => client.messages().length).sort()).toEqual([1, 2, 2])
  })

  test('are for the very versions of engine.io and ws that are installed', () => {
    expect(installedVersions()).toEqual(KNOWN_VERSIONS)
    expect(directFramesRefused(io)).toBeNull()
  })
})
