import { fork } from 'node:child_process'
import { once } from 'node:events'

import { Arena, type ArenaOptions } from './arena.js'
import { inTime } from './lib/wait.js'
import { peerNamed } from './peers/index.js'
import type { PeerName } from './peers/types.js'
import { SCENARIOS } from './scenarios/index.js'
import type { Figures } from './scenarios/types.js'

/** One scenario with one peer, once. */
export interface Task extends ArenaOptions {
  readonly scenario: string
  readonly peer: PeerName
}

/** The argument that makes a process of the bench the one of a run. */
export const RUN = '--run'

const PATIENCE_MS = 15 * 60_000

/** Carries a task out in a process of its own, so that no run inherits anything from the one before. */
export async function inOwnProcess(entry: string, task: Task): Promise<Figures> {
  const child = fork(entry, [RUN, JSON.stringify(task)], { execArgv: ['--enable-source-maps', '--max-semi-space-size=64'] })
  let figures: Figures | null = null
  child.on('message', (message: Figures) => {
    figures = message
  })
  const ended = once(child, 'exit')
  if (!(await inTime(ended, PATIENCE_MS))) child.kill('SIGKILL')
  const [code] = (await ended) as [number | null]
  if (figures === null) throw new Error(`${task.scenario} with ${task.peer} failed (${code ?? 'killed'})`)
  return figures
}

/** In that process. */
export async function carryOut(task: Task): Promise<void> {
  const scenario = SCENARIOS.find(({ name }) => name === task.scenario)
  if (scenario === undefined) throw new Error(`no scenario ${task.scenario}`)
  const arena = await Arena.open(peerNamed(task.peer), scenario.settings ?? {}, task)
  try {
    const figures = await scenario.run(arena)
    await new Promise<void>((resolve, reject) => process.send?.(figures, (error: Error | null) => (error === null ? resolve() : reject(error))))
  } finally {
    await arena.close()
  }
}
