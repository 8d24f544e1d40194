import { readFile, writeFile } from 'node:fs/promises'

import { asMarkdown } from './markdown.js'
import { picture } from './picture.js'
import { rowsOf, type Report } from './types.js'

export { asMarkdown, asText } from './markdown.js'
export type { Report } from './types.js'

/** Puts the results between the marks of a page, and the picture beside it. */
export async function writeReport(file: string, report: Report): Promise<void> {
  await writeBetween(file, 'bench', asMarkdown(report))
  await writeFile(file.replace(/\.md$/, '.svg'), picture(rowsOf(report)))
}

/** Puts a text between the marks `<!-- NAME:begin -->` and `<!-- NAME:end -->` of a page. Throws when it has none. */
export async function writeBetween(file: string, name: string, text: string): Promise<void> {
  const [beginMark, endMark] = [`<!-- ${name}:begin -->`, `<!-- ${name}:end -->`]
  const page = await readFile(file, 'utf8')
  const [begin, end] = [page.indexOf(beginMark), page.indexOf(endMark)]
  if (begin < 0 || end < begin) throw new Error(`${file} has no ${beginMark} … ${endMark}`)
  await writeFile(file, `${page.slice(0, begin + beginMark.length)}\n${text}\n${page.slice(end)}`)
}
