#!/usr/bin/env node
// Churns two nodes for a while and reports what becomes of their memory, with the trend.
//
//   npm run build && node scripts/churn.mjs [--minutes 30] [--clients 60] [--every 5] [--warmup 60] [--json]
//
// Clients join, set and remove states, ask, lose their connection, come back on the other node, leave and log out, in
// channels whose names never come again. Every few seconds each node collects its garbage and says what is in use. The
// load goes to nodes and a redis-server that this script starts itself, all on 127.0.0.1; it ends what it started.

import { fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { performance } from 'node:perf_hooks'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'

import { io } from 'socket.io-client'

import { trend } from './lib/trend.mjs'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    clients: { type: 'string', default: '60' },
    every: { type: 'string', default: '5' },
    warmup: { type: 'string', default: '60' },
    json: { type: 'boolean', default: false },
  },
})
const minutes = number('minutes', 0.1, 24 * 60)
const clients = number('clients', 1, 2_000)
const everyS = number('every', 1, 60)
const warmupS = number('warmup', 0, 3_600)
let ended = false
const children = []
const counts = { logins: 0, drops: 0, requests: 0 }
/** Requests and logins that were refused or failed, by why. */
const failures = {}
let channels = 0

function number(name, min, max) {
  const value = Number(values[name])
  if (!(value >= min && value <= max)) throw new Error(`--${name} is a number from ${min} to ${max}`)
  return value
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

async function startRedis() {
  const port = await freePort()
  const child = spawn(process.env.ROLLCALL_TEST_REDIS_SERVER ?? 'redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'], { stdio: 'ignore' })
  children.push(child)
  await once(child, 'spawn')
  return `redis://127.0.0.1:${port}`
}

/** In the node's process: collects garbage and says what is in use, when it is asked. */
const PROBE = `process.on('message', () => { gc(); process.send(process.memoryUsage()) }); process.channel.unref()`

