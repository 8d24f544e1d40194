// Drives the cluster behind a load balancer: node check-compose.mjs URL (see scripts/check-compose.sh).
import { execFile } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'

import { io } from 'socket.io-client'

import { RollcallClient } from '../../dist/client/index.js'

const run = promisify(execFile)
const url = process.argv[2] ?? 'http://127.0.0.1:8080'
const CHANNEL = 'check'
const PLAIN = 12
const SDK = 3

/** The whole check is bounded, whatever hangs. */
const deadline = globalThis.setTimeout(() => fail('it did not end within 4 minutes'), 240_000)

function fail(why) {
  console.error(`FAILED: ${why}`)
  process.exit(1)
}

function must(condition, why) {
  if (!condition) fail(why)
}

async function eventually(what, ask, ms = 60_000) {
  const end = Date.now() + ms
  for (;;) {
    const answer = await Promise.resolve().then(ask).catch(() => false)
    if (answer) return answer
    if (Date.now() > end) fail(`not within ${ms} ms: ${what}`)
    await pause(100)
  }
}

/** A bare Socket.IO client with default options that continues its session after a reconnect. */
function plain(userId, shared) {
  const client = { userId, node: '', readies: 0, upgraded: 0, error: '', alone: 0 }
  const socket = io(url, { forceNew: true, auth: { appId: 'dev', userId } })
  client.socket = socket
  socket.on('connect', () => {
    const { engine } = socket.io
    if (engine.transport.name === 'websocket') client.upgraded++
    else engine.once('upgrade', () => client.upgraded++)
  })
  socket.on('ready', ({ sessionId, nodeId }) => {
    socket.auth.sessionId = sessionId
    client.node = nodeId
    // States only the first time: after that they must still be there.
    const states = client.readies === 0 ? { states: { seat: userId } } : {}
    socket.emit('subscribe', { channelName: CHANNEL, ...states }, (reply) => {
      if (reply.ok) client.readies++
      else client.error = reply.error.code
    })
  })
  socket.on('presence', (events) => {
    for (const event of events) shared.seen.push({ by: userId, eventType: event.eventType, publisher: event.publisher })
  })
  socket.on('connect_error', (error) => {
    if (error.data?.retryable) globalThis.setTimeout(() => socket.connect(), 500)
  })
  return client
}

async function sdk(userId, shared) {
  const client = new RollcallClient('dev', userId, { url })
  client.addEventListener('presence', ({ eventType, publisher }) => shared.seen.push({ by: userId, eventType, publisher }))
  await client.login()
  await client.subscribe(CHANNEL)
  await client.presence.setState(CHANNEL, 'MESSAGE', { seat: userId })
  return client
}

async function containersByNode() {
  const { stdout } = await compose('ps', '-q', 'node')
  const byNode = new Map()
  for (const id of stdout.split('\n').filter((line) => line !== '')) {
    const ask = "fetch('http://127.0.0.1:3000/livez').then(async (answer) => console.log(await answer.text()))"
    const answer = await run('docker', ['exec', id, 'node', '-e', ask]).catch(() => null)
    if (answer !== null) byNode.set(JSON.parse(answer.stdout).nodeId, id)
  }
  return byNode
}

function compose(...args) {
  const [command, ...first] = (process.env.COMPOSE ?? 'docker compose').split(' ')
  return run(command, [...first, ...args])
}

const shared = { seen: [] }

// What a browser asks for.
await eventually('the balancer has a ready node', async () => (await fetch(`${url}/readyz`)).ok)
for (const [path, part] of [['/demo', '<!doctype html'], ['/client.js', 'RollcallClient']]) {
  const answer = await fetch(url + path)
  must(answer.ok && (await answer.text()).toLowerCase().includes(part.toLowerCase()), `${path} is not served`)
}
must((await fetch(`${url}/metrics`)).status === 404, 'the balancer lets /metrics through')
await eventually('three nodes are ready', async () => (await (await fetch(`${url}/v1/nodes`)).json()).nodes.length >= 3)
console.error('pages are served, three nodes are there')

