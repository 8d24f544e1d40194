import { describe, expect, test } from '@jest/globals'

import { ensureBuilt } from '../support/spawned.js'
import { FAULTS } from './faults.js'
import { failureOf, runFault } from './run.js'
import { SETUPS } from './setups.js'

/** A choice of faults; `node scripts/faults.mjs` runs all of them, as often as one likes (`docs/reliability.md`). */
const CHOSEN = ['node-killed', 'script-flush', 'replies-lost', 'subscriber-half-open', 'flapping-clients']
/** What is run where Redis is more than one server: there the set-up alone takes as long as a fault. */
const CHOSEN_REPLICATED = ['node-killed']
const SEED = Number(process.env.ROLLCALL_SEED ?? 31)

describe('a crowd on three nodes, and something that goes wrong: nobody is told anything false, and all agree within the bound', () => {
  test.each(SETUPS.flatMap((setup) => FAULTS.filter(({ name }) => (setup === 'single' ? CHOSEN : CHOSEN_REPLICATED).includes(name)).map((fault) => ({ setup, fault, ...fault }))))(
    `$setup, $name: $what (seed ${SEED})`,
    async ({ setup, fault }) => {
      await ensureBuilt()
      const outcome = await runFault(fault, SEED, setup)
      if (outcome.breaches.length > 0) throw failureOf(outcome)
      expect(outcome.events).toBeGreaterThan(0)
    },
    90_000,
  )
})
