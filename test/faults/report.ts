import { readFile, writeFile } from 'node:fs/promises'

import { FAULTS } from './faults.js'
import { BOUND_MS, type Outcome } from './run.js'
import { SETUPS, type SetupName } from './setups.js'

const BEGIN = '<!-- faults: begin (written by scripts/faults.mjs --report) -->'
const END = '<!-- faults: end -->'

const HEADINGS: Readonly<Record<SetupName, string>> = {
  single: '**One Redis:**',
  cluster: '**A Redis Cluster**, three masters with a replica each:',
  sentinel: '**Sentinels**, three of them, with a master and its replica:',
}

/** Writes the tables of a run between the marks of a document, with the command that makes the same run again. */
export async function writeReport(file: string, outcomes: readonly Outcome[], command: string): Promise<void> {
  const text = await readFile(file, 'utf8')
  const [before, rest] = text.split(BEGIN)
  const after = rest?.split(END)[1]
  if (before === undefined || after === undefined) throw new Error(`${file} has no marks for the table: ${BEGIN} and ${END}`)
  const day = new Date().toISOString().slice(0, 10)
  const head = `\`${command}\`, ${day}, Node ${process.version}. "Events" are those that were held against the model.`
  const tables = SETUPS.filter((name) => outcomes.some(({ setup }) => setup === name)).map((name) => `${HEADINGS[name]}\n\n${tableOf(name, outcomes.filter(({ setup }) => setup === name))}`)
  await writeFile(file, `${before}${BEGIN}\n${head}\n\n${tables.join('\n\n')}\n${END}${after}`)
}

function tableOf(setup: SetupName, outcomes: readonly Outcome[]): string {
  const rows = FAULTS.flatMap(({ name, what }) => {
    const runs = outcomes.filter(({ fault }) => fault === name)
    if (runs.length === 0) return []
    const broken = runs.filter(({ breaches }) => breaches.length > 0)
    const seeds = runs.map(({ seed }) => seed).sort((a, b) => a - b)
    const worst = Math.max(...runs.filter(({ breaches }) => breaches.length === 0).map(({ recoveryMs }) => recoveryMs))
    const kinds = [...new Set(broken.flatMap(({ breaches }) => breaches.map(({ invariant }) => invariant)))].sort()
    const found = broken.length === 0 ? 'none' : `${broken.length} runs: ${kinds.join(', ')} (seeds ${broken.map(({ seed }) => seed).join(', ')})`
    const events = runs.reduce((sum, run) => sum + run.events, 0)
    return [`| \`${name}\` | ${what} | ${runs.length} | ${span(seeds)} | ${events.toLocaleString('en-US')} | ${found} | ${worst > 0 ? `${(worst / 1_000).toFixed(1)} s` : '–'} |`]
  })
  return [
    `| fault | what happens | runs | seeds | events | broken | worst time to agreement (bound ${BOUND_MS[setup] / 1_000} s) |`,
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n')
}

function span(seeds: readonly number[]): string {
  const [first, last] = [seeds[0], seeds.at(-1)]
  return first === last ? String(first) : `${first} to ${last}`
}
