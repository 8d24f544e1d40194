import { expect, test } from '@jest/globals'
import type { IntervalInfo } from '../../src/protocol/events.js'
import { connect, statesOf, uniqueChannel, watch } from '../support/client.js'
import { connectCrowd } from '../support/crowd.js'
import { useCluster } from '../support/node.js'
import { connectPlain, type PlainClient } from '../support/plain.js'
import { useTestScope } from '../support/scope.js'
import { elapse, eventually } from '../support/wait.js'
import { countOf, expectJoin, expectLeave, expectSnapshot, expectState, expectWholeStays, type Watcher } from '../support/watcher.js'

/** Above 8 members by interval, until 6 (80 %, rounded down) are left. */
const ANNOUNCE_MAX = 8
const INTERVAL_MS = 500
const cluster = useCluster({ announceMax: ANNOUNCE_MAX, intervalMs: INTERVAL_MS })
const scope = useTestScope()

interface Busy {
  readonly channelName: string
  /** Members that watch nothing, `crowd-0` and so on, on both nodes in turn. */
  readonly crowd: readonly PlainClient[]
}

const enter = (client: PlainClient, channelName: string) => client.must('subscribe', { channelName, withPresence: false })
const exit = (client: PlainClient, channelName: string) => client.must('unsubscribe', { channelName })
const say = (client: PlainClient, channelName: string, states: Readonly<Record<string, string>>) => client.must('setState', { channelName, states })

async function crowdIn(channelName: string, members: number): Promise<Busy> {
  const crowd = await connectCrowd(scope, [cluster.a, cluster.b], members)
  await Promise.all(crowd.map((client) => enter(client, channelName)))
  return { channelName, crowd }
}

function one(clients: readonly PlainClient[], index: number): PlainClient {
  const client = clients[index]
  if (client === undefined) throw new Error(`there is no client ${index}`)
  return client
}

/** A quiet watcher with nothing but a socket. */
async function watchPlain(channelName: string, client?: PlainClient): Promise<Watcher> {
  client ??= await connectPlain(scope, 'guest', cluster.b)
  const watcher = client.watcher(channelName)
  await client.must('subscribe', { channelName, beQuiet: true })
  await expectSnapshot(watcher)
  return watcher
}

/** The next INTERVAL, and no single change before it. */
async function nextInterval(watcher: Watcher): Promise<IntervalInfo> {
  const { interval } = await watcher.log.until('an INTERVAL', () => {
    const entry = watcher.log.unread[0]
    if (entry === undefined) return undefined
    if (entry.event.eventType !== 'INTERVAL') throw new Error(`${watcher.name} expects an INTERVAL, and got ${entry.event.eventType}`)
    return watcher.log.take(entry)
  })
  if (interval === null) throw new Error('an INTERVAL without its interval')
  return interval
}

/** What a change makes in an interval of its own: whatever was pending before has been told by then. */
async function afterInterval(watcher: Watcher, { channelName, crowd }: Busy): Promise<void> {
  const mark = String(Math.random())
  await say(one(crowd, 0), channelName, { mark })
  for (;;) {
    const { userStateList } = await nextInterval(watcher)
    if (userStateList.some(({ states }) => states.mark === mark)) return
  }
}

function short({ join, leave, timeout, userStateList, totalOccupancy }: IntervalInfo) {
  expect([join, leave, timeout].map(({ userCount }) => userCount)).toEqual([join, leave, timeout].map(({ users }) => users.length))
  const states = Object.fromEntries(userStateList.map((occupant) => [occupant.userId, occupant.states]))
  return { join: [...join.users].sort(), leave: [...leave.users].sort(), timeout: [...timeout.users].sort(), states, totalOccupancy }
}

const NOTHING = { join: [], leave: [], timeout: [], states: {} }

test('000.16 up to the threshold each change is announced, above it the net of an interval', async () => {
  const channelName = uniqueChannel('interval')
  const [sdk, plain] = [await watch(await connect(scope, 'guest', cluster.a), channelName, { beQuiet: true }), await watchPlain(channelName)]
  const { crowd } = await crowdIn(channelName, ANNOUNCE_MAX)
  for (const watcher of [sdk, plain]) {
    for (const { user } of crowd) await expectJoin(watcher, user)
    expect(countOf(watcher, 'INTERVAL')).toBe(0)
  }
  const [ninth, tenth] = await connectCrowd(scope, [cluster.b], 2, ANNOUNCE_MAX)
  if (ninth === undefined || tenth === undefined) throw new Error('two more')
  await Promise.all([enter(ninth, channelName), ninth.must('setState', { channelName, states: { mood: 'late' } }), enter(tenth, channelName)])
  for (const watcher of [sdk, plain]) {
    expect(short(await nextInterval(watcher))).toEqual({ ...NOTHING, join: [ninth.user, tenth.user], states: { [ninth.user]: { mood: 'late' } }, totalOccupancy: 10 })
    expect(watcher.log.events.at(-1)).toMatchObject({ eventType: 'INTERVAL', publisher: '', stateChanged: {}, snapshot: null })
  }
  expectWholeStays(sdk, plain)
})