// Default clients: polling first, then the upgrade, both at the same node.
const plains = []
for (let index = 0; index < PLAIN; index++) {
  const client = plain(`plain-${index}`, shared)
  plains.push(client)
  await eventually(`${client.userId} is in (${client.error})`, () => client.readies === 1)
}
await eventually('all have upgraded', () => plains.every(({ upgraded }) => upgraded === 1))
const sdks = []
for (let index = 0; index < SDK; index++) sdks.push(await sdk(`sdk-${index}`, shared))
const everybody = [...plains.map(({ userId }) => userId), ...sdks.map(({ userId }) => userId)].sort()
const counts = () => Object.fromEntries([...new Set(nodesOf())].map((node) => [node, nodesOf().filter((other) => other === node).length]))
const nodesOf = () => [...plains.map(({ node }) => node), ...sdks.map(({ nodeId }) => nodeId)]
const spread = Object.values(counts())
must(spread.length === 3 && Math.max(...spread) - Math.min(...spread) <= 3, `the clients are not spread: ${JSON.stringify(counts())}`)
await allThere('after they came')
console.error(`${everybody.length} clients are spread ${spread.join(', ')}; each upgraded at its node`)

const containers = await containersByNode()
must(containers.size === 3, 'cannot tell which container is which node')
await leaves('killed', sdks[0].nodeId, (id) => run('docker', ['kill', '--signal', 'KILL', id]))
await leaves('stopped', sdks[1].nodeId, (id) => run('docker', ['stop', '-t', '40', id]))

for (const { socket } of plains) socket.disconnect()
await Promise.all(sdks.map((client) => client.logout()))
globalThis.clearTimeout(deadline)
process.exit(0)

/** One node goes; its clients come back elsewhere with their states, and nobody sees anything but that all are there. */
async function leaves(how, node, end) {
  const moved = plains.filter((client) => client.node === node)
  const readies = new Map(moved.map((client) => [client, client.readies]))
  shared.seen.length = 0
  const began = Date.now()
  await end(containers.get(node))
  await eventually(`the clients of the node that was ${how} are back`, () =>
    moved.every((client) => client.readies > readies.get(client) && client.node !== node) &&
    sdks.every((client) => client.linkState === 'CONNECTED' && client.nodeId !== node), 90_000)
  const tookMs = Date.now() - began
  // Whatever this causes is seen within the lease and a few heartbeats; a member that did not come back would time out later.
  await pause(20_000)
  const wrong = shared.seen.filter(({ eventType }) => !['SNAPSHOT', 'ERROR_OUT_OF_SERVICE'].includes(eventType))
  must(wrong.length === 0, `others saw that a node was ${how}: ${JSON.stringify(wrong.slice(0, 5))}`)
  await allThere(`after a node was ${how}`)
  console.error(`a node was ${how}: ${moved.length} plain clients and the SDK's are back after ${tookMs} ms, and nobody saw it`)
}

/** Every view holds everybody, with states: the cluster's own answer and the SDK's replicas. */
async function allThere(when) {
  await eventually(`everybody is there, with states, ${when}`, async () => {
    const { totalOccupancy, occupants } = await (await fetch(`${url}/v1/channels/MESSAGE/${CHANNEL}/members?includeState=true`)).json()
    const same = (ids) => [...ids].sort().join() === everybody.join()
    const stated = occupants.every(({ userId, states }) => states.seat === userId)
    const views = sdks.every((client) => {
      const { members } = client.channel(CHANNEL)
      return same(members.keys()) && [...members.values()].every(({ userId, states }) => states.seat === userId)
    })
    return totalOccupancy === everybody.length && same(occupants.map(({ userId }) => userId)) && stated && views
  })
}
