import { createHash } from 'node:crypto'

import { describe, expect, test } from '@jest/globals'

import { apiKeyCheck } from '../../src/auth/api-key.js'
import { appKeyCheck, SIGNATURE_MS, type AppCredentials } from '../../src/auth/app-key.js'
import { RollcallError } from '../../src/protocol/errors.js'

const NOW = 1_795_000_000_000

function isLetIn(credentials: Partial<AppCredentials>, { apiKey = 'key', production = false }: { readonly apiKey?: string | null; readonly production?: boolean } = {}): boolean {
  const config = { appId: 'shop', apiKey, production }
  try {
    appKeyCheck(config, apiKeyCheck(config), () => NOW).authorizeApp({ id: 'shop', key: undefined, sign: undefined, ...credentials })
    return true
  } catch (error) {
    if (error instanceof RollcallError && error.code === 'UNAUTHORIZED') return false
    throw error
  }
}

const signed = (at: number | string, key = 'key'): string => `${createHash('md5').update(`${at}${key}`).digest('hex')},${at}`

describe('without an API key', () => {
  test('development is open, but not to callers of another app', () => {
    for (const credentials of [{}, { id: undefined }, { key: 'any' }, { sign: 'any' }]) expect(isLetIn(credentials, { apiKey: null })).toBe(true)
    expect(isLetIn({ id: 'other' }, { apiKey: null })).toBe(false)
  })

  test('production is closed, also to a signature with no key', () => {
    for (const credentials of [{}, { key: '' }, { key: 'null' }, { sign: signed(NOW, '') }, { sign: signed(NOW, 'null') }]) expect(isLetIn(credentials, { apiKey: null, production: true })).toBe(false)
  })
})

test('a key may have a comma, and a name that stands for a master behind it', () => {
  expect(isLetIn({ key: 'a,master' }, { apiKey: 'a,master' })).toBe(true)
  expect(isLetIn({ key: 'a,master,master' }, { apiKey: 'a,master' })).toBe(true)
  expect(isLetIn({ key: 'a' }, { apiKey: 'a,master' })).toBe(false)
  for (const key of [',master', 'master', '']) expect(isLetIn({ key })).toBe(false)
})

test('a signature is good for a quarter of an hour, before and after', () => {
  for (const [at, good] of [[NOW, true], [NOW - SIGNATURE_MS, true], [NOW + SIGNATURE_MS, true], [NOW - SIGNATURE_MS - 1, false], [NOW + SIGNATURE_MS + 1, false], [0, false]] as const) {
    expect([at, isLetIn({ sign: signed(at) })]).toEqual([at, good])
  }
  expect(isLetIn({ sign: signed(NOW / 1_000) })).toBe(true)
  expect(isLetIn({ sign: signed(NOW / 1_000 - 901) })).toBe(false)
})

test.each(['', ',', 'x', `${signed(NOW)},other`, signed(NOW).slice(1), `${signed(NOW)} `, signed('1e99'), signed('-1'), signed('9'.repeat(400))])('%p is no signature', (sign) => {
  expect(isLetIn({ sign })).toBe(false)
})
