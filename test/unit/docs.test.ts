import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'

import { describe, expect, test } from '@jest/globals'

import { COMMANDS } from '../../src/cli/args.js'
import { loadConfig } from '../../src/config.js'
import { ENVIRONMENT } from '../../src/config/options.js'
import { createHandlers } from '../../src/gateway/handlers/index.js'
import { METRICS } from '../../src/metrics/table.js'
import { ERRORS } from '../../src/protocol/errors.js'
import { DEFAULT_LIMITS } from '../../src/protocol/limits.js'

const ROOT = path.join(import.meta.dirname, '../..')
const DOCS = readdirSync(path.join(ROOT, 'docs')).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)
const PAGES = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...DOCS]

const read = (page: string): string => readFileSync(path.join(ROOT, page), 'utf8')

/** The rows of all tables of a page whose head begins with this word, as cells without their backticks. */
function rows(page: string, head: string): string[][] {
  const found: string[][] = []
  let inTable = false
  for (const line of read(page).split('\n')) {
    if (!line.startsWith('|')) inTable = false
    else {
      const cells = line.split(/(?<!\\)\|/).slice(1, -1).map((cell) => cell.trim())
      if (cells[0] === head) inTable = true
      else if (inTable && !/^-+$/.test(cells[0] ?? '')) found.push(cells.map((cell) => cell.replaceAll('`', '')))
    }
  }
  return found
}

/** Everything in the pages that has this form, with the page that says it. */
function mentions(form: RegExp): { readonly page: string; readonly word: string }[] {
  return PAGES.flatMap((page) => [...read(page).matchAll(form)].map(([word, part]) => ({ page, word: part ?? word })))
}

function unknown(form: RegExp, known: readonly string[]): string[] {
  return mentions(form)
    .filter(({ word }) => !known.includes(word))
    .map(({ page, word }) => `${page}: ${word}`)
}

describe('settings', () => {
  const table = rows('docs/operating.md', 'variable')

  test('docs/operating.md has each variable once, and no other', () => {
    expect(table.map(([name]) => name).sort()).toEqual(Object.values(ENVIRONMENT).sort())
  })

  test('with the default that it has', () => {
    const config: Readonly<Record<string, unknown>> = { ...loadConfig({}) }
    for (const [option, name] of Object.entries(ENVIRONMENT)) {
      const value = config[option]
      const written = table.find(([cell]) => cell === name)?.[1]
      if (['string', 'number', 'boolean'].includes(typeof value) && name !== 'HOST' && option !== 'corsOrigins') {
        // A default may be followed by when it is another.
        expect([name, written?.split(',')[0]]).toEqual([name, String(value)])
      }
    }
  })

  test('no page names a variable that does not exist', () => {
    // What the tests themselves read.
    const others = ['ROLLCALL_TEST_REDIS_SERVER', 'ROLLCALL_HISTORIES', 'ROLLCALL_SEED', 'ROLLCALL_HERD']
    expect(unknown(/\bROLLCALL_[A-Z_]+\b/g, [...Object.values(ENVIRONMENT), ...others])).toEqual([])
  })

  test('docs/operating.md has each limit once, with its default, and no other', () => {
    const limits = rows('docs/operating.md', 'limit').map(([name, value]) => [name, value])
    expect(limits.sort()).toEqual(Object.entries(DEFAULT_LIMITS).map(([name, value]) => [name, String(value)]).sort())
  })

  test('docs/operating.md has each command once, and no other', () => {
    const commands = rows('docs/operating.md', 'command').map(([call]) => call?.split(' ')[0])
    expect(commands.sort()).toEqual(Object.keys(COMMANDS).sort())
  })
})

describe('errors', () => {
  test('docs/errors.md has each once, as it is in the catalogue, and no other', () => {
    const written = rows('docs/errors.md', 'code').map(([code, number, status, retryable]) => [code, number, status, retryable])
    const real = Object.entries(ERRORS).map(([code, { errorCode, status, retryable }]) => [code, String(errorCode), String(status), retryable ? 'yes' : 'no'])
    expect(written.sort()).toEqual(real.sort())
  })

  test('no page names one that does not exist', () => {
    expect(unknown(/\bPRESENCE_[A-Z_]+\b/g, Object.keys(ERRORS))).toEqual([])
    expect(unknown(/"code": ?"([A-Z_]+)"/g, Object.keys(ERRORS))).toEqual([])
    expect(unknown(/(?<![\w.])-\d{5}\b/g, Object.values(ERRORS).map(({ errorCode }) => String(errorCode)))).toEqual([])
  })
})

