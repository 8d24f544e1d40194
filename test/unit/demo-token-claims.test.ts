import { expect, test } from '@jest/globals'

import { readToken } from '../../src/demo/token-claims.js'

const tokenOf = (claims: unknown): string => `x.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.y`

test('the demo page reads whom a token names, also beyond ASCII', () => {
  expect(readToken(tokenOf({ sub: 'Zoë 频道 👩‍👩‍👧', app: 'shop' }))).toEqual({ userId: 'Zoë 频道 👩‍👩‍👧', appId: 'shop' })
  expect(readToken(tokenOf({ sub: 'ana' }))).toEqual({ userId: 'ana', appId: null })
})

test.each(['', 'nonsense', 'a.b.c', 'a..c', tokenOf(null), tokenOf([]), tokenOf({ app: 'shop' }), tokenOf({ sub: 7 })])('%p is no token', (text) => {
  expect(readToken(text)).toBeNull()
})