test('000.16 what ends where it began within an interval is not told, and the rest is told once', async () => {
  const busy = await crowdIn(uniqueChannel('interval'), 10)
  const { channelName, crowd } = busy
  const watcher = await watchPlain(channelName)
  const visitor = await connectPlain(scope, 'visitor', cluster.a)
  const [away, back, talker] = [one(crowd, 9), one(crowd, 8), one(crowd, 7)]
  await afterInterval(watcher, busy)

  await Promise.all([
    // Requests of one client take effect in their order.
    enter(visitor, channelName), say(visitor, channelName, { here: 'yes' }), exit(visitor, channelName),
    exit(back, channelName), enter(back, channelName),
    say(talker, channelName, { n: '1' }), say(talker, channelName, { n: '2', m: 'x' }),
    exit(away, channelName),
  ])
  expect(short(await nextInterval(watcher))).toEqual({ ...NOTHING, leave: [away.user], states: { [talker.user]: { n: '2', m: 'x' } }, totalOccupancy: 9 })

  // A member that left and came back is told of by its states alone, for they ended with its stay.
  await Promise.all([exit(talker, channelName), enter(talker, channelName)])
  expect(short(await nextInterval(watcher))).toEqual({ ...NOTHING, states: { [talker.user]: {} }, totalOccupancy: 9 })
  expectWholeStays(watcher)
})

test('000.16 an interval without a net is skipped, and the next one follows on what was told last', async () => {
  const busy = await crowdIn(uniqueChannel('interval'), 10)
  const watcher = await watchPlain(busy.channelName)
  const visitor = await connectPlain(scope, 'visitor', cluster.a)
  await afterInterval(watcher, busy)
  const { packets } = watcher.log
  const last = packets.at(-1)?.span
  const before = packets.length

  await Promise.all([enter(visitor, busy.channelName), exit(visitor, busy.channelName)])
  // That nothing is sent for so long is what this is about.
  await elapse(3 * INTERVAL_MS)
  expect(packets.length).toBe(before)
  await afterInterval(watcher, busy)
  expect(packets.length).toBe(before + 1)
  expect(packets.at(-1)?.span?.previous).toBe(last?.version)
})

test('000.16 a session is not told of itself, but of the states that another session of its user set', async () => {
  const busy = await crowdIn(uniqueChannel('interval'), 9)
  const { channelName, crowd } = busy
  const [phone, tab, other] = [await connect(scope, 'ada', cluster.a), await connect(scope, 'ada', cluster.b), await connect(scope, 'eve', cluster.b)]
  const others = await watch(other, channelName, { name: 'eve', beQuiet: true })
  const onPhone = await watch(phone, channelName, { name: 'the phone' })
  const onTab = await watch(tab, channelName, { name: 'the tab' })
  expect(short(await nextInterval(others))).toEqual({ ...NOTHING, join: ['ada'], totalOccupancy: 10 })

  await phone.presence.setState(channelName, 'MESSAGE', { mood: 'good' })
  for (const watcher of [others, onTab]) expect(short(await nextInterval(watcher))).toEqual({ ...NOTHING, states: { ada: { mood: 'good' } }, totalOccupancy: 10 })
  // The phone hears of the next change, and has heard nothing in between.
  await say(one(crowd, 1), channelName, { n: '1' })
  for (const watcher of [others, onTab, onPhone]) expect(short(await nextInterval(watcher))).toEqual({ ...NOTHING, states: { 'crowd-1': { n: '1' } }, totalOccupancy: 10 })
  expect({ ...phone.channel(channelName).members.get('ada')?.states }).toEqual({ mood: 'good' })
  expect({ ...tab.channel(channelName).members.get('ada')?.states }).toEqual({ mood: 'good' })

  await tab.unsubscribe(channelName)
  await phone.unsubscribe(channelName)
  expect(short(await nextInterval(others))).toEqual({ ...NOTHING, leave: ['ada'], totalOccupancy: 9 })
  for (const watcher of [onPhone, onTab]) for (const { interval } of watcher.log.events) if (interval !== null) expect(JSON.stringify([interval.join, interval.leave, interval.timeout])).not.toContain('ada')
})

