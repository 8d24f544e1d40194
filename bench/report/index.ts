import { readFile, writeFile } from 'node:fs/promises'

import { asMarkdown } from './markdown.js'
import { picture } from './picture.js'
import { rowsOf, type Report } from './types.js'

export { asMarkdown, asText } from './markdown.js'
export type { Report } from './types.js'

const BEGIN = '<!-- bench:begin -->'
const END = '<!-- bench:end -->'

/** Puts the results between the marks of a page, and the picture beside it. */
export async function writeReport(file: string, report: Report): Promise<void> {
  const page = await readFile(file, 'utf8')
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)]
  if (begin < 0 || end < begin) throw new Error(`${file} has no ${BEGIN} … ${END}`)
  await writeFile(file, `${page.slice(0, begin + BEGIN.length)}\n${asMarkdown(report)}\n${page.slice(end)}`)
  await writeFile(file.replace(/\.md$/, '.svg'), picture(rowsOf(report)))
}
