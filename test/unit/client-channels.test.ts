import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { Channels } from '../../src/client/channels.js'
import { EventQueue } from '../../src/client/emitter.js'
import type { LinkState, PresenceMessage } from '../../src/client/events.js'
import { REQUEST_MS, type RequestOptions } from '../../src/client/link.js'
import { inMessages } from '../../src/client/resume-messages.js'
import { RollcallError } from '../../src/protocol/errors.js'
import type { PresenceEvent, SnapshotEntry } from '../../src/protocol/events.js'
import type { ResumeRequest, ResumeResult } from '../../src/protocol/requests.js'
import { elapse } from '../support/wait.js'

const ROOM = { channelName: 'room', channelType: 'MESSAGE' } as const

/** A link whose answers the test gives. */
class FakeLink {
  state: LinkState = 'CONNECTED'
  readonly asked: { readonly name: string; readonly payload: unknown; readonly deadline: number | undefined; answer(reply: object): void; refuse(error: Error): void }[] = []

  request(name: string, payload: unknown, _: string, { deadline }: RequestOptions = {}): Promise<never> {
    return new Promise((resolve, reject) => {
      this.asked.push({ name, payload, deadline, answer: (reply) => resolve({ ok: true, timestamp: 5, ...reply } as never), refuse: reject })
    })
  }

  take(name: string) {
    const [next] = this.asked.splice(0, 1)
    if (next?.name !== name) throw new Error(`expected ${name}, not ${next?.name ?? 'nothing'}`)
    return next
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve))
const entry = (userId: string, states = {}): SnapshotEntry => ({ userId, states, statesCount: Object.keys(states).length, joinedAt: 1 })

function snapshot(version: number, members: readonly SnapshotEntry[] = [entry('me')]): PresenceEvent {
  return { ...ROOM, eventType: 'SNAPSHOT', publisher: '', stateChanged: {}, interval: null, snapshot: members, timestamp: 1, life: 'life', previous: 0, version }
}

const far: PresenceEvent = { ...snapshot(0), eventType: 'REMOTE_JOIN', publisher: 'ana', snapshot: null, previous: 98, version: 99 }

let link: FakeLink
let told: PresenceMessage[]
let channels: Channels

beforeEach(() => {
  link = new FakeLink()
  told = []
  channels = new Channels('me', new EventQueue(), link, (message) => told.push(message))
})

afterEach(() => {
  channels.end()
})

async function subscribe(version = 10): Promise<void> {
  const done = channels.subscribe(ROOM, {}, 'subscribe')
  await settled()
  link.take('subscribe').answer({ version })
  await done
  channels.receive([snapshot(version)])
}

describe('subscribing', () => {
  test('cached states go along and are then the own states of the view', async () => {
    channels.cache.set(ROOM, { mood: 'good' }, { statesPerMember: 32, cachedChannels: 100 } as never)
    const done = channels.subscribe(ROOM, { beQuiet: false }, 'subscribe')
    const asked = link.take('subscribe')
    expect(asked.payload).toEqual({ ...ROOM, withPresence: true, beQuiet: false, states: { mood: 'good' } })
    asked.answer({ version: 12 })
    await done
    channels.receive([snapshot(12, [entry('me', { mood: 'good' })])])
    expect(channels.cache.get(ROOM)).toBeUndefined()
    expect(channels.held(ROOM).members.get('me')?.states).toEqual({ mood: 'good' })
  })

  test('a SNAPSHOT that comes together with the reply is not missed', async () => {
    const done = channels.subscribe(ROOM, {}, 'subscribe')
    link.take('subscribe').answer({ version: 10 })
    channels.receive([snapshot(10)])
    await done
    expect(told.map(({ eventType }) => eventType)).toEqual(['SNAPSHOT'])
    expect(channels.held(ROOM).status).toBe('live')
  })

  test('the time that a call waits for its turn is its own', async () => {
    const first = channels.subscribe(ROOM, {}, 'subscribe')
    const second = channels.unsubscribe(ROOM, 'unsubscribe')
    const called = performance.now()
    await elapse(50)
    link.take('subscribe').answer({ version: 1 })
    await first
    await settled()
    const { deadline, answer } = link.take('unsubscribe')
    answer({})
    await second
    expect(deadline).toBeLessThanOrEqual(called + REQUEST_MS)
  })

  test('calls of one channel go one after the other, those of others do not wait', async () => {
    const first = channels.subscribe(ROOM, {}, 'subscribe')
    const second = channels.unsubscribe(ROOM, 'unsubscribe')
    const other = channels.subscribe({ ...ROOM, channelType: 'STREAM' }, {}, 'streamJoin')
    await settled()
    expect(link.asked.map(({ name }) => name)).toEqual(['subscribe', 'subscribe'])
    link.take('subscribe').answer({ version: 1 })
    link.take('subscribe').answer({ version: 1 })
    await Promise.all([first, other])
    await settled()
    link.take('unsubscribe').answer({})
    await second
    expect(await channels.settled(ROOM)).toBeUndefined()
    expect(await channels.settled({ ...ROOM, channelType: 'STREAM' })).toBeDefined()
  })

  test('a refusal leaves nothing; an unanswered one is taken back', async () => {
    const refused = channels.subscribe(ROOM, {}, 'subscribe')
    link.take('subscribe').refuse(new RollcallError('PERMISSION_DENIED', 'no', 'subscribe'))
    await expect(refused).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
    expect(link.asked).toEqual([])
    const unanswered = channels.subscribe(ROOM, {}, 'subscribe')
    await settled()
    link.take('subscribe').refuse(new RollcallError('PRESENCE_OPERATION_TIMEOUT', 'late', 'subscribe'))
    await expect(unanswered).rejects.toMatchObject({ code: 'PRESENCE_OPERATION_TIMEOUT' })
    expect(link.take('unsubscribe').payload).toEqual(ROOM)
  })

  test('events of a channel that is not subscribed to are nobody’s', async () => {
    await subscribe()
    const done = channels.unsubscribe(ROOM, 'unsubscribe')
    await settled()
    link.take('unsubscribe').answer({})
    await done
    told = []
    channels.receive([snapshot(11)])
    expect(told).toEqual([])
  })
})

