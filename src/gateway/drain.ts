import { setTimeout as delay } from 'node:timers/promises'
import type { Connection } from './connection.js'
import type { Connections } from './connections.js'

/** How often a slice of the clients is sent away. */
const SLICE_MS = 50

/**
 * Sends those who are here now elsewhere within about `ms`: in the first half each is told to move, a slice at a time and
 * in no order, so that the other nodes are not run over; a client that knows the word goes by itself. In the third
 * quarter there is time to do so, in the last one transports are closed - and never sockets, for a plain client
 * reconnects only when it was not told to go. Resolves when all are gone and what is to be written of them is written.
 */
export async function drain(connections: Connections, ms: number): Promise<void> {
  const everybody = shuffled(connections.all())
  const present = (): readonly Connection[] => everybody.filter(({ alive }) => alive)
  await inSlices(everybody, ms / 2, (connection) => {
    if (connection.alive) connection.socket.emit('moving', { afterMs: Math.floor((Math.random() * ms) / 4) })
  })
  const deadline = performance.now() + ms / 4
  while (performance.now() < deadline && present().length > 0) await delay(Math.min(SLICE_MS, ms / 4))
  await inSlices(present(), ms / 4, (connection) => connection.socket.conn.close())
  // Closed politely, a client that does not poll any more would linger.
  for (const connection of present()) connection.drop('draining')
  await connections.settled()
}

async function inSlices(connections: readonly Connection[], ms: number, act: (connection: Connection) => void): Promise<void> {
  const slices = Math.max(1, Math.floor(ms / SLICE_MS))
  const size = Math.ceil(connections.length / slices)
  for (let start = 0; start < connections.length; start += size) {
    if (start > 0) await delay(SLICE_MS)
    for (const connection of connections.slice(start, start + size)) act(connection)
  }
}

function shuffled<T>(list: readonly T[]): T[] {
  return list
    .map((value) => ({ value, rank: Math.random() }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ value }) => value)
}
