import type { Results, Row } from '../lib/figures.js'
import type { Options } from '../options.js'
import type { PeerName } from '../peers/types.js'
import type { Scenario } from '../scenarios/types.js'

export interface Report {
  readonly options: Options
  readonly results: ReadonlyMap<Scenario, Results>
  /** Peers that were not run, and why. */
  readonly skipped: ReadonlyMap<PeerName, string>
  readonly machine: string
  readonly began: Date
  readonly command: string
}

export function rowsOf({ results }: Report): Row[] {
  return [...results].flatMap(([scenario, found]) => scenario.rows(found)).sort((a, b) => Number(a.target) - Number(b.target))
}
