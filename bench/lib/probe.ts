/**
 * Runs inside each server process, loaded before its own code: says what the process has used, when the bench asks over
 * IPC. The servers themselves are run as they are.
 */
import { Session } from 'node:inspector/promises'

import type { ProbeAnswer, ProbeQuestion } from './server-node.js'

const session = new Session()

async function answer(question: ProbeQuestion): Promise<ProbeAnswer> {
  switch (question) {
    case 'cpu': {
      const { user, system } = process.cpuUsage()
      return { cpuS: (user + system) / 1e6 }
    }
    case 'memory': {
      global.gc?.()
      global.gc?.()
      const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage()
      return { rss, heapUsed, external, arrayBuffers }
    }
    case 'profile':
      session.connect()
      await session.post('Profiler.enable')
      await session.post('Profiler.setSamplingInterval', { interval: 200 })
      await session.post('Profiler.start')
      return {}
    case 'profiled': {
      const { profile } = await session.post('Profiler.stop')
      return { profile: JSON.stringify(profile) }
    }
  }
}

process.on('message', (message: { readonly bench?: ProbeQuestion; readonly id?: number }) => {
  const { bench, id } = message
  if (bench === undefined) return
  void answer(bench).then((reply) => process.send?.({ id, ...reply }))
})
process.on('disconnect', () => process.exit())
process.channel?.unref()
