import { expect, test } from '@jest/globals'

import { Channels } from '../../src/client/channels.js'
import { EventQueue } from '../../src/client/emitter.js'

const ROOM = { channelName: 'room', channelType: 'MESSAGE' } as const

test('who waits for a channel to settle is answered in the order of asking, also when more calls begin meanwhile', async () => {
  const answers: (() => void)[] = []
  const request = () => new Promise<never>((resolve) => answers.push(() => resolve({ ok: true, timestamp: 1, version: 1 } as never)))
  const channels = new Channels('me', new EventQueue(), { state: 'CONNECTED', request }, () => undefined)
  const order: string[] = []
  const ask = (name: string) => channels.settled(ROOM).then(() => order.push(name))

  const first = channels.subscribe(ROOM, {}, 'subscribe')
  const asked = [ask('first'), ask('second')]
  const second = channels.subscribe(ROOM, {}, 'subscribe')
  asked.push(ask('third'))
  answers[0]?.()
  await first
  asked.push(ask('fourth'))
  await new Promise((resolve) => setImmediate(resolve))
  answers[1]?.()
  await second
  await Promise.all(asked)

  expect(order).toEqual(['first', 'second', 'third', 'fourth'])
  channels.end()
})
