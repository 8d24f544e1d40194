import { once } from 'node:events'
import { connect } from 'node:net'

import type { Scope } from './scope.js'
import { elapse } from './wait.js'

export interface Call {
  readonly name: string
  /** Of a script's call, which script. */
  readonly argument?: string
  readonly address: string
}

export interface Monitored {
  /** Calls of the cluster's connections in a window that begins now. */
  during(ms: number): Promise<readonly Call[]>
  /** What scripts do in a window that begins now, call by call. */
  withinScripts(ms: number): Promise<readonly Call[]>
}

/**
 * Watches a Redis server from outside with MONITOR. Its lines are `+<time> [<db> <address>] "<name>" …`, with the
 * address `lua` for what a script does.
 */
export async function monitor(scope: Scope, port: number, ignored: readonly string[]): Promise<Monitored> {
  const socket = connect(port, '127.0.0.1')
  scope.defer('the MONITOR connection', () => {
    socket.destroy()
  })
  await once(socket, 'connect')
  let rest = ''
  let seen: Call[] = []
  let inScripts: Call[] = []
  socket.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\r\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const [, address, name, argument = ''] = /^\+[\d.]+ \[\d+ (\S+)\] "([^"]*)"(?: "([^"]*)")?/.exec(line) ?? []
      if (address === undefined || name === undefined || ignored.includes(address)) continue
      ;(address === 'lua' ? inScripts : seen).push({ name: name.toLowerCase(), argument, address })
    }
  })
  const confirmed = once(socket, 'data')
  socket.write('MONITOR\r\n')
  await confirmed
  return {
    during: async (ms) => {
      seen = []
      await elapse(ms)
      return [...seen]
    },
    withinScripts: async (ms) => {
      inScripts = []
      await elapse(ms)
      return [...inScripts]
    },
  }
}
