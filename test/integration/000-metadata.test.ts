import { describe, expect, test } from '@jest/globals'

import type { RollcallClient, RollcallError } from '../../src/client/index.js'
import { connect, statesOf, uniqueChannel, watch } from '../support/client.js'
import { startNode, useCluster } from '../support/node.js'
import { connectPlain } from '../support/plain.js'
import { RedisServer } from '../support/redis.js'
import { useTestScope } from '../support/scope.js'
import { SECRET, tokenFor } from '../support/tokens.js'
import { eventually } from '../support/wait.js'
import { expectJoin, expectState, expectTimeout } from '../support/watcher.js'

const cluster = useCluster({ limits: { callsPerSecond: 1_000 } })
const scope = useTestScope()

const outdated = { error: true, errorCode: -12014, code: 'STORAGE_OUTDATED_REVISION' }
const profile = [{ key: 'Name', value: 'Tony' }, { key: 'Age', value: '40' }]

/** A user's keys and values, as a client reads them. */
async function valuesOf(client: RollcallClient, userId?: string): Promise<Record<string, string>> {
  const { metadata } = await client.storage.getUserMetadata(userId === undefined ? {} : { userId })
  return Object.fromEntries(Object.entries(metadata).map(([key, { value }]) => [key, value]))
}

const unique = (name: string) => uniqueChannel(name)

describe('000.18 what lasts and what does not', () => {
  test('000.18 metadata survives a logout; temporary state does not', async () => {
    const [user, channel] = [unique('tony'), uniqueChannel()]
    const tony = await connect(scope, user, cluster.a)
    await tony.subscribe(channel)
    await tony.presence.setState(channel, 'MESSAGE', { Mode: 'Happy' })
    const set = await tony.storage.setUserMetadata(profile)
    expect(set).toEqual({ userId: user, majorRevision: expect.any(Number), timestamp: expect.any(Number) })
    await tony.logout()

    const again = await connect(scope, user, cluster.b)
    const detail = { revision: set.majorRevision, updated: expect.any(Number), authorUid: user }
    expect(await again.storage.getUserMetadata()).toEqual({
      ...{ userId: user, totalCount: 2, majorRevision: set.majorRevision, timestamp: expect.any(Number) },
      metadata: { Name: { value: 'Tony', ...detail }, Age: { value: '40', ...detail } },
    })
    await again.subscribe(channel)
    expect(await statesOf(again, user, channel)).toEqual({})
  })

  test('000.18 metadata survives a timeout; temporary state does not', async () => {
    const [user, channel] = [unique('tony'), uniqueChannel()]
    const watching = await connect(scope, 'watching', cluster.b)
    const watcher = await watch(watching, channel)
    const tony = await connectPlain(scope, user, cluster.a, { reconnection: false })
    await tony.must('subscribe', { channelName: channel, states: { Mode: 'Happy' } })
    await tony.must('setUserMetadata', { items: profile })
    await expectJoin(watcher, user)
    await expectState(watcher, user, { Mode: 'Happy' })
    tony.socket.io.engine.close()
    await expectTimeout(watcher, user)

    expect(await valuesOf(watching, user)).toEqual({ Name: 'Tony', Age: '40' })
    await expect(watching.presence.getState(user, channel, 'MESSAGE')).rejects.toMatchObject({ errorCode: -13011 })
  })

  test('000.18 metadata survives a restart of every node; temporary state does not', async () => {
    const redis = await RedisServer.start(scope)
    const nodes = await Promise.all([startNode(scope, { redisUrl: redis.url }), startNode(scope, { redisUrl: redis.url })])
    const tony = await connectPlain(scope, 'tony', nodes[0], { reconnection: false })
    await tony.must('subscribe', { channelName: 'room', states: { Mode: 'Happy' } })
    const set = await tony.must('setUserMetadata', { items: profile })
    const watching = await connectPlain(scope, 'watching', nodes[1], { reconnection: false })
    expect(await watching.must('getUserMetadata', { userId: 'tony' })).toMatchObject({ totalCount: 2 })
    await Promise.all(nodes.map((node) => node.close()))

    const fresh = await Promise.all([startNode(scope, { redisUrl: redis.url }), startNode(scope, { redisUrl: redis.url })])
    const after = await connect(scope, 'after', fresh[1])
    const { majorRevision, totalCount } = await after.storage.getUserMetadata({ userId: 'tony' })
    expect({ majorRevision, totalCount }).toEqual({ majorRevision: set.majorRevision, totalCount: 2 })
    // His connection ended with his node; nobody was there to time him out, so that comes now.
    await eventually('his temporary state is gone', async () => (await after.presence.getState('tony', 'room', 'MESSAGE').catch((error: RollcallError) => error.errorCode)) === -13011)
    expect(await valuesOf(after, 'tony')).toEqual({ Name: 'Tony', Age: '40' })
  })
})

