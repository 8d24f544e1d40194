import { describe, expect, test } from '@jest/globals'
import { SignJWT, type JWTPayload } from 'jose'

import { createAuth, type ChannelRule } from '../../src/auth/index.js'
import { RollcallError, type ErrorCode } from '../../src/protocol/errors.js'

const SECRET = 'a secret of thirty-two bytes or more'
const BASE = { appId: 'shop', secret: SECRET, apiKey: null, production: false }
const auth = createAuth(BASE)
const now = (): number => Math.floor(Date.now() / 1000)

function token(claims: JWTPayload, { alg = 'HS256', secret = SECRET } = {}): Promise<string> {
  const payload = { sub: 'ana', app: 'shop', exp: now() + 60, ...claims }
  return new SignJWT(payload).setProtectedHeader({ alg }).sign(new TextEncoder().encode(secret.padEnd(64, '\0').slice(0, alg === 'HS256' ? secret.length : 64)))
}

async function codeOf(promise: Promise<unknown>): Promise<ErrorCode | 'none'> {
  try {
    await promise
    return 'none'
  } catch (error) {
    if (error instanceof RollcallError) return error.code
    throw error
  }
}

const verify = async (given: unknown, atLogin = true): Promise<ErrorCode | 'none'> => codeOf(auth.verify(given, { userId: 'ana' }, atLogin))

describe('tokens', () => {
  test('one that was signed here is accepted, and says when it ends', async () => {
    const before = now()
    const grant = await auth.verify(await auth.sign('ana', { ttlSeconds: 60 }), { userId: 'ana' }, true)
    expect(grant.expiresAt).toBeGreaterThanOrEqual((before + 60) * 1000)
    expect(grant.expiresAt).toBeLessThanOrEqual((now() + 60) * 1000)
    expect(grant.can('join', { channelName: 'any', channelType: 'STREAM' })).toBe(true)
  })

  test.each([undefined, null, '', 7, {}, [], 'x', 'a.b.c', '..', 'e30.e30.', 'x'.repeat(20_000)])('%p is no token', async (given) => {
    expect(await verify(given)).toBe('INVALID_TOKEN')
  })

  test('another algorithm, "none" above all, is refused', async () => {
    const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
    const unsigned = `${encode({ alg: 'none' })}.${encode({ sub: 'ana', app: 'shop', exp: now() + 60 })}.`
    expect(await verify(unsigned)).toBe('INVALID_TOKEN')
    expect(await verify(await token({}, { alg: 'HS512' }))).toBe('INVALID_TOKEN')
  })

  test('another secret, a changed payload', async () => {
    expect(await verify(await token({}, { secret: 'b secret of thirty-two bytes or more' }))).toBe('INVALID_TOKEN')
    const [header, , signature] = (await token({})).split('.')
    const changed = Buffer.from(JSON.stringify({ sub: 'ana', app: 'shop', exp: now() + 6000 })).toString('base64url')
    expect(await verify([header, changed, signature].join('.'))).toBe('INVALID_TOKEN')
  })

  test('sub, app and exp have to be there and to match', async () => {
    expect(await verify(await token({}))).toBe('none')
    expect(await verify(await token({ sub: 'bob' }))).toBe('INVALID_TOKEN')
    expect(await verify(await token({ app: 'other' }))).toBe('INVALID_TOKEN')
    for (const claim of ['sub', 'app', 'exp']) expect(await verify(await token({ [claim]: undefined }))).toBe('INVALID_TOKEN')
    expect(await verify(await token({ exp: 1e300 }))).toBe('INVALID_TOKEN')
    expect(await verify(await token({ exp: '9999999999' as unknown as number }))).toBe('INVALID_TOKEN')
    expect(await verify(await token({ nbf: now() + 60 }))).toBe('INVALID_TOKEN')
  })

  test('five seconds of grace at login, none later', async () => {
    expect(await verify(await token({ exp: now() - 3 }), true)).toBe('none')
    expect(await verify(await token({ exp: now() - 3 }), false)).toBe('TOKEN_EXPIRED')
    expect(await verify(await token({ exp: now() - 7 }), true)).toBe('TOKEN_EXPIRED')
  })

  test('in development mode nobody needs a token, whatever it says', async () => {
    const open = createAuth({ ...BASE, secret: null })
    expect(open.required).toBe(false)
    for (const given of [undefined, 'nonsense', 7]) {
      const grant = await open.verify(given, { userId: 'ana' }, true)
      expect(grant.expiresAt).toBeNull()
      expect(grant.can('state', { channelName: 'any', channelType: 'MESSAGE' })).toBe(true)
    }
    await expect(open.sign('ana', { ttlSeconds: 60 })).rejects.toThrow(/no secret/)
  })
})

