import { describe, expect, test } from '@jest/globals'

import { Mail } from '../../src/feeds/mail.js'
import type { Post, PostOffice } from '../../src/presence/post.js'

const PARTITIONS = 2

/** A `Mail` of two partitions, `user0` in one and `user1` in the other; what it hears, and whose post it takes for missed, in order. */
async function start() {
  const told: string[] = []
  const deliver: ((post: Post) => void)[] = []
  let reset = (): void => undefined
  const office: PostOffice = {
    partitions: PARTITIONS,
    partitionOf: ({ name }) => Number(name.slice(-1)),
    subscribePost: (partition, listener) => {
      deliver[partition] = listener
      return Promise.resolve(() => undefined)
    },
    farewells: () => Promise.resolve([]),
    onSubscriberReset: (listener) => (reset = listener),
  }
  const mail = new Mail(office, 'app', { gaps: { inc: () => told.push('gap') } })
  mail.on('message', ({ number }) => told.push(`heard ${number}`))
  mail.onMissed((concerns, gap) => {
    const items = gap === null ? '' : ` in ${gap.partition} behind ${gap.after} up to ${gap.upTo}`
    told.push(`missed ${['user0', 'user1'].filter(concerns).join()}${items}`)
  })
  await mail.start()
  const post = (partition: number, number: number, more: Partial<Post> = {}): void => deliver[partition]?.({ number, kind: 'message', app: 'app', to: [], fields: [], ...more })
  return { mail, told, post, reset: () => reset() }
}

describe('mail', () => {
  test('hears post in order, that of its app and of the kinds that it knows; all of it counts', async () => {
    const { told, post } = await start()
    post(0, 7)
    post(0, 8, { app: 'other' })
    post(0, 9, { kind: 'unheard-of' })
    post(0, 10)
    post(1, 1)
    expect(told).toEqual(['heard 7', 'heard 10', 'heard 1'])
  })

  test('says that some was missed before it hands on what follows, and of that partition alone', async () => {
    const { told, post } = await start()
    post(0, 1)
    post(0, 3)
    post(0, 4)
    expect(told).toEqual(['heard 1', 'gap', 'missed user0 in 0 behind 1 up to 2', 'heard 3', 'heard 4'])
  })

  test('believes a heartbeat that names more at the next one: it may have been on its way', async () => {
    const { mail, told, post } = await start()
    mail.beat(1, 5)
    mail.beat(1, 6)
    post(1, 6)
    mail.beat(1, 6)
    expect(told).toEqual(['heard 6'])
    mail.beat(1, 8)
    post(1, 7)
    mail.beat(1, 8)
    mail.beat(1, 8)
    expect(told).toEqual(['heard 6', 'heard 7', 'gap', 'missed user1 in 1 behind 7 up to 8'])
    post(1, 9)
    expect(told.slice(4)).toEqual(['heard 9'])
  })

  test('begins anew with another life, whose numbers may be lower', async () => {
    const { mail, told, post } = await start()
    post(0, 500)
    mail.rebase(0)
    mail.beat(0, 2)
    post(0, 3)
    expect(told).toEqual(['heard 500', 'missed user0', 'heard 3'])
  })

  test('takes numbers that fall for a loss, also before anybody has said so', async () => {
    const { told, post } = await start()
    post(0, 500)
    post(0, 1)
    post(0, 2)
    expect(told).toEqual(['heard 500', 'gap', 'missed user0 in 0 behind 500 up to 0', 'heard 1', 'heard 2'])
  })

  test('may have missed anything while its subscriber was made anew', async () => {
    const { told, reset } = await start()
    reset()
    expect(told).toEqual(['missed user0,user1'])
  })
})