test('000.16 who leaves and who times out are kept apart', async () => {
  const busy = await crowdIn(uniqueChannel('interval'), 10)
  const watcher = await watchPlain(busy.channelName)
  await afterInterval(watcher, busy)
  const lost = one(busy.crowd, 9)
  lost.socket.io.engine.close()
  expect(short(await nextInterval(watcher))).toEqual({ ...NOTHING, timeout: [lost.user], totalOccupancy: 9 })
  await exit(one(busy.crowd, 8), busy.channelName)
  expect(short(await nextInterval(watcher))).toEqual({ ...NOTHING, leave: ['crowd-8'], totalOccupancy: 8 })
})

test('000.16 below the threshold again, one last INTERVAL is flushed, and each change is announced', async () => {
  const busy = await crowdIn(uniqueChannel('interval'), 9)
  const { channelName, crowd } = busy
  const [sdk, plain] = [await watch(await connect(scope, 'guest', cluster.a), channelName, { beQuiet: true }), await watchPlain(channelName)]
  // Eight, and seven: between the two thresholds nothing changes.
  for (const index of [8, 7]) {
    await exit(one(crowd, index), channelName)
    for (const watcher of [sdk, plain]) expect(short(await nextInterval(watcher))).toEqual({ ...NOTHING, leave: [`crowd-${index}`], totalOccupancy: index })
  }
  await say(one(crowd, 0), channelName, { last: 'words' })
  await exit(one(crowd, 6), channelName)
  for (const watcher of [sdk, plain]) {
    expect(short(await nextInterval(watcher))).toEqual({ ...NOTHING, leave: ['crowd-6'], states: { 'crowd-0': { last: 'words' } }, totalOccupancy: 6 })
  }
  await exit(one(crowd, 5), channelName)
  await say(one(crowd, 0), channelName, { after: 'all' })
  // Two more make seven and eight: not above the threshold.
  await enter(one(crowd, 5), channelName)
  for (const watcher of [sdk, plain]) {
    await expectLeave(watcher, 'crowd-5')
    await expectState(watcher, 'crowd-0', { last: 'words', after: 'all' })
    await expectJoin(watcher, 'crowd-5')
  }
  expectWholeStays(sdk, plain)
})

test('000.16 who subscribes within an interval has everybody at once, and is told the rest of it', async () => {
  const busy = await crowdIn(uniqueChannel('interval'), 10)
  const { channelName, crowd } = busy
  const old = await watchPlain(channelName)
  const [visitor, late, latePlain] = [await connectPlain(scope, 'visitor', cluster.a), await connect(scope, 'late', cluster.b), await connectPlain(scope, 'late-plain', cluster.b)]
  await afterInterval(old, busy)

  // The interval begins with the visitor. Whoever begins now knows the visitor from its SNAPSHOT.
  await enter(visitor, channelName)
  const here = () => ['visitor', ...crowd.map(({ user }) => user)]
  await eventually('the other node has heard of the visitor', async () => (await late.presence.whoNow(channelName, 'MESSAGE')).totalOccupancy === here().length)
  const [sdk, plain] = await Promise.all([watch(late, channelName, { beQuiet: true, name: 'late' }), watchPlain(channelName, latePlain)])
  expect(countOf(old, 'INTERVAL')).toBe(1)
  await exit(visitor, channelName)
  await say(one(crowd, 3), channelName, { n: '1' })
  for (const watcher of [sdk, plain]) {
    const snapshot = watcher.log.events.find(({ eventType }) => eventType === 'SNAPSHOT')
    expect(snapshot?.snapshot?.map(({ userId }) => userId).sort()).toEqual(here().sort())
    expect(short(await nextInterval(watcher))).toEqual({ ...NOTHING, leave: ['visitor'], states: { 'crowd-3': { n: '1' } }, totalOccupancy: 10 })
  }
  expect(short(await nextInterval(old))).toEqual({ ...NOTHING, states: { 'crowd-3': { n: '1' } }, totalOccupancy: 10 })
  await exit(one(crowd, 4), channelName)
  for (const watcher of [sdk, plain, old]) expect(short(await nextInterval(watcher))).toEqual({ ...NOTHING, leave: ['crowd-4'], totalOccupancy: 9 })
  // No SNAPSHOT was needed to put anything right.
  for (const watcher of [sdk, plain, old]) expect(countOf(watcher, 'SNAPSHOT')).toBe(1)
  expectWholeStays(sdk, plain, old)
})

