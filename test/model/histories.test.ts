import { readFile } from 'node:fs/promises'

import { beforeAll, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'

import { useFileScope } from '../support/scope.js'
import { checkLifetimes, print } from './checker.js'
import { failure, openStage, runHistory, type Stage } from './history.js'
import { plans, type Plan } from './plan.js'

/**
 * `ROLLCALL_HISTORIES` runs as many histories (short: 24), `ROLLCALL_SEED` the same ones again. A failure prints the
 * seed and the steps.
 */
const COUNT = Number(process.env.ROLLCALL_HISTORIES ?? 24)
const SEED = Number(process.env.ROLLCALL_SEED ?? Math.floor(Math.random() * 2 ** 31))
/** Histories that run side by side: what each waits for is time. */
const AT_ONCE = 6
const EACH_MS = 60_000

const scope = useFileScope()
let stage: Stage
beforeAll(async () => {
  stage = await openStage(scope)
})

describe('random histories: everybody agrees in the end, and was told nothing wrong on the way', () => {
  test(
    `${COUNT} histories of seed ${SEED}`,
    async () => {
      const list = fc.sample(plans, { seed: SEED, numRuns: COUNT })
      let events = 0
      for (let from = 0; from < list.length; from += AT_ONCE) {
        events += await sideBySide(
          list.slice(from, from + AT_ONCE).map((plan, index) => ({ plan, name: `h${from + index}`, of: `${SEED}, history ${from + index}` })),
        )
      }
      expect(events).toBeGreaterThan(COUNT)
    },
    EACH_MS * Math.ceil(COUNT / AT_ONCE) + 10_000,
  )
})

test('histories that failed once', async () => {
  const kept = JSON.parse(await readFile(new URL('./regressions.json', import.meta.url), 'utf8')) as readonly { readonly why: string; readonly plan: Plan }[]
  expect(await sideBySide(kept.map(({ why, plan }, index) => ({ plan, name: `kept-${index}`, of: `kept: ${why}` })))).toBeGreaterThan(0)
}, 2 * EACH_MS)

test('I10: nothing that they left behind would stay for ever', async () => {
  expect(print(checkLifetimes(await stage.redis.keysThatStay()))).toBe('')
})

/** Runs histories to their end, all of them, and fails with all that was found. Answers how many events were looked at. */
async function sideBySide(histories: readonly { readonly plan: Plan; readonly name: string; readonly of: string }[]): Promise<number> {
  const verdicts = await Promise.all(histories.map(({ plan, name }) => runHistory(stage, plan, name)))
  const failures = histories.flatMap(({ plan, of }, index) => {
    const { breaches } = verdicts[index] ?? { breaches: [] }
    return breaches.length > 0 ? [failure(plan, breaches, of).message] : []
  })
  if (failures.length > 0) throw new Error(failures.join('\n\n'))
  return verdicts.reduce((sum, { events }) => sum + events, 0)
}
