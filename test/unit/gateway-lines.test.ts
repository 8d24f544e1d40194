import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from '@jest/globals'
import { keyOf, type Connection } from '../../src/gateway/connection.js'
import type { HandlerContext } from '../../src/gateway/handlers/context.js'
import { sendMessage } from '../../src/gateway/handlers/messages.js'
import type { Slot } from '../../src/gateway/rate.js'
import { Serial } from '../../src/gateway/serial.js'
import { DEFAULT_LIMITS } from '../../src/protocol/limits.js'

const slot: Slot = { free: true, next: () => Promise.resolve() }

/** A connection, and what has been sent on it. */
function connected(): { readonly connection: Connection; readonly sent: string[]; send(text: string): void } {
  const sent: string[] = []
  const connection = { turns: new Serial(), session: {}, assertAlive: () => undefined, write: <T>(work: Promise<T>) => work } as unknown as Connection
  const context = {
    presence: { vouch: () => undefined },
    messages: {
      send: async (_session: unknown, { text }: { readonly text: string }) => {
        sent.push(text)
        return { timestamp: 1, received: Promise.resolve(true) }
      },
    },
    limits: DEFAULT_LIMITS,
  } as unknown as HandlerContext
  return { connection, sent, send: (text) => void sendMessage(context).handle(connection, { userId: 'lobby', text }, () => undefined, slot) }
}

test('a message to a user waits for nothing that is asked of a channel with the name of the user', async () => {
  const { connection, sent, send } = connected()
  await connection.turns.enter(keyOf({ channelType: 'MESSAGE', channelName: 'lobby' }))
  send('hello')
  await nextTurn()
  expect(sent).toEqual(['hello'])
})

test('messages to one user are taken in the order in which they were sent', async () => {
  const { sent, send } = connected()
  for (const text of ['one', 'two', 'three']) send(text)
  await nextTurn()
  expect(sent).toEqual(['one', 'two', 'three'])
})
