import { setTimeout as pause } from 'node:timers/promises'

import { totalOf, type Arena } from '../arena.js'
import { atMost, type Results, type Row } from '../lib/figures.js'
import type { ServerNode } from '../lib/server-node.js'
import { inParallel, until } from '../lib/wait.js'
import { RollcallClient, type Span } from '../peers/rollcall.js'
import { channelsOf, connectAll, joinAll, type Load } from './memberships.js'
import type { Figures, Scenario } from './types.js'

const CLIENTS = 5_000
const CHANNELS = 500
const CHANNELS_EACH = 5
/** Rollcall's defaults, of which I2's bound is made. */
const LEASE_S = 15
const HEARTBEAT_S = 5
const SHORT_S = 1
/** A dead node's lease, presenceTimeout, and two sweeps, which come a heartbeat apart at most. */
const BOUND_S = LEASE_S + SHORT_S + 2 * HEARTBEAT_S

interface Watch {
  /** Who left, by channel; more than there are would be seen too. */
  left: number
  /** The most frames that one watcher got. */
  frames(): number
}

/** One quiet watcher a channel, at the node that stays. */
async function watchAll(node: ServerNode, channels: number, from: number): Promise<Watch> {
  const watch = { left: 0, frames: () => 0 }
  const clients = await inParallel(Array.from({ length: channels }), 50, async (_, channel) => {
    const client = await RollcallClient.connect(node, from + channel)
    client.onPresence = ({ left }) => {
      watch.left += left.length
    }
    await client.ask('subscribe', { channelName: `channel-${channel}`, beQuiet: true })
    return client
  })
  let before = clients.map(({ frames }) => frames)
  watch.frames = () => {
    const most = Math.max(...clients.map(({ frames }, index) => frames - (before[index] ?? 0)))
    before = clients.map(({ frames }) => frames)
    return most
  }
  return watch
}

async function prepare(arena: Arena, { withPresence, auth }: Pick<Load, 'withPresence' | 'auth'>) {
  const [lost, stays] = await arena.start()
  if (lost === undefined || stays === undefined) throw new Error('two nodes were to start')
  const load: Load = { from: 0, to: arena.size(CLIENTS), channels: arena.size(CHANNELS), channelsEach: CHANNELS_EACH, withPresence, node: lost, ...(auth === undefined ? {} : { auth }) }
  const clients = await connectAll(arena, load)
  const positions = clients.map(() => new Map<string, Span>())
  for (const [index, client] of clients.entries()) client.onPresence = ({ span }) => positions[index]?.set(span.channelName, span)
  await joinAll(clients, load)
  const watch = await watchAll(stays, load.channels, clients.length)
  await pause(2_000)
  watch.frames()
  return { lost, stays, load, clients, positions, watch }
}

async function runLost(arena: Arena): Promise<Figures> {
  const { lost, stays, clients, watch } = await prepare(arena, { withPresence: false, auth: { presenceTimeout: SHORT_S * 1_000 } })
  const memberships = clients.length * CHANNELS_EACH
  const cpuBefore = await stays.cpuS()
  const began = performance.now()
  await lost.kill()
  await until('all are gone', () => watch.left >= memberships, { withinMs: 2 * BOUND_S * 1_000 })
  const seconds = (performance.now() - began) / 1_000
  const frames = watch.frames()
  await pause(2_000)
  return { 'seconds until all are gone': seconds, 'most frames a watcher': frames, 'server CPU s': (await stays.cpuS()) - cpuBefore, 'told to be gone, by memberships': watch.left / memberships }
}

type Result = 'unchanged' | 'changes' | 'snapshot' | 'error'

async function runReturn(arena: Arena): Promise<Figures> {
  const { lost, stays, load, clients, positions, watch } = await prepare(arena, { withPresence: true })
  const memberships = clients.length * CHANNELS_EACH
  const results: Record<Result, number> = { unchanged: 0, changes: 0, snapshot: 0, error: 0 }
  let told = 0
  const cpuBefore = await stays.cpuS()
  const callsBefore = await arena.redis.calls()
  const began = performance.now()
  await lost.kill()
  await inParallel(clients, 200, async ({ sessionId }, user) => {
    const client = await RollcallClient.connect(stays, user, { sessionId })
    client.onPresence = ({ left }) => {
      told += left.length
    }
    const channels = channelsOf(user, load).map((channelName) => {
      const span = positions[user]?.get(channelName)
      return { channelName, ...(span === undefined ? {} : { since: { life: span.life, version: span.version } }) }
    })
    const reply = await client.ask('resume', { channels })
    for (const { result } of reply.channels as readonly { readonly result: Result }[]) results[result]++
  })
  const seconds = (performance.now() - began) / 1_000
  const callsAfter = await arena.redis.calls()
  const scripts = (callsAfter?.get('evalsha') ?? 0) - (callsBefore?.get('evalsha') ?? 0)
  const cpuS = (await stays.cpuS()) - cpuBefore
  // Whoever were taken for dead would be told of by then.
  await pause((LEASE_S + 30 + 2 * HEARTBEAT_S) * 1_000)
  return {
    'seconds until all are back': seconds,
    'server CPU s': cpuS,
    'leaves or timeouts seen': watch.left + told,
    'snapshots of unchanged channels': results.snapshot,
    'unchanged (%)': (results.unchanged / memberships) * 100,
    'errors': results.error,
    ...(callsAfter === null || callsBefore === null ? {} : { 'calls to Redis a membership': (totalOf(callsAfter) - totalOf(callsBefore)) / memberships, 'scripts among them': scripts / memberships }),
  }
}

export const nodeLost: Scenario = {
  name: 'node-lost',
  about:
    'A node with 5,000 clients, each in five of 500 channels, is killed; nobody comes back, and presenceTimeout is a second. One watcher a channel at the other node, whose 50 members all go. ' +
    `Bound: a lease of ${LEASE_S} s, presenceTimeout, and two sweeps, at most a heartbeat (${HEARTBEAT_S} s) each: ${BOUND_S} s.`,
  peers: ['rollcall'],
  run: runLost,
  rows: (results: Results): Row[] => [
    { target: '11', what: 'node-lost: seconds until all are gone', unit: 's', spread: results.of('rollcall', 'seconds until all are gone'), must: atMost(BOUND_S), aim: null },
    { target: '11', what: 'node-lost: most frames a watcher', unit: '', spread: results.of('rollcall', 'most frames a watcher'), must: atMost(50), aim: null },
  ],
}

export const nodeLostReturn: Scenario = {
  name: 'node-lost-return',
  about: 'The same, but all 5,000 come back to the other node at once, 200 at a time, each with its session and its five channels in one request and the version that it had seen. Watched for leaves until every deadline has passed.',
  peers: ['rollcall'],
  counted: true,
  run: runReturn,
  rows: (results: Results): Row[] => [
    { target: '12', what: 'node-lost-return: leaves or timeouts seen by anybody', unit: '', spread: results.of('rollcall', 'leaves or timeouts seen'), must: atMost(0), aim: null },
    { target: '12', what: 'node-lost-return: calls to Redis a membership', unit: '', spread: results.of('rollcall', 'calls to Redis a membership'), must: atMost(0.1), aim: null },
    { target: '12', what: 'node-lost-return: snapshots of unchanged channels', unit: '', spread: results.of('rollcall', 'snapshots of unchanged channels'), must: atMost(0), aim: null },
  ],
}
