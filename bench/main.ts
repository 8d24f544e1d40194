// The bench: Rollcall and its peers in the same run, in turn, in several rounds. See docs/bench.md.
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

import { Results } from './lib/figures.js'
import { describeMachine } from './lib/machine.js'
import { readOptions, USAGE, type Options } from './options.js'
import { peerNamed } from './peers/index.js'
import type { PeerName } from './peers/types.js'
import { asMarkdown, asText, writeReport, type Report } from './report/index.js'
import { carryOut, inOwnProcess, RUN, type Task } from './run.js'
import type { Scenario } from './scenarios/types.js'

const ENTRY = fileURLToPath(import.meta.url)

async function bench(options: Options): Promise<Report> {
  const skipped = new Map<PeerName, string>()
  const peers = [...new Set(options.scenarios.flatMap((scenario) => scenario.peers))]
  for (const name of peers) {
    const why = options.peers?.includes(name) === false && name !== 'rollcall' ? 'not asked for' : ((await peerNamed(name).unavailable?.()) ?? null)
    if (why !== null) skipped.set(name, why)
  }
  for (const [name, why] of skipped) console.log(`without ${name}: ${why}`)
  if (options.profile !== null) await mkdir(options.profile, { recursive: true })

  const began = new Date()
  const results = new Map<Scenario, Results>(options.scenarios.map((scenario) => [scenario, new Results()]))
  for (let round = 0; round < options.rounds; round++) {
    for (const [scenario, found] of results) {
      const taking = scenario.peers.filter((name) => !skipped.has(name))
      // In each round another one begins.
      for (const name of [...taking.slice(round % taking.length), ...taking.slice(0, round % taking.length)]) {
        await attempt(options, scenario, name, false, (figures) => found.add(name, round, figures))
      }
    }
  }
  for (const [scenario, found] of results) {
    if (scenario.counted !== true) continue
    for (const name of scenario.peers) if (!skipped.has(name)) await attempt(options, scenario, name, true, (figures) => found.addCounted(name, figures))
  }
  return { options, results, skipped, machine: describeMachine(), began, command: `npm run bench${process.argv.length > 2 ? ` -- ${process.argv.slice(2).join(' ')}` : ''}` }
}

/** A run that fails leaves a gap in the figures, and the others go on. */
async function attempt(options: Options, scenario: Scenario, peer: PeerName, counting: boolean, keep: (figures: Readonly<Record<string, number>>) => void): Promise<void> {
  const task: Task = { scenario: scenario.name, peer, scale: options.scale, counting, profileTo: counting || options.profile === null ? null : path.join(options.profile, scenario.name) }
  try {
    const figures = await inOwnProcess(ENTRY, task)
    keep(figures)
    console.log(asText(`${scenario.name} ${peer}${counting ? ', calls counted' : ''}`, figures))
  } catch (error) {
    process.exitCode = 1
    console.error(error instanceof Error ? error.message : error)
  }
}

const [flag, task] = process.argv.slice(2)
if (flag === RUN && task !== undefined) {
  await carryOut(JSON.parse(task) as Task)
  process.exit()
}
try {
  const options = readOptions(process.argv.slice(2))
  const report = await bench(options)
  console.log(`\n${asMarkdown(report)}`)
  if (options.report !== null) await writeReport(options.report, report)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  console.error(USAGE)
  process.exitCode = 2
}
