import { parseArgs } from 'node:util'

import { print } from '../model/checker.js'
import { FAULTS } from './faults.js'
import { writeReport } from './report.js'
import { runFault, type Outcome } from './run.js'

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '1' }, only: { type: 'string' }, seed: { type: 'string', default: '1' }, report: { type: 'string' }, jobs: { type: 'string', default: '1' }, minutes: { type: 'string', default: '600' } },
})
const chosen = FAULTS.filter(({ name, open }) => (values.only === undefined ? open === undefined : values.only.split(',').includes(name)))
const outcomes: Outcome[] = []
/** Nothing new is begun after this; what was run is reported. */
const deadline = Date.now() + Number(values.minutes) * 60_000
const tasks = Array.from({ length: Number(values.runs) }, (_, run) => chosen.map((fault) => ({ fault, seed: Number(values.seed) + run }))).flat()

async function work(): Promise<void> {
  for (let task = tasks.shift(); task !== undefined && Date.now() < deadline; task = tasks.shift()) {
    const { fault, seed } = task
    const outcome = await runFault(fault, seed).catch((error: unknown): Outcome => ({ fault: fault.name, seed, events: 0, recoveryMs: 0, breaches: [{ invariant: 'I1', where: 'the harness', what: String(error) }] }))
    outcomes.push(outcome)
    console.log(`${outcome.breaches.length === 0 ? 'ok    ' : 'BROKEN'} ${fault.name} seed ${seed}: ${outcome.events} events, agreed after ${outcome.recoveryMs} ms`)
    if (outcome.breaches.length > 0) console.log(print(outcome.breaches))
  }
}
await Promise.all(Array.from({ length: Number(values.jobs) }, work))
if (values.report !== undefined) await writeReport(values.report, outcomes, `node scripts/faults.mjs ${process.argv.slice(2).join(' ')}`)
process.exitCode = outcomes.some(({ breaches }) => breaches.length > 0) ? 1 : 0
