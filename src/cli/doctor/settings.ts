import { ConfigError, loadConfig, type Config } from '../../config.js'
import { fail, ok, skip, warn, type Check } from './check.js'

type Env = Readonly<Record<string, string | undefined>>

/** What says where Redis is and how it is used: enough to look at Redis when something else is not valid. */
const FOR_REDIS = /^REDIS_|^ROLLCALL_(PARTITIONS|HEARTBEAT_MS|HEARTBEAT_TTL_MS)$/

/** The environment as a node would read it. `config` is what is left to go on; null when that is too little. */
export function settings(env: Env): { readonly check: Check; readonly config: Config | null; readonly whole: boolean } {
  try {
    return { check: ok('settings', 'a node would start with this environment'), config: loadConfig(env), whole: true }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const check = fail('settings', error.problems.join('; '), 'No node starts with this environment: docs/operating.md lists the settings.')
    return { check, config: configForRedis(env), whole: false }
  }
}

/** Who gets in: secret and API key, as this environment has them. */
export function access(config: Config): Check {
  const { development, production, apiKey, host } = config
  const reachable = !isLoopback(host)
  if (development) {
    if (!reachable) return ok('access', 'development mode, for this machine only: anybody can log in as anybody')
    return warn('access', `development mode on ${host}: anybody who reaches the node can log in as anybody`, 'Set ROLLCALL_SECRET (32 bytes or more) before others can reach it.')
  }
  if (apiKey !== null) return ok('access', 'logins need a token, /v1 needs the API key')
  if (production) {
    return warn('access', 'no API key in production: /v1 is closed, so who, where, kick and nodes do not work, nor does a server of yours', 'Set ROLLCALL_API_KEY.')
  }
  const detail = 'logins need a token, but /v1 is open: whoever reaches the node can read who is where and end sessions'
  return reachable ? fail('access', detail, 'Set ROLLCALL_API_KEY, or NODE_ENV=production, which closes /v1.') : warn('access', detail, 'Set ROLLCALL_API_KEY.')
}

/** What is said of the rest when the environment is not valid. */
export const accessUnknown: Check = skip('access', 'the settings are not valid')

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host)
}

function configForRedis(env: Env): Config | null {
  try {
    return loadConfig(Object.fromEntries(Object.entries(env).filter(([name]) => FOR_REDIS.test(name))))
  } catch {
    return null
  }
}
