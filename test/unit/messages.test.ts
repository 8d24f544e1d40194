import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'

import { messageId, Messages, type MessageStore, type Outgoing } from '../../src/presence/messages.js'

const WAIT_MS = 5000

beforeEach(() => {
  jest.useFakeTimers()
})
afterEach(() => {
  jest.useRealTimers()
})

/** Sends a message that a session acknowledges before its sender's node has the store's answer, or not at all; `settled` is what the store says then. */
async function send({ early, settled = false }: { readonly early: boolean; readonly settled?: boolean }) {
  const store: MessageStore = {
    partitionOf: () => 0,
    take: (_app, message: Outgoing) => {
      if (early) messages.received({ number: 1, kind: 'received', app: 'app', to: [message.from], fields: [messageId(message)] })
      return Promise.resolve({ outcome: 'waiting', timestamp: 1, ageMs: 0, dropped: 0 })
    },
    acknowledge: () => Promise.resolve(),
    settle: () => Promise.resolve(settled),
    holding: () => Promise.resolve([]),
    read: () => Promise.reject(new Error('nobody reads')),
  }
  const messages = new Messages(store, {
    app: 'app',
    limits: { messageWaitMs: WAIT_MS, offlineMessages: 100, offlineMessageS: 600 },
    heartbeatMs: 5000,
    blocks: () => Promise.resolve(false),
    newToken: () => 'token',
    onDropped: () => undefined,
  })
  return messages.send({ userId: 'ann', id: 'session' }, { userId: 'bob', text: 'hello', offline: false, sequence: null })
}

test('a message that is acknowledged before the store has answered is received, and nothing waits for it any more', async () => {
  const { received } = await send({ early: true })
  expect(await received).toBe(true)
  expect(jest.getTimerCount()).toBe(0)
})

test('of one that nobody acknowledges in time the store says whether it was', async () => {
  const { received } = await send({ early: false, settled: true })
  await jest.advanceTimersByTimeAsync(WAIT_MS)
  expect(await received).toBe(true)
  expect(jest.getTimerCount()).toBe(0)
})