describe('000.18 setting, updating, removing', () => {
  test('000.18 a user who never set any has none', async () => {
    const ann = await connect(scope, 'ann', cluster.a)
    expect(await ann.storage.getUserMetadata({ userId: unique('nobody') })).toMatchObject({ totalCount: 0, majorRevision: 0, metadata: {} })
  })

  test('000.18 set makes and replaces, others stay; what was acknowledged on one node is read on the other', async () => {
    const user = unique('tony')
    const [phone, laptop] = [await connect(scope, user, cluster.a), await connect(scope, user, cluster.b)]
    const first = await phone.storage.setUserMetadata(profile)
    const second = await laptop.storage.setUserMetadata([{ key: 'Age', value: '41' }, { key: 'Town', value: '' }])
    expect(second.majorRevision).toBeGreaterThan(first.majorRevision)
    const { metadata, totalCount, majorRevision } = await phone.storage.getUserMetadata()
    expect({ totalCount, majorRevision }).toEqual({ totalCount: 3, majorRevision: second.majorRevision })
    expect(metadata.Name).toMatchObject({ value: 'Tony', revision: first.majorRevision })
    expect(metadata.Age).toMatchObject({ value: '41', revision: second.majorRevision })
    expect(metadata.Town).toMatchObject({ value: '', revision: second.majorRevision })
  })

  test('000.18 requests that one client sends without waiting take effect in their order', async () => {
    const user = unique('tony')
    const tony = await connect(scope, user, cluster.a)
    const sets = Array.from({ length: 10 }, (_, n) => tony.storage.setUserMetadata([{ key: 'n', value: String(n) }]))
    const read = valuesOf(tony)
    const revisions = (await Promise.all(sets)).map(({ majorRevision }) => majorRevision)
    expect(revisions).toEqual([...revisions].sort((a, b) => a - b))
    expect(await read).toEqual({ n: '9' })
  })

  test('000.18 update replaces what is there; with one item that is not there nothing changes', async () => {
    const tony = await connect(scope, unique('tony'), cluster.a)
    await tony.storage.setUserMetadata(profile)
    const before = await tony.storage.getUserMetadata()
    await expect(tony.storage.updateUserMetadata([{ key: 'Age', value: '50' }, { key: 'Town', value: 'Rome' }])).rejects.toMatchObject({
      errorCode: -12003,
      operation: 'storageUpdateUserMetadata',
    })
    expect({ ...(await tony.storage.getUserMetadata()), timestamp: 0 }).toEqual({ ...before, timestamp: 0 })
    await tony.storage.updateUserMetadata([{ key: 'Age', value: '50' }])
    expect(await valuesOf(tony)).toEqual({ Name: 'Tony', Age: '50' })
  })

  test('000.18 remove takes the named items, or all; what is gone already is no error', async () => {
    const tony = await connect(scope, unique('tony'), cluster.a)
    const set = await tony.storage.setUserMetadata([...profile, { key: 'Town', value: 'Rome' }])
    const removed = await tony.storage.removeUserMetadata({ data: [{ key: 'Age' }, { key: 'never' }] })
    expect(removed.majorRevision).toBeGreaterThan(set.majorRevision)
    expect(await valuesOf(tony)).toEqual({ Name: 'Tony', Town: 'Rome' })
    const all = await tony.storage.removeUserMetadata()
    expect(await tony.storage.getUserMetadata()).toMatchObject({ totalCount: 0, majorRevision: all.majorRevision, metadata: {} })
    expect((await tony.storage.removeUserMetadata({ data: [] })).majorRevision).toBe(all.majorRevision)
    expect((await tony.storage.setUserMetadata(profile)).majorRevision).toBeGreaterThan(all.majorRevision)
  })

  test('000.18 a list under another name does not remove everything', async () => {
    const tony = await connect(scope, unique('tony'), cluster.a)
    await tony.storage.setUserMetadata(profile)
    await expect(tony.storage.removeUserMetadata({ keys: ['Age'] } as object)).rejects.toMatchObject({ errorCode: -12004 })
    const plain = await connectPlain(scope, 'plain', cluster.b)
    expect(await plain.send('removeUserMetadata', { userId: tony.userId, data: [{ key: 'Age' }] })).toMatchObject({ ok: false, error: { errorCode: -12004 } })
    expect(await valuesOf(tony)).toEqual({ Name: 'Tony', Age: '40' })
  })
})

