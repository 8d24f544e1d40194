import { parseArgs } from 'node:util'

import { print } from '../model/checker.js'
import { FAULTS } from './faults.js'
import { Journal } from './journal.js'
import { drawPairs, named } from './pairs.js'
import { writeReport } from './report.js'
import { runFault, type Outcome } from './run.js'
import { SETUPS } from './setups.js'

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '1' }, only: { type: 'string' }, seed: { type: 'string', default: '1' }, report: { type: 'string' }, jobs: { type: 'string', default: '1' }, minutes: { type: 'string', default: '600' }, redis: { type: 'string', default: 'single' }, pairs: { type: 'string' }, journal: { type: 'string' } },
})
const [seed, runs] = [Number(values.seed), Number(values.runs)]
/** Of those that are named, all; of faults, those that are not known to break something; of pairs, as many as are asked for. */
const chosen = values.only?.split(',').map(named) ?? (values.pairs === undefined ? FAULTS.filter(({ open }) => open === undefined) : [])
const journal = await Journal.open(values.journal)
/** Nothing new is begun after this; what was run is reported. */
const deadline = Date.now() + Number(values.minutes) * 60_000
const tasks = SETUPS.filter((name) => values.redis.split(',').includes(name)).flatMap((setup) => [
  ...Array.from({ length: runs }, (_, run) => chosen.filter(({ on = SETUPS }) => on.includes(setup)).map((fault) => ({ setup, fault, seed: seed + run }))).flat(),
  ...drawPairs(Number(values.pairs ?? 0), seed, setup).map((fault, index) => ({ setup, fault, seed: seed + index })),
])

async function work(): Promise<void> {
  for (let task = tasks.shift(); task !== undefined && Date.now() < deadline; task = tasks.shift()) {
    const { setup, fault, seed } = task
    if (journal.has({ setup, fault: fault.name, seed })) continue
    const missing = fault.missing?.()
    if (missing !== undefined) {
      console.log(`skipped ${fault.name}: ${missing}`)
      continue
    }
    const outcome = await runFault(fault, seed, setup).catch((error: unknown): Outcome => ({ setup, fault: fault.name, seed, events: 0, recoveryMs: 0, breaches: [{ invariant: 'I1', where: 'the harness', what: String(error) }] }))
    await journal.add(outcome)
    console.log(`${outcome.breaches.length === 0 ? 'ok    ' : 'BROKEN'} ${fault.name} on ${setup}, seed ${seed}: ${outcome.events} events, agreed after ${outcome.recoveryMs} ms${(outcome.notes ?? []).map((note) => `; ${note}`).join('')}`)
    if (outcome.breaches.length > 0) console.log(print(outcome.breaches))
  }
}
await Promise.all(Array.from({ length: Number(values.jobs) }, work))
if (values.report !== undefined) await writeReport(values.report, journal.outcomes, `node scripts/faults.mjs ${process.argv.slice(2).join(' ')}`)
process.exitCode = journal.outcomes.some(({ breaches }) => breaches.length > 0) ? 1 : 0
