import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'

import type { RedisServer } from './redis.js'
import type { Scope } from './scope.js'

/**
 * A real Redis that is made to look like another one: what it says passes through `edit` (a piece as it arrives, in
 * latin1), which keeps its length or swallows it by returning ''.
 *
 * @returns the URL to reach it by
 */
export async function alteredRedis(scope: Scope, redis: RedisServer, edit: (said: string) => string): Promise<string> {
  const server = createServer((client) => {
    const real = connect(redis.port, '127.0.0.1')
    client.on('error', () => real.destroy()).on('close', () => real.destroy())
    real.on('error', () => client.destroy()).on('close', () => client.destroy())
    client.on('data', (data) => real.write(data))
    real.on('data', (data) => client.write(Buffer.from(edit(data.toString('latin1')), 'latin1')))
    open.add(client)
    client.on('close', () => open.delete(client))
  })
  const open = new Set<{ destroy(): void }>()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  scope.defer('the altered Redis', async () => {
    for (const client of open) client.destroy()
    server.close()
    await once(server, 'close')
  })
  return `redis://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Looks like 6.2. */
export const asOldRedis = (said: string): string => said.replace(/redis_version:\d+\.\d+\.\d+/, (real) => 'redis_version:6.2.14'.padEnd(real.length, '0').slice(0, real.length))
