import { describe, expect, test } from '@jest/globals'

import { ensureBuilt } from '../support/spawned.js'
import { FAULTS } from './faults.js'
import { failureOf, runFault } from './run.js'

/** A choice of faults; `node scripts/faults.mjs` runs all of them, as often as one likes (`docs/reliability.md`). */
const CHOSEN = ['node-killed', 'script-flush', 'replies-lost', 'subscriber-half-open', 'flapping-clients']
const SEED = Number(process.env.ROLLCALL_SEED ?? 31)

describe('a crowd on three nodes, and something that goes wrong: nobody is told anything false, and all agree within the bound', () => {
  test.each(FAULTS.filter(({ name }) => CHOSEN.includes(name)))(
    `$name: $what (seed ${SEED})`,
    async (fault) => {
      await ensureBuilt()
      const outcome = await runFault(fault, SEED)
      if (outcome.breaches.length > 0) throw failureOf(outcome)
      expect(outcome.events).toBeGreaterThan(0)
    },
    90_000,
  )
})
