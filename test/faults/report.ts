import { readFile, writeFile } from 'node:fs/promises'

import { FAULTS } from './faults.js'
import { allPairs } from './pairs.js'
import { BOUND_MS, type Outcome } from './run.js'
import { SETUPS, type SetupName } from './setups.js'

type Marks = readonly [begin: string, end: string]
const FAULT_MARKS: Marks = ['<!-- faults: begin (written by scripts/faults.mjs --report) -->', '<!-- faults: end -->']
const PAIR_MARKS: Marks = ['<!-- pairs: begin (written by scripts/faults.mjs --report) -->', '<!-- pairs: end -->']

const HEADINGS: Readonly<Record<SetupName, string>> = {
  single: '**One Redis:**',
  cluster: '**A Redis Cluster**, three masters with a replica each:',
  sentinel: '**Sentinels**, three of them, with a master and its replica:',
}

/** Writes the tables of a run between the marks of a document, with the command that makes the same run again. */
export async function writeReport(file: string, outcomes: readonly Outcome[], command: string): Promise<void> {
  const day = new Date().toISOString().slice(0, 10)
  const head = `\`${command}\`, ${day}, Node ${process.version}. "Events" are those that were held against the model.`
  const [single, paired] = [outcomes.filter(({ fault }) => !fault.includes('+')), outcomes.filter(({ fault }) => fault.includes('+'))]
  if (single.length > 0) await between(file, FAULT_MARKS, `${head}\n\n${bySetup(single, tableOf)}`)
  if (paired.length > 0) await between(file, PAIR_MARKS, `${head}\n\n${bySetup(paired, pairsOf)}`)
}

/** Puts a text between its marks; marks that are missing come after those of the faults. */
async function between(file: string, [begin, end]: Marks, text: string): Promise<void> {
  const found = await readFile(file, 'utf8')
  const page = found.includes(begin) ? found : found.replace(FAULT_MARKS[1], `${FAULT_MARKS[1]}\n\n${begin}\n${end}`)
  const [before, rest] = page.split(begin)
  const after = rest?.split(end)[1]
  if (before === undefined || after === undefined) throw new Error(`${file} has no marks for the table: ${begin} and ${end}`)
  await writeFile(file, `${before}${begin}\n${text}\n${end}${after}`)
}

function bySetup(outcomes: readonly Outcome[], print: (setup: SetupName, outcomes: readonly Outcome[]) => string): string {
  const there = SETUPS.filter((name) => outcomes.some(({ setup }) => setup === name))
  return there.map((name) => `${HEADINGS[name]}\n\n${print(name, outcomes.filter(({ setup }) => setup === name))}`).join('\n\n')
}

/** One row for all pairs that held, and one for each that did not. */
function pairsOf(setup: SetupName, outcomes: readonly Outcome[]): string {
  const held = outcomes.filter(({ breaches }) => breaches.length === 0)
  const broken = [...new Set(outcomes.filter(({ breaches }) => breaches.length > 0).map(({ fault }) => fault))].sort()
  const rows = [
    ...(held.length > 0 ? [row(`${new Set(held.map(({ fault }) => fault)).size} of ${allPairs(setup).length} pairs`, held)] : []),
    ...broken.map((name) => row(`\`${name}\``, outcomes.filter(({ fault }) => fault === name))),
  ]
  return [
    `| pair, the second begins while the first is on | runs | seeds | events | broken | worst time to agreement (bound ${BOUND_MS[setup] / 1_000} s) |`,
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n')
}

function tableOf(setup: SetupName, outcomes: readonly Outcome[]): string {
  const rows = FAULTS.flatMap(({ name, what }) => {
    const runs = outcomes.filter(({ fault }) => fault === name)
    return runs.length === 0 ? [] : [row(`\`${name}\` | ${what}`, runs)]
  })
  return [
    `| fault | what happens | runs | seeds | events | broken | worst time to agreement (bound ${BOUND_MS[setup] / 1_000} s) |`,
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n')
}

function row(first: string, runs: readonly Outcome[]): string {
  const broken = runs.filter(({ breaches }) => breaches.length > 0)
  const seeds = runs.map(({ seed }) => seed).sort((a, b) => a - b)
  const worst = Math.max(...runs.filter(({ breaches }) => breaches.length === 0).map(({ recoveryMs }) => recoveryMs))
  const kinds = [...new Set(broken.flatMap(({ breaches }) => breaches.map(({ invariant }) => invariant)))].sort()
  const found = broken.length === 0 ? 'none' : `${broken.length} runs: ${kinds.join(', ')} (seeds ${broken.map(({ seed }) => seed).join(', ')})`
  const events = runs.reduce((sum, run) => sum + run.events, 0)
  return `| ${first} | ${runs.length} | ${span(seeds)} | ${events.toLocaleString('en-US')} | ${found} | ${worst > 0 ? `${(worst / 1_000).toFixed(1)} s` : '–'} |`
}

function span(seeds: readonly number[]): string {
  const [first, last] = [seeds[0], seeds.at(-1)]
  return first === last ? String(first) : `${first} to ${last}`
}
