import { readFile } from 'node:fs/promises'
import path from 'node:path'

import { expect, test } from '@jest/globals'

import { BREAKAGES } from '../breakage/breakages.js'
import { broken } from '../breakage/workshop.js'

const ROOT = path.resolve(import.meta.dirname, '..', '..')

// That they are caught is shown by scripts/breakage.mjs, which takes too long for here.
test.each(BREAKAGES.map((breakage) => [breakage.invariant, breakage.what, breakage] as const))('%s: what is to be broken is there, once: %s', async (_, __, breakage) => {
  const source = await readFile(path.join(ROOT, breakage.file), 'utf8')
  expect(broken(breakage, source)).not.toBe(source)
})

test('every invariant is broken at least once', () => {
  expect(new Set(BREAKAGES.map(({ invariant }) => invariant))).toEqual(new Set([...Array.from({ length: 12 }, (_, index) => `I${index + 1}`), 'M1', 'M2', 'M3', 'M4', 'M5', 'R1', 'R2', 'R3', 'R4', 'B1', 'V1', 'V2']))
})