describe('a gap', () => {
  test('is asked for once, however many events show it', async () => {
    await subscribe()
    channels.receive([far])
    channels.receive([{ ...far, previous: 99, version: 100 }])
    await settled()
    expect(channels.held(ROOM).status).toBe('syncing')
    const asked = link.take('resume')
    expect(asked.payload).toEqual({ channels: [{ ...ROOM, withPresence: true, beQuiet: false, since: { life: 'life', version: 10 } }] })
    channels.receive([{ ...far, previous: 100, version: 101 }])
    asked.answer({ channels: [{ ...ROOM, result: 'snapshot', version: 101 }] })
    await settled()
    expect(link.asked).toEqual([])
    expect(channels.held(ROOM).status).toBe('syncing')
    channels.receive([snapshot(101)])
    expect(channels.held(ROOM).status).toBe('live')
    expect(told.map(({ eventType }) => eventType)).toEqual(['SNAPSHOT', 'SNAPSHOT'])
  })

  test('is asked for again when the node could not answer', async () => {
    jest.spyOn(Math, 'random').mockReturnValue(0)
    await subscribe()
    channels.receive([far])
    link.take('resume').answer({ channels: [{ ...ROOM, result: 'error', error: new RollcallError('PRESENCE_OPERATION_FAILED', 'down').body() }] })
    await settled()
    expect(channels.held(ROOM).status).toBe('stale')
    await new Promise((resolve) => setTimeout(resolve, 5))
    link.take('resume').answer({ channels: [{ ...ROOM, result: 'unchanged', version: 10 }] })
    await settled()
    expect(channels.held(ROOM).status).toBe('live')
  })
})

describe('a new connection', () => {
  const resume = async (result: Partial<ResumeResult> = { result: 'unchanged', version: 10 }) => {
    const requests: ResumeRequest[] = []
    const failed = await channels.resume((request) => {
      requests.push(request)
      return Promise.resolve({ ok: true, timestamp: 1, channels: request.channels.map(() => ({ ...ROOM, ...result }) as ResumeResult) })
    })
    return { requests, failed }
  }

  const withState = async () => {
    await subscribe()
    const subscription = await channels.settled(ROOM)
    if (subscription === undefined) throw new Error('not subscribed')
    channels.wrote(subscription, 11, () => ({ mood: 'good' }))
  }

  test('000.10: continues from where it stood, with its states for the case that its stay had ended', async () => {
    await withState()
    expect(channels.lost()).toEqual(['room'])
    expect(channels.held(ROOM).status).toBe('stale')
    const { requests } = await resume()
    expect(requests).toEqual([{ channels: [{ ...ROOM, withPresence: true, beQuiet: false, states: { mood: 'good' }, since: { life: 'life', version: 10 } }] }])
    expect(channels.held(ROOM).status).toBe('live')
  })

  test('a SNAPSHOT instead of changes is as good', async () => {
    await withState()
    channels.lost()
    await resume({ result: 'snapshot', version: 20 })
    channels.receive([snapshot(20, [entry('me', { mood: 'good' })])])
    expect(channels.held(ROOM).status).toBe('live')
  })

  test('a channel that is refused is stale and named; the states still go along next time', async () => {
    await withState()
    channels.lost()
    const { failed } = await resume({ result: 'error', error: new RollcallError('PERMISSION_DENIED', 'no').body() })
    expect(failed).toEqual(['room'])
    expect(channels.held(ROOM).status).toBe('stale')
    const { requests } = await resume()
    expect(requests[0]?.channels[0]).toMatchObject({ states: { mood: 'good' } })
  })

  test('a write of unknown outcome is found out by a SNAPSHOT', async () => {
    await withState()
    const subscription = await channels.settled(ROOM)
    link.state = 'CONNECTING'
    channels.lost()
    if (subscription !== undefined) channels.unsure(subscription)
    const { requests } = await resume()
    expect(requests[0]?.channels[0]).toEqual({ ...ROOM, withPresence: true, beQuiet: false, states: { mood: 'good' } })
  })

  test('a lost connection stops it; the next one begins again', async () => {
    await subscribe()
    await expect(channels.resume(() => Promise.reject(new Error('lost')))).rejects.toThrow('lost')
  })

  test('many large states are cut into messages that a node takes', () => {
    const request = (states: Record<string, string>) => ({ ...ROOM, states })
    const big = { a: 'x'.repeat(200_000) }
    const cut = (items: object[]) => [...inMessages(items, (states) => request(states as Record<string, string>))].map((message) => message.length)
    expect(cut([])).toEqual([])
    expect(cut([{}, {}, {}])).toEqual([3])
    expect(cut([big, big, {}, big])).toEqual([1, 2, 1])
  })
})