async function startNode(redisUrl) {
  const port = await freePort()
  const child = fork(new URL('../dist/main.js', import.meta.url), [], {
    execArgv: ['--expose-gc', '--import', `data:text/javascript,${encodeURIComponent(PROBE)}`],
    env: { PATH: process.env.PATH, PORT: String(port), HOST: '127.0.0.1', REDIS_URL: redisUrl, ROLLCALL_LOG_LEVEL: 'warn', ROLLCALL_PRESENCE_TIMEOUT_MS: '2000' },
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
  children.push(child)
  const url = `http://127.0.0.1:${port}`
  for (let attempt = 0; ; attempt++) {
    const answer = await fetch(`${url}/readyz`).catch(() => null)
    if (answer?.status === 200) break
    if (attempt > 200 || child.exitCode !== null) throw new Error('a node did not become ready')
    await pause(50)
  }
  return { child, url, samples: [], before: undefined, after: undefined }
}

async function memoryOf({ child }) {
  child.send('memory')
  const [{ heapUsed, rss, external }] = await once(child, 'message')
  return { heap: heapUsed / 2 ** 20, rss: rss / 2 ** 20, external: external / 2 ** 20 }
}

async function enter(url, auth) {
  const socket = io(url, { auth, reconnection: false, forceNew: true, transports: Math.random() < 0.3 ? ['polling', 'websocket'] : ['websocket'] })
  const ready = await new Promise((resolve, reject) => {
    socket.once('ready', resolve)
    socket.once('connect_error', reject)
  })
  counts.logins++
  return { socket, ready }
}

async function ask(socket, name, request) {
  counts.requests++
  const reply = await socket.timeout(15_000).emitWithAck(name, request)
  if (!reply.ok) failed(reply.error.code)
}

function failed(why) {
  failures[why] = (failures[why] ?? 0) + 1
}

/** One client's life: in with a name of its own, through one lost connection, and out again. */
async function live(nodes, userId) {
  const [here, there] = Math.random() < 0.5 ? nodes : [...nodes].reverse()
  const auth = { appId: 'dev', userId }
  let { socket, ready } = await enter(here.url, auth)
  try {
    // Some three of the newest channels: each is joined by a few, and then never again.
    const newest = Math.floor(channels++ / 3)
    const mine = [0, 1, 2].map((older) => ({ channelName: `churn-${newest - older}`, channelType: 'MESSAGE' }))
    for (const channel of mine) await ask(socket, 'subscribe', { ...channel, states: { from: here.url } })
    // More than the rate allows at once: some of them are made together.
    await Promise.all(Array.from({ length: 25 }, (_, n) => ask(socket, 'setState', { ...mine[0], states: { n: String(n) } })))
    await ask(socket, 'removeState', { ...mine[0], states: ['from'] })
    await ask(socket, 'whoNow', mine[1])
    await ask(socket, 'whereNow', { userId })
    if (Math.random() < 0.5) {
      counts.drops++
      socket.io.engine.close()
      socket.disconnect()
      // Some never come back, and time out.
      if (Math.random() < 0.2) return
      ;({ socket } = await enter(there.url, { ...auth, sessionId: ready.sessionId }))
      await ask(socket, 'resume', { channels: mine })
    }
    await ask(socket, 'getState', { ...mine[0], userId })
    await ask(socket, 'unsubscribe', mine[0])
  } finally {
    socket.disconnect()
  }
}

async function keepLiving(nodes, number) {
  for (let life = 0; !ended; life++) {
    try {
      await live(nodes, `user-${number}-${life % 50}`)
    } catch (error) {
      failed(error.data?.code ?? error.message)
      await pause(100)
    }
  }
}

async function sampling(nodes, started) {
  while (performance.now() - started < minutes * 60_000) {
    await pause(everyS * 1_000)
    for (const node of nodes) node.samples.push({ at: (performance.now() - started) / 1_000, ...(await memoryOf(node)) })
  }
}

function report(nodes) {
  const rows = nodes.flatMap(({ samples, before, after }, index) =>
    ['heap', 'rss', 'external'].map((what) => {
      const points = samples.filter(({ at }) => at >= warmupS).map((sample) => [sample.at / 3_600, sample[what]])
      const all = points.map(([, value]) => value)
      const { slope, error } = trend(points)
      const mb = (value) => value.toFixed(1)
      return {
        node: index + 1,
        'in MB': what,
        'before': mb(before[what]),
        'first': mb(all[0]),
        'least': mb(Math.min(...all)),
        'most': mb(Math.max(...all)),
        'last': mb(all.at(-1)),
        'after': mb(after[what]),
        samples: points.length,
        'an hour': `${slope.toFixed(1)} ± ${error.toFixed(1)}`,
      }
    }),
  )
  if (values.json) console.log(JSON.stringify({ minutes, clients, warmupS, counts, failures, channels: Math.floor(channels / 3), rows }))
  else {
    console.table(rows)
    console.log(`${minutes} minutes, the first ${warmupS} s not counted; ${clients} clients at a time: ${counts.logins} logins, ${counts.drops} lost connections, ${Math.floor(channels / 3)} channels, ${counts.requests} requests. Refused or failed: ${JSON.stringify(failures)}.`)
    console.log('before, after: with nobody there. ± is the standard error of the slope: a trend that is not well above it says nothing.')
  }
}

try {
  const redisUrl = await startRedis()
  const nodes = [await startNode(redisUrl), await startNode(redisUrl)]
  for (const node of nodes) node.before = await memoryOf(node)
  const started = performance.now()
  const crowd = Array.from({ length: clients }, (_, number) => keepLiving(nodes, number))
  await Promise.race([sampling(nodes, started), Promise.all(crowd)])
  ended = true
  await Promise.race([Promise.allSettled(crowd), pause(20_000)])
  // Until the last of those that never came back has timed out, and the feeds that nobody watches (30 s) are let go.
  await pause(40_000)
  for (const node of nodes) node.after = await memoryOf(node)
  report(nodes)
} finally {
  ended = true
  for (const child of children.reverse()) {
    if (child.exitCode !== null) continue
    const gone = once(child, 'exit')
    child.kill('SIGTERM')
    await Promise.race([gone, pause(25_000).then(() => child.kill('SIGKILL'))])
  }
}
process.exit(0)
