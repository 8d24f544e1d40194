import type { Bound, Row } from '../lib/figures.js'
import { shown } from './text.js'

const WIDTH = 1_100
const LABELS = 680
const RIGHT = 70
const LINE = 26
const TOP = 46
/** The axis goes from a tenth of the target to ten times the target. */
const DECADES = 1

const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .small { font-size: 11px; fill: #59636e; }
  .met { fill: #2da44e; } .missed { fill: #cf222e; } .aim { stroke: #0969da; stroke-width: 2; }
  .axis { stroke: #59636e; stroke-width: 1; } .grid { stroke: #d1d9e0; stroke-width: 1; stroke-dasharray: 2 3; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } .small { fill: #9198a1; } .met { fill: #3fb950; } .missed { fill: #f85149; }
    .aim { stroke: #58a6ff; } .axis { stroke: #9198a1; } .grid { stroke: #3d444d; }
  }`

/** Each target as a bar: how far the median is above (better) or below the bound that must be reached, on a log scale. */
export function picture(rows: readonly Row[]): string {
  const drawn = rows.flatMap((row) => (row.must === null || row.spread === null ? [] : [{ ...row, must: row.must, spread: row.spread }]))
  const height = TOP + drawn.length * LINE + 30
  const x = (goodness: number): number => {
    const decades = Math.max(-DECADES, Math.min(DECADES, Math.log10(goodness)))
    return LABELS + ((decades + DECADES) / (2 * DECADES)) * (WIDTH - LABELS - RIGHT)
  }
  const parts = drawn.map(({ target, what, unit, spread, must, aim }, index) => {
    const y = TOP + index * LINE
    const goodness = goodnessOf(must, spread.median)
    const [from, to] = [Math.min(x(1), x(goodness)), Math.max(x(1), x(goodness))]
    const [least, most] = [x(goodnessOf(must, spread.min)), x(goodnessOf(must, spread.max))].sort((a, b) => a - b)
    const aimAt = aim === null ? '' : `<line class="aim" x1="${px(x(goodnessOf(must, aim.value)))}" x2="${px(x(goodnessOf(must, aim.value)))}" y1="${y + 2}" y2="${y + 18}"/>`
    return [
      `<text x="${LABELS - 10}" y="${y + 14}" text-anchor="end">${escaped(`${target}  ${what}`)}</text>`,
      `<rect class="${goodness >= 1 ? 'met' : 'missed'}" x="${px(from)}" y="${y + 3}" width="${px(Math.max(2, to - from))}" height="14" rx="2"/>`,
      `<line class="axis" x1="${px(least ?? from)}" x2="${px(most ?? to)}" y1="${y + 10}" y2="${y + 10}"/>`,
      aimAt,
      `<text class="small" x="${px(Math.max(to, most ?? to) + 6)}" y="${y + 14}">${escaped(`${shown(spread.median)}${unit === '×' ? '×' : unit === '' ? '' : ` ${unit}`}`)}</text>`,
    ].join('')
  })
  const grid = [0.1, 0.5, 2, 5, 10].map((at) => `<line class="grid" x1="${px(x(at))}" x2="${px(x(at))}" y1="${TOP - 6}" y2="${height - 24}"/>`)
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="Each target of the bench: the measured median against the bound">
<style>${STYLE}
</style>
<text x="${LABELS}" y="16" class="small">worse</text><text x="${px(x(1))}" y="16" text-anchor="middle">must reach</text><text x="${WIDTH - RIGHT}" y="16" text-anchor="end" class="small">10 times better</text>
<text x="${px(x(1))}" y="32" text-anchor="middle" class="small">blue line: aim for · thin line: least to greatest of the rounds</text>
${grid.join('')}
${parts.join('\n')}
<line class="axis" x1="${px(x(1))}" x2="${px(x(1))}" y1="${TOP - 6}" y2="${height - 24}"/>
</svg>
`
}

/** Above 1: better than the bound. */
function goodnessOf({ kind, value }: Bound, measured: number): number {
  if (value === 0) return measured === 0 ? 1 : 0
  if (kind === 'at least') return measured / value
  return measured === 0 ? Infinity : value / measured
}

function px(value: number): string {
  return value.toFixed(1)
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
