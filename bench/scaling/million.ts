import { IntervalNet } from '../../src/gateway/interval.js'
import { Packet } from '../../src/gateway/packet.js'
import { intervalPacket } from '../../src/gateway/presence-events.js'
import { ChannelReplica, type Change, type Member } from '../../src/replica/replica.js'

const STATES = { mood: 'curious', mic: 'on' }
const LIFE = 'simulated'
const INTERVAL_S = 2

/** One node and one channel, with the node's own code for the replica, the net and its encoding, and nothing else. */
export interface Simulated {
  readonly members: number
  /** Joins, leaves and changes of states a second, one third each. */
  readonly changesPerSecond: number
  /** The replica's heap, in bytes a member. */
  readonly heapAMember: number
  /** CPU in ms: applying a batch of an interval's changes, and its net, encoded once for all who did nothing themselves. */
  readonly applyMs: number
  readonly netMs: number
  /** Bytes of one INTERVAL, and of one page of 500 of the list. */
  readonly packetBytes: number
  /** Bytes a second to one watcher. */
  readonly bytesAWatcher: number
  /** Of one SNAPSHOT of all, encoded: what nobody should be sent. */
  readonly snapshotBytes: number
}

/** What a channel of so many costs a node, a part of whose members do something each second. */
export function simulate(members: number, changesPerSecond: number): Simulated {
  global.gc?.()
  const before = process.memoryUsage().heapUsed
  const replica = new ChannelReplica({ life: LIFE, version: 1, members: new Map(Array.from({ length: members }, (_, i): [string, Member] => [`user-${i}`, { userId: `user-${i}`, states: { ...STATES }, joinedAt: i }])) })
  global.gc?.()
  const heapAMember = (process.memoryUsage().heapUsed - before) / members

  let [applyMs, netMs, packetBytes] = [0, 0, 0]
  const rounds = 5
  for (let round = 0; round < rounds; round++) {
    const previous = replica.version
    const batch = changesOf(members, Math.round(changesPerSecond * INTERVAL_S), round).map((change, i): Change => ({ ...change, version: previous + i + 1 }))
    const started = cpuMs()
    const applied = replica.apply({ life: LIFE, previous, version: previous + batch.length, changes: batch })
    if (applied.outcome !== 'applied') throw new Error(applied.outcome)
    const after = cpuMs()
    const net = new IntervalNet()
    for (const effect of [...applied.effects].reverse()) net.precede(effect)
    const span = { channelName: 'huge', channelType: 'MESSAGE', life: LIFE, previous, version: replica.version } as const
    const packet = intervalPacket(span, net.summary(replica.members.size), 0)
    packetBytes = packet.frame.length
    const done = cpuMs()
    // The first rounds warm the code up.
    if (round === rounds - 1) [applyMs, netMs] = [after - started, done - after]
  }
  const entry = new Packet([JSON.stringify({ userId: 'user-100000', states: STATES, statesCount: 2, joinedAt: 1_795_314_510_655 })], { channelName: 'huge', channelType: 'MESSAGE', life: LIFE, previous: 0, version: 1 }).json.length
  return { members, changesPerSecond, heapAMember, applyMs, netMs, packetBytes, bytesAWatcher: packetBytes / INTERVAL_S, snapshotBytes: entry * members }
}

/** A third of them come, a third go, a third say something: the same number of members stays. Each round has others. */
function changesOf(members: number, count: number, round: number): Change[] {
  return Array.from({ length: count }, (_, i): Change => {
    const base = { version: 0, at: 0 }
    const user = `user-${((round * count + i) * 7919) % members}`
    if (i % 3 === 0) return { ...base, kind: 'join', userId: `new-${round}-${i}`, joinedAt: 0, states: {} }
    if (i % 3 === 1) return { ...base, kind: 'leave', userId: user }
    return { ...base, kind: 'state', userId: user, session: 's', states: { mood: `m${round}-${i}`, mic: 'off' } }
  })
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}
