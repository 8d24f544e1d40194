import { parseArgs } from 'node:util'

import { SCENARIOS } from './scenarios/index.js'
import type { Scenario } from './scenarios/types.js'

export interface Options {
  readonly scenarios: readonly Scenario[]
  readonly rounds: number
  /** 1 is the full size. Anything else is a trial, and the report says so. */
  readonly scale: number
  /** The page that the results are written into, with the picture beside it; null: they are only printed. */
  readonly report: string | null
  /** A folder for CPU profiles of what is measured, a file a server. */
  readonly profile: string | null
  /** Only these peers beside Rollcall; null for all. */
  readonly peers: readonly string[] | null
}

export const USAGE = `npm run bench -- [--only ${SCENARIOS.map(({ name }) => name).join(',')}] [--rounds 3] [--scale 1] [--peers naive,…] [--report docs/bench.md] [--profile FOLDER]`

/** @throws Error with what is wrong */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      rounds: { type: 'string', default: '3' },
      scale: { type: 'string', default: '1' },
      report: { type: 'string' },
      profile: { type: 'string' },
      peers: { type: 'string' },
    },
  })
  const wanted = values.only?.split(',')
  const unknown = wanted?.filter((name) => SCENARIOS.every((scenario) => scenario.name !== name)) ?? []
  if (unknown.length > 0) throw new Error(`no scenario ${unknown.join(', ')}`)
  return {
    scenarios: SCENARIOS.filter(({ name }) => wanted?.includes(name) ?? true),
    rounds: numberIn('rounds', values.rounds, 1, 100),
    scale: numberIn('scale', values.scale, 0.001, 10),
    report: values.report ?? null,
    profile: values.profile ?? null,
    peers: values.peers?.split(',') ?? null,
  }
}

function numberIn(name: string, text: string, min: number, max: number): number {
  const value = Number(text)
  if (!(value >= min && value <= max)) throw new Error(`--${name} is a number from ${min} to ${max}`)
  return value
}