describe('channels', () => {
  const granted = async (channels: readonly ChannelRule[]) => auth.verify(await auth.sign('ana', { ttlSeconds: 60, channels }), { userId: 'ana' }, true)

  test('rules add up; what none allows is not allowed', async () => {
    const grant = await granted([
      { type: 'MESSAGE', name: 'lobby', can: ['watch'] },
      { type: 'MESSAGE', prefix: 'room-', can: ['join', 'watch'] },
      { type: 'STREAM', prefix: '', can: ['state'] },
      { type: 'MESSAGE', name: 'lobby', can: ['join'] },
    ])
    const can = (action: 'join' | 'watch' | 'state', channelName: string, channelType: 'MESSAGE' | 'STREAM' = 'MESSAGE') => grant.can(action, { channelName, channelType })
    expect([can('watch', 'lobby'), can('join', 'lobby'), can('state', 'lobby')]).toEqual([true, true, false])
    expect([can('join', 'room-1'), can('join', 'room'), can('join', 'Room-1')]).toEqual([true, false, false])
    expect([can('join', 'lobby', 'STREAM'), can('state', 'anything', 'STREAM')]).toEqual([false, true])
  })

  test('an empty list allows nothing', async () => {
    expect((await granted([])).can('watch', { channelName: 'a', channelType: 'MESSAGE' })).toBe(false)
  })

  test.each([
    null,
    {},
    'all',
    [null],
    [{ type: 'MESSAGE', can: ['join'] }],
    [{ type: 'MESSAGE', name: 'a', prefix: 'b', can: ['join'] }],
    [{ type: 'USER', name: 'a', can: ['join'] }],
    [{ type: 'MESSAGE', name: 7, can: ['join'] }],
    [{ type: 'MESSAGE', name: 'a', can: 'join' }],
    [{ type: 'MESSAGE', name: 'a', can: ['everything'] }],
    [{ type: 'MESSAGE', name: 'a', can: ['join'], cannot: ['watch'] }],
  ])('%j is refused whole', async (channels) => {
    expect(await verify(await token({ channels }))).toBe('INVALID_TOKEN')
    await expect(auth.sign('ana', { ttlSeconds: 1, channels: channels as unknown as ChannelRule[] })).rejects.toThrow(/channels/)
  })
})

describe('the API key', () => {
  const allows = (config: { apiKey: string | null; production: boolean }, header: string | undefined): boolean => {
    try {
      createAuth({ ...BASE, ...config }).authorize(header)
      return true
    } catch (error) {
      expect(error).toMatchObject({ code: 'UNAUTHORIZED' })
      return false
    }
  }

  test('binds everywhere once it is set', () => {
    for (const production of [false, true]) {
      const config = { apiKey: 'k-1', production }
      expect(allows(config, 'Bearer k-1')).toBe(true)
      expect(allows(config, 'bearer k-1')).toBe(true)
      for (const header of [undefined, '', 'k-1', 'Basic k-1', 'Bearer', 'Bearer k-2', 'Bearer k-1 k-1', 'Bearer k-10']) {
        expect(allows(config, header)).toBe(false)
      }
    }
  })

  test('without one the API is open in development and closed in production', () => {
    expect(allows({ apiKey: null, production: false }, undefined)).toBe(true)
    expect(allows({ apiKey: null, production: true }, undefined)).toBe(false)
    expect(allows({ apiKey: null, production: true }, 'Bearer anything')).toBe(false)
  })

  test('where none is set, nothing is the key', () => {
    expect(createAuth(BASE).isApiKey('')).toBe(false)
    expect(createAuth(BASE).isApiKey(undefined)).toBe(false)
    expect(createAuth({ ...BASE, apiKey: 'k-1' }).isApiKey('k-1')).toBe(true)
  })
})
