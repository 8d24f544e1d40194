import { parseArgs } from 'node:util'

import { BREAKAGES, type Breakage, type Check } from './breakages.js'
import { Workshop, type Ran } from './workshop.js'

const { values } = parseArgs({ options: { only: { type: 'string' }, verbose: { type: 'boolean', default: false } } })
/** `I4`, or `I4:2` for the second of those that break I4. */
const wanted = values.only?.split(',')
const chosen = BREAKAGES.filter((breakage) => {
  const number = BREAKAGES.filter(({ invariant }) => invariant === breakage.invariant).indexOf(breakage) + 1
  return wanted === undefined || wanted.includes(breakage.invariant) || wanted.includes(`${breakage.invariant}:${number}`)
})

interface Row {
  readonly breakage: Breakage
  readonly caught: boolean
  readonly as: string
}

/** What a failure says of the invariant; undefined when it does not name it. */
function evidenceOf({ invariant, check }: Breakage, { failed, output }: Ran): string | undefined {
  if (!failed) return undefined
  const lines = output.split('\n').map((line) => line.trim())
  if (check.by !== 'test') return lines.find((line) => line.replace(/^Error: /, '').startsWith(`${invariant} `))?.replace(/^Error: /, '')
  return lines.find((line) => line.startsWith('●') && line.includes(check.name.trim()))?.replace(/^● /, '')
}

function nameOf(check: Check): string {
  switch (check.by) {
    case 'fault':
      return `\`faults.mjs --only ${check.name} --seed ${check.seed} --runs ${check.runs}\``
    case 'histories':
      return `${check.count} histories of seed ${check.seed}`
    case 'test':
      return `\`${check.file}\``
  }
}

function rowOf({ breakage: { invariant, what, check }, caught, as }: Row): string {
  const text = as.replaceAll('|', '\\|')
  return `| ${invariant} | ${what} | ${nameOf(check)} | ${caught ? '' : '**not caught**: '}${text.length > 160 ? `${text.slice(0, 160)}…` : text} |`
}

const controls = new Map<string, Promise<Ran>>()
const workshop = await Workshop.open(process.cwd())
const rows: Row[] = []
try {
  for (const breakage of chosen) {
    const { check } = breakage
    // What fails without the breakage as well proves nothing.
    const control = controls.get(nameOf(check)) ?? workshop.run(check)
    controls.set(nameOf(check), control)
    const before = evidenceOf(breakage, await control)
    if (values.verbose && (await control).failed) console.error((await control).output)
    const ran = await workshop.withBroken(breakage)
    const found = evidenceOf(breakage, ran)
    if (values.verbose || found === undefined) console.error(ran.output.slice(-20_000))
    const as = before !== undefined ? `it fails unbroken as well: ${before}` : (found ?? (ran.failed ? 'it failed, and did not name the invariant' : 'it passed'))
    const row = { breakage, caught: before === undefined && found !== undefined, as }
    rows.push(row)
    console.error(rowOf(row))
  }
} finally {
  await workshop.close()
}
console.log(['| invariant | what was broken | caught by | as |', '| --- | --- | --- | --- |', ...rows.map(rowOf)].join('\n'))
process.exitCode = rows.every(({ caught }) => caught) ? 0 : 1
