import { describe, expect, test } from '@jest/globals'

import AV, * as module from '../../src/compat/leanengine/index.js'
import { createLeanEngine, type LeanEngine } from '../../src/compat/leanengine/index.js'
import type { Receiver } from '../../src/protocol/webhooks.js'
import { Functions } from '../../src/rest/functions.js'

interface FakeNode {
  readonly functions: Functions
  readonly receivers: Receiver[]
  receive(receiver: Receiver): void
}

function fakeNode(): FakeNode {
  const receivers: Receiver[] = []
  return { functions: new Functions(), receivers, receive: (receiver) => void receivers.push(receiver) }
}

const online = { id: 'msg_1', type: '_clientOnline', timestamp: '2026-01-01T00:00:00.000Z', data: { peerId: 'ada', sourceIP: '127.0.0.1' } } as const
const offline = { id: 'msg_2', type: '_clientOffline', timestamp: '2026-01-01T00:00:00.000Z', data: { peerId: 'ada', closeCode: 1, closeMsg: 'logout' } } as const

function attached(): { readonly engine: LeanEngine; readonly node: FakeNode; readonly receiver: Receiver } {
  const engine = createLeanEngine()
  const node = fakeNode()
  engine.init(node)
  const [receiver] = node.receivers
  if (receiver === undefined) throw new Error('the node was given no receiver')
  return { engine, node, receiver }
}

const call = async (node: FakeNode, name: string, params = {}): Promise<unknown> => node.functions.get(name)?.({ params, meta: { remoteAddress: '10.0.0.1' } })

test('it reads the same however it is imported', () => {
  expect(module.Cloud).toBe(AV.Cloud)
  expect(module.init).toBe(AV.init)
})

describe('003.8 hooks', () => {
  test('are called with what happened, by its type', async () => {
    const { engine, receiver } = attached()
    const seen: unknown[] = []
    engine.Cloud.onIMClientOnline(async ({ params }) => seen.push(['online', params.peerId]))
    engine.Cloud.onIMClientOffline(({ params }) => seen.push(['offline', params.closeCode]))
    await receiver.deliver(online)
    await receiver.deliver(offline)
    await receiver.deliver({ ...online, type: 'channel.vacated', data: { channelName: 'room', channelType: 'MESSAGE' } })
    expect(seen).toEqual([['online', 'ada'], ['offline', 1]])
  })

  test('a function that has the name of another event is not called by it', async () => {
    const { engine, receiver } = attached()
    const called: unknown[] = []
    engine.Cloud.define('channel.vacated', ({ params }) => called.push(params))
    await receiver.deliver({ ...online, type: 'channel.vacated', data: { channelName: 'room', channelType: 'MESSAGE' } })
    expect(called).toEqual([])
  })

  test('one that rejects, or throws, has not had the event', async () => {
    const { engine, receiver } = attached()
    engine.Cloud.onIMClientOnline(async () => Promise.reject(new Error('no')))
    engine.Cloud.onIMClientOffline(() => {
      throw new Error('no')
    })
    await expect(receiver.deliver(online)).rejects.toThrow('no')
    await expect(receiver.deliver(offline)).rejects.toThrow('no')
  })

  test('registering one twice throws, also under its other name', () => {
    const { Cloud } = createLeanEngine()
    Cloud.onIMClientOnline(() => undefined)
    expect(() => Cloud.onIMClientOnline(() => undefined)).toThrow('_clientOnline already defined')
    expect(() => Cloud.define('_clientOnline', () => undefined)).toThrow('already defined')
    Cloud.onIMClientOffline(() => undefined)
    expect(() => Cloud.onIMClientOffline(() => undefined)).toThrow('_clientOffline already defined')
  })

  test('cannot be called from outside', async () => {
    const { engine, node } = attached()
    engine.Cloud.onIMClientOnline(() => 'called')
    engine.Cloud.define('_clientOffline', () => 'called')
    expect([node.functions.get('_clientOnline'), node.functions.get('_clientOffline')]).toEqual([undefined, undefined])
  })
})

describe('003.8 functions', () => {
  test('are served by every node that it was given, whenever they are defined', async () => {
    const { engine, node } = attached()
    const other = fakeNode()
    engine.init(other)
    engine.Cloud.define('late', async ({ params, meta }) => [params, meta.remoteAddress])
    for (const served of [node, other]) expect(await call(served, 'late', { a: 1 })).toEqual([{ a: 1 }, '10.0.0.1'])
  })

  test('may be internal: then only run reaches them', async () => {
    const { engine, node } = attached()
    engine.Cloud.define('secret', { internal: true }, () => 'here')
    engine.Cloud.define('open', {}, ({ params }) => params.x)
    expect(node.functions.get('secret')).toBeUndefined()
    expect(await engine.Cloud.run('secret')).toBe('here')
    expect(await engine.Cloud.run('open', { x: 1 })).toBe(1)
    await expect(engine.Cloud.run('nobody')).rejects.toMatchObject({ status: 404, message: 'No such cloud function \'nobody\'' })
  })

  test('have one name each, and are functions', () => {
    const { Cloud } = createLeanEngine()
    Cloud.define('f', () => 1)
    expect(() => Cloud.define('f', () => 2)).toThrow('f already defined')
    expect(() => Cloud.define('', () => 1)).toThrow(TypeError)
    expect(() => Cloud.define('g', undefined as never)).toThrow('g is defined with a function')
  })
})

test('003.8 init takes a node, and says so', () => {
  for (const wrong of [undefined, null, {}, { appId: 'x', appKey: 'y', masterKey: 'z' }]) expect(() => createLeanEngine().init(wrong as never)).toThrow('AV.init takes a node')
})
