import { spawnSync } from 'node:child_process'
import { cpus, totalmem } from 'node:os'

import { redisBinary } from './redis.js'

/** Cores, memory and versions, for whoever compares absolute numbers. */
export function describeMachine(): string {
  const { stdout } = spawnSync(redisBinary(), ['--version'], { encoding: 'utf8' })
  const redis = /v=([\d.]+)/.exec(stdout)?.[1] ?? 'unknown'
  const cores = cpus()
  return `${cores.length} cores (${cores[0]?.model.trim() ?? 'unknown'}), ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform} ${process.arch}, Node ${process.version.slice(1)}, Redis ${redis}`
}
