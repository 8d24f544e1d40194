import { once } from 'node:events'
import { createServer, request, type IncomingMessage } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'

import type { NodeAddress } from './node.js'
import type { Scope } from './scope.js'

export interface BalancerOptions {
  /** How a session's requests find their node: by the tag of its connection id, by a cookie, or not at all. */
  readonly sticky?: 'id' | 'cookie' | 'none'
  /** Whether WebSocket upgrades get through. @default true */
  readonly upgrades?: boolean
}

/** A load balancer in front of nodes, as good or as bad as asked for: each request goes to the next node in turn. */
export async function startBalancer(scope: Scope, nodes: readonly NodeAddress[], { sticky = 'id', upgrades = true }: BalancerOptions = {}): Promise<NodeAddress> {
  const tags = new Map<string, NodeAddress>()
  const sockets = new Set<Socket>()
  let turn = 0

  const next = (): NodeAddress => {
    const node = nodes[turn++ % nodes.length]
    if (node === undefined) throw new Error('a balancer without nodes')
    return node
  }
  const choose = (asked: IncomingMessage): NodeAddress => {
    if (sticky === 'id') return tags.get((/[?&]sid=([^&]*)/.exec(asked.url ?? '')?.[1] ?? '').slice(0, 6)) ?? next()
    const route = sticky === 'cookie' ? /\broute=(\d+)/.exec(asked.headers.cookie ?? '')?.[1] : undefined
    return nodes.find(({ port }) => String(port) === route) ?? next()
  }

  const server = createServer((asked, answered) => {
    const node = choose(asked)
    const passed = request({ host: '127.0.0.1', port: node.port, method: asked.method, path: asked.url, headers: asked.headers, agent: false }, (answer) => {
      const tag = answer.headers['x-rollcall-node']
      if (typeof tag === 'string') tags.set(tag, node)
      answered.writeHead(answer.statusCode ?? 502, { ...answer.headers, ...(sticky === 'cookie' ? { 'set-cookie': `route=${node.port}; Path=/` } : {}) })
      answer.pipe(answered)
    })
    passed.on('error', () => answered.destroy())
    answered.on('close', () => passed.destroy())
    asked.pipe(passed)
  })
  server.on('upgrade', (asked: IncomingMessage, client: Socket, head: Buffer) => {
    client.on('error', () => undefined)
    if (!upgrades) {
      client.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
      return
    }
    const node = connect(choose(asked).port, '127.0.0.1')
    const headers = Object.entries(asked.headers).map(([name, value]) => `${name}: ${String(value)}\r\n`)
    node.write(`${asked.method ?? 'GET'} ${asked.url ?? '/'} HTTP/1.1\r\n${headers.join('')}\r\n`)
    node.write(head)
    node.on('error', () => client.destroy()).on('close', () => client.destroy())
    client.on('close', () => node.destroy())
    node.pipe(client).pipe(node)
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  scope.defer('a balancer', async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, port }
}
