import { describe, expect, test } from '@jest/globals'
import { Credentials } from '../../src/client/credentials.js'
import { checkOptions } from '../../src/client/options.js'
import { StateCache } from '../../src/client/state-cache.js'
import { DEFAULT_LIMITS } from '../../src/protocol/limits.js'

describe('options', () => {
  test('outside a page, the node is on this machine', () => {
    expect(checkOptions({}).addresses).toEqual([{ origin: 'http://127.0.0.1:3000', path: '/socket.io' }])
  })

  test('addresses are one or several, and may have a path', () => {
    expect(checkOptions({ url: ['http://a:1', 'https://b/rollcall/'] }).addresses).toEqual([
      { origin: 'http://a:1', path: '/socket.io' },
      { origin: 'https://b', path: '/rollcall/socket.io' },
    ])
  })

  test.each([
    { url: [] },
    { url: '' },
    { url: 'localhost:3000' },
    { url: 'ftp://a' },
    { url: [1] },
    { presenceTimeout: 999 },
    { presenceTimeout: 300_001 },
    { presenceTimeout: 1_000.5 },
    { presenceTimeout: '5000' },
    { getToken: 'token' },
    { transports: [] },
    { transports: ['carrier pigeon'] },
    { transports: 'websocket' },
    null,
    ['http://a:1'],
  ])('%j is refused', (options) => {
    expect(() => checkOptions(options as never)).toThrow(expect.objectContaining({ code: 'PRESENCE_INVALID_ARGUMENT', operation: 'create' }))
  })
})

describe('credentials', () => {
  const credentials = (options: object) => new Credentials('dev', 'me', checkOptions(options))

  test('hold what was given and nothing else', async () => {
    expect(await credentials({}).auth({}, 100)).toEqual({ appId: 'dev', userId: 'me' })
    const all = credentials({ presenceTimeout: 2_000, token: 'a' })
    all.begin({ tag: 'phone' })
    expect(await all.auth({ sessionId: 'session', attach: 2 }, 100)).toEqual({ appId: 'dev', userId: 'me', token: 'a', presenceTimeout: 2_000, sessionId: 'session', attach: 2, tag: 'phone' })
  })

  test('getToken is asked for every attempt, but for the first of a login that brought a token', async () => {
    let asked = 0
    const own = credentials({ getToken: () => Promise.resolve(`got ${++asked}`) })
    own.begin({ token: 'brought' })
    expect((await own.auth({}, 100)).token).toBe('brought')
    expect((await own.auth({}, 100)).token).toBe('got 1')
    expect((await own.auth({}, 100)).token).toBe('got 2')
  })

  test('a getToken that hangs or gives nothing is an error', async () => {
    await expect(credentials({ getToken: () => new Promise(() => undefined) }).auth({}, 5)).rejects.toMatchObject({ code: 'PRESENCE_OPERATION_TIMEOUT' })
    await expect(credentials({ getToken: () => Promise.resolve('') }).auth({}, 5)).rejects.toMatchObject({ code: 'INVALID_TOKEN' })
  })
})

describe('states that are cached before joining', () => {
  const channel = (channelName: string) => ({ channelName, channelType: 'MESSAGE' }) as const

  test('merge, and go key by key or all at once', () => {
    const cache = new StateCache()
    cache.set(channel('a'), { a: '1', b: '1' }, DEFAULT_LIMITS)
    cache.set(channel('a'), { b: '2' }, DEFAULT_LIMITS)
    expect(cache.get(channel('a'))).toEqual({ a: '1', b: '2' })
    cache.remove(channel('a'), ['a'])
    expect(cache.get(channel('a'))).toEqual({ b: '2' })
    cache.remove(channel('a'), [])
    expect(cache.get(channel('a'))).toBeUndefined()
  })

  test('are cached for 100 channels, a type each', () => {
    const cache = new StateCache()
    for (let i = 0; i < 99; i++) cache.set(channel(`c${i}`), { a: '1' }, DEFAULT_LIMITS)
    cache.set({ channelName: 'c0', channelType: 'STREAM' }, { a: '1' }, DEFAULT_LIMITS)
    expect(() => cache.set(channel('more'), { a: '1' }, DEFAULT_LIMITS)).toThrow(expect.objectContaining({ errorCode: -13004 }))
    cache.set(channel('c0'), { b: '1' }, DEFAULT_LIMITS)
    cache.remove(channel('c1'), [])
    cache.set(channel('more'), { a: '1' }, DEFAULT_LIMITS)
  })

  test('have at most 32 keys a channel', () => {
    const cache = new StateCache()
    cache.set(channel('a'), Object.fromEntries(Array.from({ length: 32 }, (_, i) => [`k${i}`, 'v'])), DEFAULT_LIMITS)
    expect(() => cache.set(channel('a'), { more: 'v' }, DEFAULT_LIMITS)).toThrow(expect.objectContaining({ errorCode: -13005 }))
    expect(Object.keys(cache.get(channel('a')) ?? {})).toHaveLength(32)
  })
})