describe('000.18 revisions', () => {
  test('000.18 an item\'s revision or the major one that is not the present one: -12014, and nothing of the call is done', async () => {
    const tony = await connect(scope, unique('tony'), cluster.a)
    const { majorRevision: old } = await tony.storage.setUserMetadata(profile)
    const { majorRevision: now } = await tony.storage.updateUserMetadata([{ key: 'Age', value: '41', revision: old }])
    const before = await tony.storage.getUserMetadata()

    const { storage } = tony
    const age = { key: 'Age', value: 'x', revision: old }
    await expect(storage.setUserMetadata([{ key: 'Name', value: 'x' }, { key: 'New', value: 'x' }, age])).rejects.toMatchObject({ ...outdated, operation: 'storageSetUserMetadata' })
    await expect(storage.updateUserMetadata([{ key: 'Name', value: 'x' }, age])).rejects.toMatchObject({ ...outdated, operation: 'storageUpdateUserMetadata' })
    await expect(storage.removeUserMetadata({ data: [{ key: 'Name' }, { key: 'Age', revision: old }] })).rejects.toMatchObject({ ...outdated, operation: 'storageRemoveUserMetadata' })
    for (const majorRevision of [old, now + 1, 0]) {
      await expect(storage.setUserMetadata([{ key: 'Name', value: 'x' }], { majorRevision })).rejects.toMatchObject(outdated)
      await expect(storage.updateUserMetadata([{ key: 'Name', value: 'x' }], { majorRevision })).rejects.toMatchObject(outdated)
      await expect(storage.removeUserMetadata({ majorRevision })).rejects.toMatchObject(outdated)
    }
    expect({ ...(await storage.getUserMetadata()), timestamp: 0 }).toEqual({ ...before, timestamp: 0 })

    await storage.setUserMetadata([{ key: 'Name', value: 'Toni', revision: old }, { key: 'New', value: '1', revision: 0 }], { majorRevision: now })
    expect(await valuesOf(tony)).toEqual({ Name: 'Toni', Age: '41', New: '1' })
  })

  test('000.18 two clients on two nodes that write on one revision: one wins, round after round', async () => {
    const user = unique('tony')
    const [phone, laptop] = [await connect(scope, user, cluster.a), await connect(scope, user, cluster.b)]
    let { majorRevision } = await phone.storage.setUserMetadata([{ key: 'n', value: 'start', revision: 0 }], { majorRevision: 0 })
    for (let round = 0; round < 15; round++) {
      const options = { majorRevision }
      const results = await Promise.allSettled([
        phone.storage.setUserMetadata([{ key: 'n', value: `phone ${round}` }], options),
        laptop.storage.setUserMetadata([{ key: 'n', value: `laptop ${round}` }], options),
      ])
      const refused = results.filter((result) => result.status === 'rejected')
      expect(refused).toHaveLength(1)
      expect(refused[0]?.reason).toMatchObject(outdated)
      expect(await valuesOf(phone)).toEqual({ n: `${results[0].status === 'fulfilled' ? 'phone' : 'laptop'} ${round}` })
      majorRevision = (await laptop.storage.getUserMetadata()).majorRevision
    }
  })

  test('000.18 without revisions nobody is refused, and both keys are there', async () => {
    const user = unique('tony')
    const [phone, laptop] = [await connect(scope, user, cluster.a), await connect(scope, user, cluster.b)]
    await Promise.all(Array.from({ length: 8 }, (_, n) => [phone, laptop].map((one, i) => one.storage.setUserMetadata([{ key: `k${i}.${n}`, value: 'x' }]))).flat())
    expect((await phone.storage.getUserMetadata()).totalCount).toBe(16)
  })
})

describe('000.18 somebody else\'s', () => {
  test('000.18 can be read and written, and the author is named', async () => {
    const user = unique('tony')
    const [tony, bob] = [await connect(scope, user, cluster.a), await connect(scope, 'bob', cluster.b)]
    await tony.storage.setUserMetadata(profile)
    expect(await bob.storage.setUserMetadata([{ key: 'Age', value: '41' }], { userId: user })).toMatchObject({ userId: user })
    const { metadata } = await tony.storage.getUserMetadata()
    expect(metadata.Age).toMatchObject({ value: '41', authorUid: 'bob' })
    expect(metadata.Name).toMatchObject({ authorUid: user })
    expect(await valuesOf(bob)).toEqual({})
    await bob.storage.removeUserMetadata({ userId: user })
    expect(await valuesOf(tony)).toEqual({})
  })

  test('000.18 a token that names channels allows changes of one\'s own only; reading stays', async () => {
    const redis = await RedisServer.start(scope)
    const node = await startNode(scope, { redisUrl: redis.url, secret: SECRET })
    const channels = [{ type: 'MESSAGE', prefix: '', can: ['join', 'watch', 'state'] }]
    const tony = await connect(scope, 'tony', node, { token: tokenFor('tony', { channels }) })
    const free = await connect(scope, 'free', node, { token: tokenFor('free') })
    await tony.storage.setUserMetadata(profile)
    await free.storage.setUserMetadata([{ key: 'Age', value: '41' }], { userId: 'tony' })
    await free.storage.setUserMetadata(profile)

    const denied = { errorCode: -11038, code: 'PERMISSION_DENIED' }
    await expect(tony.storage.setUserMetadata(profile, { userId: 'free' })).rejects.toMatchObject(denied)
    await expect(tony.storage.updateUserMetadata(profile, { userId: 'free' })).rejects.toMatchObject(denied)
    await expect(tony.storage.removeUserMetadata({ userId: 'free' })).rejects.toMatchObject(denied)
    expect(await valuesOf(tony, 'free')).toEqual({ Name: 'Tony', Age: '40' })
    await tony.storage.updateUserMetadata([{ key: 'Age', value: '42' }], { userId: 'tony' })
    expect(await valuesOf(tony)).toEqual({ Name: 'Tony', Age: '42' })
  })
})
