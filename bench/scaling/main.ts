// The cost model of docs/scaling.md: coefficients from small loads, predictions for large ones, and those loads measured.
import { describeMachine } from '../lib/machine.js'
import { writeBetween } from '../report/index.js'
import { shown } from '../report/text.js'
import { measure, type Load, type Outcome } from './load.js'
import { messageCosts, type MessageCosts } from './messages.js'
import { simulate } from './million.js'
import { CALIBRATION, coefficientsOf, measuredOf, predict, type Coefficients, type Prediction } from './model.js'

const PAGE = 'docs/scaling.md'

const CHECKED: readonly Load[] = [
  { nodes: 2, masters: 1, connections: 5_000, channelSize: 10, changesPerSecond: 500 },
  { nodes: 2, masters: 1, connections: 15_000, channelSize: 10, changesPerSecond: 1_000 },
  { nodes: 2, masters: 3, connections: 5_000, channelSize: 10, changesPerSecond: 500 },
  { nodes: 2, masters: 3, connections: 15_000, channelSize: 10, changesPerSecond: 1_000 },
]
/** A million connections, ten in each channel, each of whom says something every ten seconds. */
const MILLION: Load = { nodes: 450, masters: 40, connections: 1_000_000, channelSize: 10, changesPerSecond: 100_000 }

const WHAT: Readonly<Record<keyof Coefficients, string>> = {
  nodeIdle: 'node CPU, µs a second: a node with nobody',
  connectionIdle: 'node CPU, µs a second: an idle connection',
  enter: 'node CPU, µs: a login and a join (into a channel of 50)',
  change: 'node CPU, µs: a change, at the node that makes it',
  event: 'node CPU, µs: a change, at each node that watches it',
  delivery: 'node CPU, µs: a delivery',
  redisBeat: 'Redis CPU, µs: a heartbeat of one node in one partition, with its share of the audit',
  redisEnter: 'Redis CPU, µs: a login and a join',
  redisChange: 'Redis CPU, µs: a change',
  redisEvent: 'Redis CPU, µs: a change told to a node',
  bytesDelivery: 'bytes to a client: a delivery',
  bytesToRedis: 'bytes to Redis: a change',
  bytesFromRedis: 'bytes from Redis: a change told to a node',
  memoryConnection: 'bytes of a node: a connection with one channel',
  redisConnection: 'bytes of Redis: a connection with one channel',
}

const MESSAGE: Readonly<Record<keyof MessageCosts, string>> = {
  atBoth: 'node CPU, µs: a message that is acknowledged, at the two nodes where its users are',
  atOthers: 'node CPU, µs: a message, at each other node',
  redis: 'Redis CPU, µs: a message, with two nodes',
  redisOther: 'Redis CPU, µs: a message, for each other node',
  bytesFromRedis: 'bytes from Redis: a message, to each other node',
}

const FIGURES: Readonly<Record<keyof Prediction, string>> = {
  nodesIdle: 'nodes’ CPU, idle (cores)',
  nodesBusy: 'nodes’ CPU (cores)',
  redisIdle: 'Redis CPU, idle (cores)',
  redisBusy: 'Redis CPU (cores)',
  toClients: 'to clients (MB/s)',
  fromRedis: 'from Redis (MB/s)',
  nodesMemory: 'nodes’ memory (MB)',
  redisMemory: 'Redis memory (MB)',
}

async function said(load: Load): Promise<Outcome> {
  const outcome = await measure(load)
  console.error(JSON.stringify(outcome))
  return outcome
}

const calibration = { oneNode: await said(CALIBRATION.oneNode), twoNodes: await said(CALIBRATION.twoNodes), large: await said(CALIBRATION.large) }
const c = coefficientsOf(calibration)
const message = await messageCosts()
console.error(JSON.stringify({ message }))
const lines = [
  `\`npm run bench:scaling\` · ${new Date().toISOString().slice(0, 10)} · ${describeMachine()}`,
  '',
  '| what | cost |',
  '| --- | ---: |',
  ...Object.entries(WHAT).map(([name, what]) => `| ${what} | ${shown(c[name as keyof Coefficients])} |`),
  ...Object.entries(MESSAGE).map(([name, what]) => `| ${what} | ${shown(message[name as keyof MessageCosts])} |`),
  '',
  '### Predicted and measured',
  '',
]
for (const load of CHECKED) {
  const [predicted, measured] = [predict(c, load), measuredOf(await said(load))]
  lines.push(
    `${describe(load)}:`,
    '',
    '| | predicted | measured |',
    '| --- | ---: | ---: |',
    ...Object.entries(FIGURES).map(([name, what]) => `| ${what} | ${shown(predicted[name as keyof Prediction])} | ${shown(measured[name as keyof Prediction])} |`),
    '',
  )
}
const million = predict(c, MILLION)
lines.push('### A million connections', '', `${describe(MILLION)}; not measured:`, '', '| | predicted |', '| --- | ---: |')
lines.push(...Object.entries(FIGURES).map(([name, what]) => `| ${what} | ${shown(million[name as keyof Prediction])} |`), '')
lines.push('### One channel of a million', '', '| members | changes a second | heap a member (bytes) | apply an interval (ms) | net and encoding (ms) | an INTERVAL (bytes) | to one watcher (bytes/s) | all in one SNAPSHOT (MB) |', '| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |')
for (const [members, rate] of [[10_000, 100], [100_000, 1_000], [1_000_000, 1_000], [1_000_000, 10_000]] as const) {
  const s = simulate(members, rate)
  lines.push(`| ${[s.members, s.changesPerSecond, s.heapAMember, s.applyMs, s.netMs, s.packetBytes, s.bytesAWatcher, s.snapshotBytes / 1e6].map(shown).join(' | ')} |`)
}
const text = lines.join('\n')
console.log(text)
if (process.argv.includes('--write')) await writeBetween(PAGE, 'scaling', text)

function describe({ nodes, masters, connections, channelSize, changesPerSecond }: Load): string {
  const number = (value: number): string => value.toLocaleString('en-US')
  return `${number(connections)} connections at ${nodes} nodes, ${channelSize} in each channel, ${number(changesPerSecond)} changes a second, ${masters} Redis ${masters === 1 ? 'server' : 'masters'}`
}
