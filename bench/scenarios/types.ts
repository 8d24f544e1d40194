import type { Arena } from '../arena.js'
import type { Row } from '../lib/figures.js'
import type { Results } from '../lib/figures.js'
import type { PeerName } from '../peers/types.js'

/** What one run found out, by name. The names are the columns of the report's side tables. */
export type Figures = Readonly<Record<string, number>>

export interface Scenario {
  readonly name: string
  /** One sentence for the report: what is measured, and how. */
  readonly about: string
  /** Who takes part, in turn; Rollcall among them. */
  readonly peers: readonly PeerName[]
  /** One more run of each peer with every call to Redis counted, since counting costs time. */
  readonly counted?: boolean
  /** Settings of Rollcall's nodes that are not the defaults. */
  readonly settings?: Readonly<Record<string, string>>
  /** One run, in a process of its own: the servers are its children, the load comes from itself. */
  run(arena: Arena): Promise<Figures>
  /** The rows of the table of targets that this scenario answers. */
  rows(results: Results): readonly Row[]
}
