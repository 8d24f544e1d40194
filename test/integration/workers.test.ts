import { beforeAll, describe, expect, test } from '@jest/globals'
import { io } from 'socket.io-client'

import { http } from '../support/http.js'
import { RedisServer } from '../support/redis.js'
import { useFileScope } from '../support/scope.js'
import { spawnWorkers, type SpawnedNode } from '../support/spawned.js'
import { eventually } from '../support/wait.js'

const scope = useFileScope()
let port: SpawnedNode

beforeAll(async () => {
  const redis = await RedisServer.start(scope)
  port = await spawnWorkers(scope, { REDIS_URL: redis.url }, 2)
}, 150_000)

/** Logs in over one WebSocket and out again; answers the node that it was on. */
async function visit(userId: string): Promise<string> {
  const socket = io(port.url, { transports: ['websocket'], forceNew: true, reconnection: false, auth: { appId: 'dev', userId } })
  try {
    return await new Promise<string>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${userId} got no answer to its login`)), 5_000)
      const settle = (act: () => void): void => {
        clearTimeout(timer)
        act()
      }
      socket.on('ready', ({ nodeId }: { nodeId: string }) => settle(() => resolve(nodeId)))
      socket.on('connect_error', (error) => settle(() => reject(error)))
    })
  } finally {
    socket.disconnect()
  }
}

/** The nodes behind the port, as their metrics tell. */
async function nodeIds(): Promise<string[]> {
  const { text } = await http(port.port, '/metrics')
  return [...text.matchAll(/^rollcall_node_info\{[^}]*node_id="([a-z0-9]+)"/gm)].map((match) => match[1] ?? '').sort()
}

describe('rollcall start --workers 2', () => {
  test('no login over a WebSocket is lost on its way to a worker, and both workers get some', async () => {
    const nodes = new Set<string>()
    for (let wave = 0; wave < 30; wave += 1) {
      const visits = await Promise.all(Array.from({ length: 20 }, (_, i) => visit(`visitor-${wave}-${i}`)))
      for (const node of visits) nodes.add(node)
    }
    expect(nodes.size).toBe(2)
  })

  test('clients that come at once are shared out', async () => {
    await eventually('both workers serve', async () => (await nodeIds()).length === 2)
    // Not always half and half: who has just left may still count for one worker and no longer for the other.
    let wave = 0
    await eventually('each of the two workers gets a share of 24 clients', async () => {
      wave += 1
      const nodes = await Promise.all(Array.from({ length: 24 }, (_, i) => visit(`at-once-${wave}-${i}`)))
      const [one = 0, two = 0] = [...new Set(nodes)].map((node) => nodes.filter((other) => other === node).length)
      return Math.min(one, two) >= 6
    })
  })

  test('metrics are those of all workers, whoever is asked', async () => {
    expect(await nodeIds()).toHaveLength(2)
    expect(await nodeIds()).toEqual(await nodeIds())
  })

  test('a worker that dies is replaced', async () => {
    const before = await nodeIds()
    const { text } = await http(port.port, '/metrics')
    const pids = [...text.matchAll(/^rollcall_node_info\{[^}]*pid="(\d+)"/gm)].map((match) => Number(match[1]))
    expect(pids).toHaveLength(2)
    for (const pid of pids.slice(1)) process.kill(pid, 'SIGKILL')
    await eventually('there are two workers again, one of them new', async () => {
      const now = await nodeIds().catch(() => [])
      return now.length === 2 && now.some((id) => !before.includes(id))
    }, { withinMs: 25_000 })
    await visit('late')
  })
})
