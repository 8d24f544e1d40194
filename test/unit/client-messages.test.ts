import { describe, expect, test } from '@jest/globals'

import type { PeerMessage } from '../../src/client/index.js'
import { MessagesApi } from '../../src/client/messages-api.js'
import type { MessageEvent } from '../../src/protocol/events.js'
import { DEFAULT_LIMITS } from '../../src/protocol/limits.js'

/** The API with an app that listens when it is told to, and events that are delivered when it is told to. */
class Client {
  readonly told: string[] = []
  readonly acknowledged: string[] = []
  readonly sent: Readonly<Record<string, unknown>>[] = []
  listens = true
  #queue: (() => void)[] = []
  readonly api: MessagesApi

  constructor() {
    const request = (_name: string, payload: object) => {
      this.sent.push({ ...payload })
      return Promise.resolve({ ok: true, received: true, timestamp: 1 })
    }
    this.api = new MessagesApi({ limits: DEFAULT_LIMITS, request: request as never }, { later: (run) => this.#queue.push(run), deliver: (message) => this.#deliver(message) })
  }

  /** A message as the wire brings it, and the events that follow. */
  receive(position: number, { life = 'a', deliver = true } = {}): void {
    const id = `s:${position}`
    const event: MessageEvent = { id, from: 'ann', text: String(position), offline: false, timestamp: 1, life, position }
    this.api.receive(event, () => this.acknowledged.push(event.text))
    if (deliver) this.deliver()
  }

  deliver(): void {
    for (const run of this.#queue.splice(0)) run()
  }

  #deliver(message: PeerMessage): boolean {
    if (this.listens) this.told.push(message.text)
    return this.listens
  }
}

describe('a message that comes', () => {
  test('is acknowledged when the app has been told, and its place is remembered', () => {
    const client = new Client()
    expect(client.api.received).toEqual({ life: '', position: 0 })
    client.receive(1, { deliver: false })
    expect([client.told, client.acknowledged, client.api.received.position]).toEqual([[], [], 0])
    client.deliver()
    expect([client.told, client.acknowledged, client.api.received]).toEqual([['1'], ['1'], { life: 'a', position: 1 }])
  })

  test('twice is told once, and acknowledged each time, also while the first is on its way to the app', () => {
    const client = new Client()
    client.receive(1, { deliver: false })
    client.receive(1)
    client.receive(1)
    expect([client.told, client.acknowledged]).toEqual([['1'], ['1', '1', '1']])
  })

  test('when nobody listens is not acknowledged, and is told when it comes again', () => {
    const client = new Client()
    client.listens = false
    client.receive(1)
    client.listens = true
    expect([client.acknowledged, client.api.received.position]).toEqual([[], 0])
    client.receive(1)
    expect([client.told, client.acknowledged]).toEqual([['1'], ['1']])
  })

  test('is not told when a later one was: neither shown out of its order nor said to be received', () => {
    const client = new Client()
    client.listens = false
    client.receive(1)
    client.listens = true
    client.receive(2)
    client.receive(1)
    expect([client.told, client.acknowledged]).toEqual([['2'], ['2']])
  })

  test('in another life of the cluster\'s data positions say nothing, and ids do', () => {
    const client = new Client()
    client.receive(5)
    client.receive(3, { life: 'b' })
    client.receive(5, { life: 'b' })
    expect([client.told, client.acknowledged]).toEqual([['5', '3'], ['5', '3', '5']])
    expect(client.api.received).toEqual({ life: 'b', position: 3 })
  })

  test('is remembered among so many; what is older is known by its place', () => {
    const client = new Client()
    for (let position = 1; position <= 3_000; position += 1) client.receive(position)
    client.acknowledged.splice(0)
    for (const position of [1, 1_500, 2_500, 3_000]) client.receive(position)
    expect(client.told).toHaveLength(3_000)
    expect(client.acknowledged).toEqual(['2500', '3000'])
  })

  test('another session begins without a place, and is not told again what the app has had', () => {
    const client = new Client()
    client.receive(7)
    client.api.end()
    expect(client.api.received).toEqual({ life: '', position: 0 })
    client.receive(7)
    client.receive(4)
    expect([client.told, client.acknowledged]).toEqual([['7', '4'], ['7', '7', '4']])
  })
})

test('what is sent is numbered, one after the other, to whomever it is', async () => {
  const client = new Client()
  await Promise.all([client.api.send('bob', 'x'), client.api.send('eve', 'y', { offline: true }), client.api.send('bob', 'z')])
  expect(client.sent).toEqual([
    { userId: 'bob', text: 'x', offline: false, sequence: 1 },
    { userId: 'eve', text: 'y', offline: true, sequence: 2 },
    { userId: 'bob', text: 'z', offline: false, sequence: 3 },
  ])
})
