import { isMet, type Bound, type Results, type Row, type Spread } from '../lib/figures.js'
import type { Scenario } from '../scenarios/types.js'
import { shown } from './text.js'
import { rowsOf, type Report } from './types.js'

export function asMarkdown(report: Report): string {
  const { options, machine, began, command, skipped, results } = report
  const lines = [
    `\`${command}\` · ${began.toISOString().slice(0, 10)} · ${machine}`,
    '',
    `${options.rounds} ${options.rounds === 1 ? 'round' : 'rounds'}; each number is the median, with the least and the greatest. Ratios are taken within a round.`,
  ]
  if (options.scale !== 1) lines.push('', `**A trial at ${options.scale} of the full size: no measurement.**`)
  for (const [name, why] of skipped) lines.push('', `Without ${name}: ${why}.`)
  lines.push('', '| # | what | measured | must | aim |', '| --- | --- | --- | --- | --- |', ...rowsOf(report).map(line))
  for (const [scenario, found] of results) lines.push('', ...sideTable(scenario, found))
  return lines.join('\n')
}

/** One run's figures on a line of the terminal. */
export function asText(what: string, figures: Readonly<Record<string, number>>): string {
  return `${what}: ${Object.entries(figures).map(([name, value]) => `${name} ${shown(value)}`).join(', ')}`
}

function line({ target, what, unit, spread, must, aim }: Row): string {
  return `| ${target} | ${what} | ${spread === null ? 'not measured' : spreadText(spread, unit)} | ${verdict(must, spread, unit)} | ${verdict(aim, spread, unit)} |`
}

function spreadText({ median, min, max }: Spread, unit: string): string {
  const suffix = unit === '×' ? '×' : unit === '' ? '' : ` ${unit}`
  const range = min === max ? '' : ` (${shown(min)} to ${shown(max)})`
  return `**${shown(median)}${suffix}**${range}`
}

function verdict(bound: Bound | null, spread: Spread | null, unit: string): string {
  if (bound === null) return ''
  const sign = bound.kind === 'at least' ? '≥' : '≤'
  const text = `${sign} ${shown(bound.value)}${unit === '×' ? '×' : unit === '' ? '' : ` ${unit}`}`
  if (spread === null) return text
  return `${text} ${isMet(bound, spread.median) ? '✓ met' : '✗ not met'}`
}

/** Absolute numbers: side information, for they are this machine's. */
function sideTable({ name, about }: Scenario, results: Results): string[] {
  const { peers } = results
  const figures = [...new Set(peers.flatMap((peer) => results.figuresOf(peer)))]
  const cell = (spread: Spread | null): string => (spread === null ? '' : shown(spread.median))
  return [
    `### ${name}`,
    '',
    about,
    '',
    `| median | ${peers.join(' | ')} |`,
    `| --- |${' ---: |'.repeat(peers.length)}`,
    ...figures.map((figure) => `| ${figure} | ${peers.map((peer) => cell(results.of(peer, figure))).join(' | ')} |`),
  ]
}
