import { describe, expect, test } from '@jest/globals'

import { ConfigError, ENVIRONMENT, loadConfig, resolveConfig, toOptions, type NodeOptions } from '../../src/config.js'
import { DEFAULT_LIMITS } from '../../src/protocol/limits.js'

const SECRET = 'a secret of thirty-two bytes or more'

function problemsOf(run: () => unknown): readonly string[] {
  try {
    run()
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

describe('loadConfig', () => {
  test('an empty environment gives the documented defaults, frozen', () => {
    const config = loadConfig({})
    expect(config).toMatchObject({
      port: 3000,
      host: '127.0.0.1',
      production: false,
      development: true,
      redisUrl: 'redis://127.0.0.1:6379',
      redisCluster: null,
      redisSentinels: null,
      redisMasterName: null,
      appId: 'dev',
      secret: null,
      apiKey: null,
      presenceTimeoutMs: 30_000,
      heartbeatMs: 5_000,
      heartbeatTtlMs: 15_000,
      pingIntervalMs: 10_000,
      pingTimeoutMs: 5_000,
      transports: ['polling', 'websocket'],
      announceMax: 1_000,
      intervalMs: 2_000,
      flushMs: 20,
      login: 'multi',
      partitions: 16,
      limits: DEFAULT_LIMITS,
      corsOrigins: '*',
      trustProxy: false,
      logLevel: 'info',
      drainMs: 20_000,
    })
    expect(Object.isFrozen(config)).toBe(true)
    expect(Object.isFrozen(config.limits)).toBe(true)
    expect(Object.isFrozen(config.transports)).toBe(true)
  })

  test('values are read from text', () => {
    const config = loadConfig({
      PORT: '0',
      HOST: '::1',
      REDIS_URL: 'rediss://user:pass@redis.example:6380/2',
      REDIS_TLS: 'true',
      ROLLCALL_APP_ID: 'shop_1',
      ROLLCALL_SECRET: SECRET,
      ROLLCALL_TRANSPORTS: 'websocket',
      ROLLCALL_HEARTBEAT_MS: '100',
      ROLLCALL_HEARTBEAT_TTL_MS: '300',
      ROLLCALL_LIMITS: '{"pageSize": 10}',
      ROLLCALL_CORS_ORIGINS: 'https://a.example, http://127.0.0.1:8080',
      ROLLCALL_TRUST_PROXY: 'loopback, 10.0.0.0/8',
      ROLLCALL_WEBHOOK_ALLOW_PRIVATE: 'false',
      ROLLCALL_OFFLINE_BLOCK: 'false',
    })
    expect(config).toMatchObject({
      port: 0,
      host: '::1',
      redisTls: true,
      appId: 'shop_1',
      development: false,
      transports: ['websocket'],
      heartbeatMs: 100,
      heartbeatTtlMs: 300,
      limits: { ...DEFAULT_LIMITS, pageSize: 10 },
      corsOrigins: ['https://a.example', 'http://127.0.0.1:8080'],
      trustProxy: ['loopback', '10.0.0.0/8'],
    })
    expect(loadConfig({ ROLLCALL_TRUST_PROXY: '1' }).trustProxy).toBe(1)
    expect(loadConfig({ ROLLCALL_TRUST_PROXY: 'true' }).trustProxy).toBe(true)
    expect(loadConfig({ ROLLCALL_CORS_ORIGINS: '*', ROLLCALL_SECRET: SECRET }).corsOrigins).toBe('*')
    expect(loadConfig({ ROLLCALL_SECRET: SECRET }).corsOrigins).toEqual([])
  })

  test.each([
    ['PORT', '65536', 'from 0 to 65,535'],
    ['PORT', 'tcp://10.0.0.1:3000', 'a whole number'],
    ['HOST', 'not a host', 'a host name or an address'],
    ['REDIS_URL', 'http://localhost', 'redis://'],
    ['REDIS_TLS', 'maybe', 'true or false'],
    ['ROLLCALL_APP_ID', 'a b', 'A-Z a-z 0-9 _ -'],
    ['ROLLCALL_SECRET', 'short', '32 bytes'],
    ['ROLLCALL_SECRET', '', '32 bytes'],
    ['ROLLCALL_API_KEY', 'has a space', 'printable ASCII'],
    ['ROLLCALL_PRESENCE_TIMEOUT_MS', '999', 'from 1,000 to 300,000 (ms)'],
    ['ROLLCALL_PRESENCE_TIMEOUT_MS', '300001', 'from 1,000 to 300,000 (ms)'],
    ['ROLLCALL_PRESENCE_TIMEOUT_MS', '1e4', 'a whole number'],
    ['ROLLCALL_HEARTBEAT_MS', '99', 'from 100'],
    ['ROLLCALL_HEARTBEAT_TTL_MS', '14999', 'at least three times ROLLCALL_HEARTBEAT_MS'],
    ['ROLLCALL_PING_INTERVAL_MS', '-1', 'a whole number'],
    ['ROLLCALL_PING_TIMEOUT_MS', '', ''],
    ['ROLLCALL_TRANSPORTS', 'polling,polling', 'each named once'],
    ['ROLLCALL_TRANSPORTS', 'carrier-pigeon', 'polling, websocket or both'],
    ['ROLLCALL_ANNOUNCE_MAX', '0', 'from 1'],
    ['ROLLCALL_INTERVAL_MS', '10', 'from 50'],
    ['ROLLCALL_FLUSH_MS', '1001', 'from 0 to 1,000'],
    ['ROLLCALL_LOGIN', 'single', 'one of multi, replace, reject'],
    ['ROLLCALL_MAX_SESSIONS', '0', 'from 1 to 1,000'],
    ['REDIS_CLUSTER', 'a:1,b', 'addresses such as'],
    ['REDIS_CLUSTER', 'a:1,b:70000', 'addresses such as'],
    ['REDIS_SENTINELS', 'a', 'addresses such as'],
    ['ROLLCALL_WEBHOOK_URLS', 'ftp://a.example', 'http or https URLs'],
    ['ROLLCALL_WEBHOOK_URLS', 'https://a.example,https://a.example/', 'each named once'],
    ['ROLLCALL_WEBHOOK_SECRET', 'c2VjcmV0', 'whsec_ followed by'],
    ['ROLLCALL_WEBHOOK_SECRET', `whsec_${'A'.repeat(28)}`, '24 to 64'],
    ['ROLLCALL_WEBHOOK_SECRET', `whsec_${'A'.repeat(88)}`, '24 to 64'],
    ['ROLLCALL_WEBHOOK_SECRET', `whsec_${'A'.repeat(33)}`, '24 to 64'],
    ['ROLLCALL_WEBHOOK_ALLOW_PRIVATE', 'maybe', 'true or false'],
    ['ROLLCALL_OFFLINE_BLOCK', 'maybe', 'true or false'],
    ['ROLLCALL_PARTITIONS', '0', 'from 1 to 1,024'],
    ['ROLLCALL_LIMITS', '{', 'a JSON object'],
    ['ROLLCALL_LIMITS', '{"pagesize": 10}', 'pageSize'],
    ['ROLLCALL_LIMITS', '{"pageSize": 0}', 'from 1'],
    ['ROLLCALL_LIMITS', '[]', 'a JSON object'],
    ['ROLLCALL_CORS_ORIGINS', 'https://a.example/path', 'scheme, host and port'],
    ['ROLLCALL_CORS_ORIGINS', '*,https://a.example', 'or * alone'],
    ['ROLLCALL_TRUST_PROXY', '10.0.0.0/33', 'subnets'],
    ['ROLLCALL_LOG_LEVEL', 'loud', 'one of trace, debug'],
  ])('%s=%j names itself and what is allowed', (name, value, allowed) => {
    const problems = problemsOf(() => loadConfig({ [name]: value }))
    if (allowed === '') return expect(problems).toEqual([])
    expect(problems).toHaveLength(1)
    expect(problems[0]).toMatch(new RegExp(`^${name} must be `))
    expect(problems[0]).toContain(allowed)
  })

  test('all problems are reported at once, and no secret among them', () => {
    const problems = problemsOf(() =>
      loadConfig({ PORT: 'x', ROLLCALL_SECRET: 'hunter2', REDIS_URL: 'http://:hunter2@host', ROLLCALL_API_KEY: 'hunter2 hunter2' }),
    )
    expect(problems).toHaveLength(4)
    expect(problems.join()).not.toContain('hunter2')
  })

  test('production listens on every address, has no open origin and needs a secret', () => {
    expect(problemsOf(() => loadConfig({ NODE_ENV: 'production' })).join()).toMatch(/ROLLCALL_SECRET must be set/)
    expect(loadConfig({ NODE_ENV: 'production', ROLLCALL_SECRET: SECRET })).toMatchObject({ host: '0.0.0.0', production: true, corsOrigins: [] })
  })

  test('the secret is measured in UTF-8 bytes', () => {
    expect(loadConfig({ ROLLCALL_SECRET: 'é'.repeat(16) }).secret).toBe('é'.repeat(16))
    expect(problemsOf(() => loadConfig({ ROLLCALL_SECRET: 'e'.repeat(31) }))).toHaveLength(1)
  })

  test('receivers of webhooks need a secret to sign with, and neither is ever shown', () => {
    const secret = `whsec_${Buffer.from('a key of twenty-four byte').toString('base64')}`
    const urls = 'https://a.example/hook?key=hunter2, http://b.example:8080/'
    expect(loadConfig({ ROLLCALL_WEBHOOK_URLS: urls, ROLLCALL_WEBHOOK_SECRET: secret, ROLLCALL_WEBHOOK_ALLOW_PRIVATE: 'true' })).toMatchObject({
      webhookUrls: ['https://a.example/hook?key=hunter2', 'http://b.example:8080/'],
      webhookSecret: secret,
      webhookAllowPrivate: true,
    })
    expect(loadConfig({})).toMatchObject({ webhookUrls: [], webhookSecret: null, webhookAllowPrivate: false })
    expect(problemsOf(() => loadConfig({ ROLLCALL_WEBHOOK_URLS: urls })).join()).toMatch(/^ROLLCALL_WEBHOOK_SECRET must be set with ROLLCALL_WEBHOOK_URLS/)
    const bad = problemsOf(() => loadConfig({ ROLLCALL_WEBHOOK_URLS: 'hunter2://a', ROLLCALL_WEBHOOK_SECRET: 'whsec_hunter2' }))
    expect(bad).toHaveLength(2)
    expect(bad.join()).not.toContain('hunter2')
  })

  test('unknown names are refused with a hint', () => {
    expect(problemsOf(() => loadConfig({ ROLLCALL_HEARTBEATMS: '1' }))).toEqual(['ROLLCALL_HEARTBEATMS is not a setting; did you mean ROLLCALL_HEARTBEAT_MS?'])
    expect(problemsOf(() => loadConfig({ ROLLCALL_REDIS_URL: 'redis://x' }))).toEqual(['ROLLCALL_REDIS_URL is not a setting; did you mean REDIS_URL?'])
    expect(problemsOf(() => loadConfig({ ROLLCALL_PORT: '3000' }))).toEqual(['ROLLCALL_PORT is not a setting; did you mean PORT?'])
    expect(problemsOf(() => loadConfig({ ROLLCALL_ZZZZZZZZZZZZZZ: '1' }))).toEqual(['ROLLCALL_ZZZZZZZZZZZZZZ is not a setting'])
  })

  test('what Kubernetes sets for a Service of that name is not taken for settings', () => {
    const links = { ROLLCALL_SERVICE_HOST: '10.0.0.1', ROLLCALL_SERVICE_PORT: '3000', ROLLCALL_PORT: 'tcp://10.0.0.1:3000', ROLLCALL_PORT_3000_TCP_ADDR: '10.0.0.1' }
    expect(problemsOf(() => loadConfig(links))).toEqual([])
  })
})

describe('resolveConfig', () => {
  test.each([{}, { NODE_ENV: 'production', ROLLCALL_SECRET: SECRET, ROLLCALL_TRUST_PROXY: '2' }, { ROLLCALL_CORS_ORIGINS: 'https://a.example' }])(
    'what %j gives can be given again as options',
    (env) => {
      expect(resolveConfig(toOptions(loadConfig(env)))).toEqual(loadConfig(env))
    },
  )

  test('an explicit undefined means the default', () => {
    const names = [...Object.keys(ENVIRONMENT), 'drainMs', 'server', 'shareMetrics']
    const undefineds = Object.fromEntries(names.map((name) => [name, undefined])) as NodeOptions
    expect(resolveConfig(undefineds)).toEqual(resolveConfig({}))
    expect(resolveConfig({ limits: { pageSize: undefined } as object }).limits).toEqual(DEFAULT_LIMITS)
  })

  test('options and environment say the same of the same value, each by its own name', () => {
    const [fromOptions] = problemsOf(() => resolveConfig({ presenceTimeoutMs: 10 }))
    const [fromEnvironment] = problemsOf(() => loadConfig({ ROLLCALL_PRESENCE_TIMEOUT_MS: '10' }))
    expect(fromOptions).toBe('presenceTimeoutMs must be a whole number from 1,000 to 300,000 (ms); it is 10')
    expect(fromEnvironment).toBe('ROLLCALL_PRESENCE_TIMEOUT_MS must be a whole number from 1,000 to 300,000 (ms); it is "10"')
    expect(resolveConfig({ transports: ['websocket'], limits: { pageSize: 7 }, corsOrigins: ['*'] })).toMatchObject({
      transports: ['websocket'],
      limits: { pageSize: 7 },
      corsOrigins: '*',
    })
  })

  test('unknown options are refused', () => {
    expect(problemsOf(() => resolveConfig({ heartbeat: 100 } as NodeOptions))).toEqual(['heartbeat is not an option; did you mean heartbeatMs?'])
    expect(problemsOf(() => resolveConfig({ nodeEnv: 'production' })).join()).toMatch(/secret must be set with nodeEnv=production/)
  })
})

test('001.9 no word of who is gone: under the names that the option has elsewhere too', () => {
  expect(resolveConfig().offlineBlock).toBe(false)
  expect(resolveConfig({ offlineBlock: true }).offlineBlock).toBe(true)
  expect(resolveConfig({ 'presence.offline.block': true }).offlineBlock).toBe(true)
  expect(resolveConfig({ presence_offline_block: true }).offlineBlock).toBe(true)
  expect(loadConfig({ ROLLCALL_OFFLINE_BLOCK: 'true' }).offlineBlock).toBe(true)
  expect(problemsOf(() => resolveConfig({ 'presence.offline.block': 'sometimes' as never }))).toEqual(['offlineBlock must be true or false; it is "sometimes"'])
})

describe('where Redis is', () => {
  test('a cluster has more partitions, and excludes Sentinels', () => {
    const config = loadConfig({ REDIS_CLUSTER: 'redis-1:6379, [::1]:7000' })
    expect(config.redisCluster).toEqual([{ host: 'redis-1', port: 6_379 }, { host: '::1', port: 7_000 }])
    expect(config.partitions).toBe(256)
    expect(resolveConfig(toOptions(config))).toEqual(config)
    expect(() => loadConfig({ REDIS_CLUSTER: 'a:1', REDIS_SENTINELS: 'b:1', REDIS_MASTER_NAME: 'm' })).toThrow('REDIS_CLUSTER and REDIS_SENTINELS exclude each other')
  })

  test('Sentinels and the name of the master go together', () => {
    expect(loadConfig({ REDIS_SENTINELS: 'a:26379', REDIS_MASTER_NAME: 'presence' })).toMatchObject({ redisSentinels: [{ host: 'a', port: 26_379 }], partitions: 16 })
    expect(() => loadConfig({ REDIS_SENTINELS: 'a:1' })).toThrow('go together')
    expect(() => loadConfig({ REDIS_MASTER_NAME: 'm' })).toThrow('go together')
  })
})