describe('metrics', () => {
  test('docs/operating.md has each once, with its type and labels, and no other', () => {
    const written = rows('docs/operating.md', 'metric').map(([name, type, labels]) => [name, type, labels])
    const real = Object.values(METRICS).map(({ name, type, labels }) => [name, type, labels.join(', ')])
    expect(written.sort()).toEqual(real.sort())
  })

  test('no page names one that does not exist', () => {
    expect(unknown(/\brollcall_[a-z_]+\b/g, Object.values(METRICS).map(({ name }) => name))).toEqual([])
  })
})

test('docs/protocol.md has a section for each request, and no other', () => {
  const sections = [...read('docs/protocol.md').matchAll(/^### `(\w+)`$/gm)].map(([, name]) => name)
  const handled = Object.keys(createHandlers({} as Parameters<typeof createHandlers>[0], {} as Parameters<typeof createHandlers>[1]))
  // `closing` has no reply, and so is no request to the gateway.
  expect(sections.sort()).toEqual([...handled, 'closing'].sort())
})

/** How many items each model has. */
const ITEMS = { '000': 18, '001': 15, '002': 18, '003': 11 } as const

test('docs/contract.md has each item once, and the tests that it names do name it', () => {
  const items = rows('docs/contract.md', 'item')
  expect(items.map(([item]) => item)).toEqual(Object.entries(ITEMS).flatMap(([model, count]) => Array.from({ length: count }, (_, index) => `${model}.${index + 1}`)))
  for (const [item = '', , shown = ''] of items) {
    // The table of a `test.each` may have lines of its own; a test may be of several items, and a `describe` of one.
    const named = new RegExp(`(?:test|describe|^\\])[^\\n]*'(?:\\d{3}\\.\\d+ )*${item.replace('.', '\\.')}\\b`, 'm')
    for (const file of shown.split(', ')) expect(`${item} in ${file}: ${named.test(read(file)) ? 'named' : 'not named'}`).toBe(`${item} in ${file}: named`)
  }
})

test.each([
  ['README.md', ['examples/sdk.mjs', 'examples/plain.mjs']],
  ['docs/coming-from-leancloud.md', ['examples/leancloud.mjs']],
  ['docs/coming-from-tim.md', ['examples/tim.mjs']],
  ['docs/coming-from-rtm.md', ['examples/rtm.mjs']],
])('%s quotes the examples as they are', (page, examples) => {
  const blocks = [...read(page).matchAll(/^```js\n([\s\S]*?)^```$/gm)].map(([, code]) => code)
  // Beside them there may be a few lines that are no program.
  expect(blocks).toEqual(expect.arrayContaining(examples.map(read)))
})

describe('references', () => {
  test('every link within the repository leads somewhere', () => {
    const broken = PAGES.flatMap((page) =>
      [...read(page).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)].flatMap(([link, file = '', anchor]) => {
        const target = file === '' ? page : path.posix.join(path.posix.dirname(page), file)
        if (!existsSync(path.join(ROOT, target))) return [`${page}: ${link}`]
        return anchor === undefined || anchorsOf(target).includes(anchor) ? [] : [`${page}: ${link}`]
      }),
    )
    expect(broken).toEqual([])
  })

  test('every file that is named is there', () => {
    const named = mentions(/`((?:src|test|docs|scripts|deploy|examples)\/[\w./-]*\w)`/g)
    expect(named.length).toBeGreaterThan(20)
    expect(named.filter(({ word }) => !existsSync(path.join(ROOT, word))).map(({ page, word }) => `${page}: ${word}`)).toEqual([])
    // The architecture leaves out what all of its paths have in front.
    const below = [...read('docs/architecture.md').matchAll(/`([a-z]+\/[\w./-]+\.(?:ts|lua))`/g)].map(([, name]) => name ?? '')
    expect(below.filter((name) => !existsSync(path.join(ROOT, 'src', name)))).toEqual([])
  })
})

/** As GitHub makes them of headings. */
function anchorsOf(page: string): string[] {
  return [...read(page).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  )
}