test('000.16 the SDK\'s live view is what whoNow says, whatever happened, and who comes and goes meanwhile', async () => {
  const seed = Math.floor(Math.random() * 2 ** 31)
  console.info(`seed ${seed}`)
  let random = seed
  const pick = (count: number) => {
    random = (Math.imul(random, 1_103_515_245) + 12_345) >>> 0
    return (random >>> 8) % count
  }
  const { channelName, crowd } = await crowdIn(uniqueChannel('interval'), 12)
  const ada = await connect(scope, 'ada', cluster.a)
  const watchers = [await watch(ada, channelName, { name: 'ada' }), await watchPlain(channelName)]
  const [eve, fay] = [await connect(scope, 'eve', cluster.b), await connect(scope, 'fay', cluster.a)]
  const there = new Set(crowd)
  const rounds = 15
  for (let round = 0; round < rounds; round++) {
    // Nearly all leave, and come back: the channel crosses both thresholds.
    const wanted = round < rounds / 3 || round >= (2 * rounds) / 3 ? crowd.length : 2
    await Promise.all([
      ...crowd.map(async (client) => {
        if (pick(2) === 0) return
        if (!there.has(client)) {
          if (there.size >= wanted) return
          there.add(client)
          await enter(client, channelName)
        } else if (there.size > wanted || pick(4) === 0) {
          there.delete(client)
          await exit(client, channelName)
        } else await say(client, channelName, { n: String(round) })
      }),
      pick(3) === 0 ? ada.presence.setState(channelName, 'MESSAGE', { round: String(round) }) : undefined,
    ])
    if (round === 3) watchers.push(await watch(eve, channelName, { name: 'eve' }))
    if (round === 12) watchers.push(await watch(fay, channelName, { name: 'fay', beQuiet: true }))
    if (round === 13) await eve.unsubscribe(channelName)
  }
  const sorted = (members: readonly { readonly userId: string; readonly states: Readonly<Record<string, string>> }[]) =>
    JSON.stringify(members.map(({ userId, states }) => [userId, Object.entries(states).sort()]).sort())
  const { occupants, totalOccupancy } = await fay.presence.whoNow(channelName, 'MESSAGE', { includedState: true })
  expect(totalOccupancy).toBe(there.size + 1)
  for (const client of [ada, fay]) {
    await eventually('the live view is what whoNow says', () => sorted([...client.channel(channelName).members.values()]) === sorted(occupants))
  }
  expect(await statesOf(fay, 'ada', channelName)).toEqual({ ...ada.channel(channelName).members.get('ada')?.states })
  for (const watcher of watchers) expect(countOf(watcher, 'SNAPSHOT')).toBe(1)
  expectWholeStays(...watchers)
  for (const watcher of watchers.slice(0, 2)) {
    expect(countOf(watcher, 'INTERVAL')).toBeGreaterThan(0)
    expect(countOf(watcher, 'REMOTE_LEAVE')).toBeGreaterThan(0)
  }
})

test('000.16 who comes back in time is told the net of what it missed', async () => {
  const { channelName, crowd } = await crowdIn(uniqueChannel('interval'), 10)
  const ada = await connectPlain(scope, 'ada', cluster.a, { auth: { presenceTimeout: 30_000 } })
  await watchPlain(channelName) // the node's feed keeps what happens
  await ada.must('subscribe', { channelName })
  const { life, version } = await expectSnapshot(ada.watcher(channelName))
  ada.socket.io.reconnection(false)
  ada.socket.io.engine.close()
  await Promise.all([exit(one(crowd, 9), channelName), say(one(crowd, 8), channelName, { n: '1' }), say(one(crowd, 8), channelName, { n: '2' })])

  const back = await connectPlain(scope, 'ada', cluster.b, { auth: { presenceTimeout: 30_000, sessionId: ada.ready.sessionId } })
  const reply = await back.must('resume', { channels: [{ channelName, since: { life, version } }] })
  expect(reply.channels).toMatchObject([{ result: 'changes' }])
  const watcher = back.watcher(channelName)
  expect(short(await nextInterval(watcher))).toEqual({ ...NOTHING, leave: ['crowd-9'], states: { 'crowd-8': { n: '2' } }, totalOccupancy: 10 })
  expect(watcher.log.packets[0]?.span).toMatchObject({ previous: version, life })
  await exit(one(crowd, 8), channelName)
  expect(short(await nextInterval(watcher))).toMatchObject({ leave: ['crowd-8'], totalOccupancy: 9 })
  expect(watcher.log.packets[1]?.span?.previous).toBe(watcher.log.packets[0]?.span?.version)
})
