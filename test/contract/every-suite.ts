import { invitationSuite } from './invitation-suite.js'
import { messageSuite } from './message-suite.js'
import { metadataSuite } from './metadata-suite.js'
import { rosterSuite } from './roster-suite.js'
import type { Setup } from './setups.js'
import { statusSuite } from './status-suite.js'
import { storeSuite } from './store-suite.js'
import { shared } from './use-setup.js'

/** All that a store has to do, on one Redis of this kind. */
export function everySuite(kind: Setup): void {
  const setup = shared(kind)
  storeSuite(setup)
  statusSuite(setup)
  metadataSuite(setup)
  rosterSuite(setup)
  invitationSuite(setup)
  messageSuite(setup)
}
