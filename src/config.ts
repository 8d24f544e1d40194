import type { z } from 'zod'

import {
  corsOrigins, flag, hiddenText, hostPorts, limits, LOG_LEVELS, LOGIN_MODES, milliseconds, oneOf, redisUrl, shownHostPort, text, transports, trustProxy,
  webhookSecret, webhookUrls, whole, type Field, type HostPort,
} from './config/fields.js'
import { ENVIRONMENT, type EnvironmentOption, type LoginMode, type LogLevel, type NodeOptions, type Transport, type TrustProxy } from './config/options.js'
import { DEFAULT_LIMITS, PRESENCE_TIMEOUT_MS, type Limits } from './protocol/limits.js'

export { ENVIRONMENT } from './config/options.js'
export type { LogLevel, LoginMode, NodeOptions, Transport, TrustProxy } from './config/options.js'

/** A node's settings: checked, complete and frozen. Times are milliseconds. {@link NodeOptions} says what each means. */
export interface Config {
  readonly port: number
  readonly host: string
  readonly production: boolean
  /** No secret: logins need no token. */
  readonly development: boolean
  readonly redisUrl: string
  /** Set: it takes the place of the URL, as do Sentinels, which come with the master's name. */
  readonly redisCluster: readonly HostPort[] | null
  readonly redisSentinels: readonly HostPort[] | null
  readonly redisMasterName: string | null
  readonly redisUsername: string | null
  readonly redisPassword: string | null
  readonly redisTls: boolean
  readonly appId: string
  readonly secret: string | null
  readonly apiKey: string | null
  readonly presenceTimeoutMs: number
  readonly heartbeatMs: number
  readonly heartbeatTtlMs: number
  readonly pingIntervalMs: number
  readonly pingTimeoutMs: number
  readonly transports: readonly Transport[]
  readonly announceMax: number
  readonly intervalMs: number
  readonly flushMs: number
  readonly directFrames: boolean
  readonly login: LoginMode
  /** How many sessions a user may have; null: any number, or one where `login` is not `multi`. */
  readonly maxSessions: number | null
  readonly partitions: number
  readonly limits: Limits
  readonly webhookUrls: readonly string[]
  readonly webhookSecret: string | null
  readonly webhookAllowPrivate: boolean
  /** Friends are not told of users who are gone. */
  readonly offlineBlock: boolean
  readonly corsOrigins: '*' | readonly string[]
  readonly trustProxy: TrustProxy
  readonly logLevel: LogLevel
  readonly drainMs: number
}

/** Why a node does not start: every problem at once, each naming its setting and what is allowed. */
export class ConfigError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(`the configuration is not valid:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`)
    this.name = 'ConfigError'
  }
}

const FIELDS = {
  port: whole(0, 65_535),
  host: text('a host name or an address', /^[A-Za-z0-9._:%-]{1,255}$/),
  nodeEnv: text('a word such as production or development', /^[\w-]{0,64}$/),
  redisUrl,
  redisUsername: hiddenText('the name of a Redis user', (value) => value !== ''),
  redisPassword: hiddenText('the password of the Redis user', (value) => value !== ''),
  redisTls: flag(),
  redisCluster: hostPorts,
  redisSentinels: hostPorts,
  redisMasterName: text('the name that the Sentinels know the master by', /^[\w.-]{1,255}$/),
  appId: text('1 to 64 of the characters A-Z a-z 0-9 _ -', /^[A-Za-z0-9_-]{1,64}$/),
  secret: hiddenText('at least 32 bytes long (in UTF-8)', (value) => Buffer.byteLength(value) >= 32),
  apiKey: hiddenText('1 to 512 printable ASCII characters without spaces', (value) => /^[!-~]{1,512}$/.test(value)),
  presenceTimeoutMs: milliseconds(PRESENCE_TIMEOUT_MS.least, PRESENCE_TIMEOUT_MS.most),
  heartbeatMs: milliseconds(100, 60_000),
  heartbeatTtlMs: milliseconds(300, 600_000),
  pingIntervalMs: milliseconds(100, 300_000),
  pingTimeoutMs: milliseconds(100, 300_000),
  transports,
  announceMax: whole(1, 1_000_000, 'members'),
  intervalMs: milliseconds(50, 300_000),
  flushMs: milliseconds(0, 1_000),
  directFrames: flag(),
  login: oneOf(LOGIN_MODES),
  maxSessions: whole(1, 1_000, 'sessions'),
  partitions: whole(1, 1_024),
  limits,
  webhookUrls,
  webhookSecret,
  webhookAllowPrivate: flag(),
  offlineBlock: flag(),
  corsOrigins,
  trustProxy,
  logLevel: oneOf(LOG_LEVELS),
  drainMs: milliseconds(0, 600_000),
} as const satisfies Record<EnvironmentOption | 'drainMs', Field<unknown>>

type OptionName = keyof typeof FIELDS
type Parsed = { readonly [Name in OptionName]?: z.output<(typeof FIELDS)[Name]['schema']> | undefined }

/** Names of other systems for options of ours (`001.9`). */
const ALIASES: ReadonlyMap<string, OptionName> = new Map([['presence.offline.block', 'offlineBlock'], ['presence_offline_block', 'offlineBlock']])

/** Options that are no values: they are handed to the parts that use them and not checked here. */
const OBJECTS: readonly string[] = ['server', 'shareMetrics', 'receivers'] satisfies readonly (keyof NodeOptions)[]

/**
 * The configuration of a process.
 *
 * @throws ConfigError naming every bad variable, and every unknown one that begins with `ROLLCALL_`.
 */
export function loadConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const values: Record<string, unknown> = {}
  for (const [option, name] of Object.entries(ENVIRONMENT)) {
    const value = env[name]
    // `NAME=` means unset, as shells and compose files write it; but an empty secret must not open a node to everybody.
    values[option] = value === '' && option !== 'secret' && option !== 'apiKey' ? undefined : value
  }
  return build(values, (option) => (option === 'drainMs' ? option : ENVIRONMENT[option]), unknownVariables(env))
}

/**
 * The configuration of a node made in code; nothing but `NODE_ENV` is read from the environment.
 *
 * @throws ConfigError naming every bad option.
 */
export function resolveConfig(options: NodeOptions = {}): Config {
  const values: Record<string, unknown> = {}
  const problems: string[] = []
  for (const [name, value] of Object.entries(options)) {
    const option = ALIASES.get(name) ?? name
    if (Object.hasOwn(FIELDS, option)) values[option] = value
    else if (!OBJECTS.includes(option)) problems.push(`${option} is not an option${didYouMean(option, [...Object.keys(FIELDS), ...OBJECTS])}`)
  }
  values.nodeEnv ??= process.env.NODE_ENV
  return build(values, (option) => option, problems)
}

/** The options that give this configuration, for whoever reads it before a node is made of it. */
export function toOptions(config: Config): NodeOptions {
  const { production, development: _, corsOrigins, ...same } = config
  const options: NodeOptions = {
    ...same,
    redisCluster: config.redisCluster?.map(shownHostPort),
    redisSentinels: config.redisSentinels?.map(shownHostPort),
    redisMasterName: config.redisMasterName ?? undefined,
    redisUsername: config.redisUsername ?? undefined,
    redisPassword: config.redisPassword ?? undefined,
    secret: config.secret ?? undefined,
    apiKey: config.apiKey ?? undefined,
    maxSessions: config.maxSessions ?? undefined,
    webhookUrls: config.webhookUrls.length > 0 ? config.webhookUrls : undefined,
    webhookSecret: config.webhookSecret ?? undefined,
    nodeEnv: production ? 'production' : 'development',
    corsOrigins: corsOrigins === '*' ? ['*'] : corsOrigins,
  }
  return options
}

function build(values: Readonly<Record<string, unknown>>, nameOf: (option: OptionName) => string, problems: string[]): Config {
  const given: Record<string, unknown> = {}
  for (const [option, field] of Object.entries<Field<unknown>>(FIELDS)) {
    const value = values[option]
    if (value === undefined) continue
    const result = field.schema.safeParse(value)
    if (result.success) given[option] = result.data
    else problems.push(`${nameOf(option as OptionName)} must be ${field.allowed}${field.hidden ? '' : `; it is ${shown(value)}`}`)
  }
  const config = complete(given)
  const bothRead = (['heartbeatMs', 'heartbeatTtlMs'] as const).every((option) => values[option] === undefined || given[option] !== undefined)
  if (bothRead && config.heartbeatTtlMs < 3 * config.heartbeatMs) {
    problems.push(
      `${nameOf('heartbeatTtlMs')} must be at least three times ${nameOf('heartbeatMs')}; they are ${config.heartbeatTtlMs} and ${config.heartbeatMs}`,
    )
  }
  if (config.production && values.secret === undefined) {
    problems.push(`${nameOf('secret')} must be set with ${nameOf('nodeEnv')}=production: without it anybody could log in as anybody`)
  }
  if (given.redisCluster !== undefined && given.redisSentinels !== undefined) {
    problems.push(`${nameOf('redisCluster')} and ${nameOf('redisSentinels')} exclude each other: set the one that there is`)
  }
  if ((given.redisSentinels === undefined) !== (given.redisMasterName === undefined)) {
    problems.push(`${nameOf('redisSentinels')} and ${nameOf('redisMasterName')} go together: the Sentinels are asked for the master of that name`)
  }
  if (given.webhookUrls !== undefined && values.webhookSecret === undefined) {
    problems.push(`${nameOf('webhookSecret')} must be set with ${nameOf('webhookUrls')}: what is sent is signed with it`)
  }
  if (problems.length > 0) throw new ConfigError(problems)
  return config
}

function complete(given: Parsed): Config {
  const production = given.nodeEnv === 'production'
  const development = given.secret === undefined
  return Object.freeze({
    port: given.port ?? 3_000,
    host: given.host ?? (production ? '0.0.0.0' : '127.0.0.1'),
    production,
    development,
    redisUrl: given.redisUrl ?? 'redis://127.0.0.1:6379',
    redisCluster: Object.freeze(given.redisCluster ?? null),
    redisSentinels: Object.freeze(given.redisSentinels ?? null),
    redisMasterName: given.redisMasterName ?? null,
    redisUsername: given.redisUsername ?? null,
    redisPassword: given.redisPassword ?? null,
    redisTls: given.redisTls ?? false,
    appId: given.appId ?? 'dev',
    secret: given.secret ?? null,
    apiKey: given.apiKey ?? null,
    presenceTimeoutMs: given.presenceTimeoutMs ?? 30_000,
    heartbeatMs: given.heartbeatMs ?? 5_000,
    heartbeatTtlMs: given.heartbeatTtlMs ?? 15_000,
    pingIntervalMs: given.pingIntervalMs ?? 10_000,
    pingTimeoutMs: given.pingTimeoutMs ?? 5_000,
    transports: Object.freeze(given.transports ?? (['polling', 'websocket'] as const)),
    announceMax: given.announceMax ?? 1_000,
    intervalMs: given.intervalMs ?? 2_000,
    flushMs: given.flushMs ?? 20,
    directFrames: given.directFrames ?? false,
    login: given.login ?? 'multi',
    maxSessions: given.maxSessions ?? null,
    partitions: given.partitions ?? (given.redisCluster === undefined ? 16 : 256),
    limits: given.limits ?? DEFAULT_LIMITS,
    webhookUrls: Object.freeze(given.webhookUrls ?? []),
    webhookSecret: given.webhookSecret ?? null,
    webhookAllowPrivate: given.webhookAllowPrivate ?? false,
    offlineBlock: given.offlineBlock ?? false,
    corsOrigins: Object.freeze(given.corsOrigins ?? (development ? '*' : [])),
    trustProxy: Object.freeze(given.trustProxy ?? false),
    logLevel: given.logLevel ?? 'info',
    drainMs: given.drainMs ?? 20_000,
  })
}

function unknownVariables(env: Readonly<Record<string, string | undefined>>): string[] {
  const known: readonly string[] = Object.values(ENVIRONMENT)
  return Object.keys(env)
    .filter((name) => name.startsWith('ROLLCALL_') && env[name] !== undefined && !known.includes(name) && !isServiceLink(name, env[name]))
    .map((name) => `${name} is not a setting${didYouMean(name, known)}`)
}

/** Kubernetes sets such variables in every pod when a Service is named "rollcall"; nobody meant them as settings. */
function isServiceLink(name: string, value = ''): boolean {
  return /^ROLLCALL_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)$/.test(name) || (name === 'ROLLCALL_PORT' && /^\w+:\/\//.test(value))
}

function didYouMean(name: string, known: readonly string[]): string {
  const bare = name.replace(/^ROLLCALL_/, '')
  const exact = known.find((other) => other === bare || other === `ROLLCALL_${bare}`)
  const ranked = known.map((other) => ({ other, distance: editDistance(name, other) })).sort((a, b) => a.distance - b.distance)
  const best = exact ?? (ranked[0] !== undefined && ranked[0].distance <= Math.max(2, name.length / 4) ? ranked[0].other : undefined)
  return best === undefined ? '' : `; did you mean ${best}?`
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}

function shown(value: unknown): string {
  const json = JSON.stringify(value) ?? String(value)
  return json.length > 80 ? `${json.slice(0, 77)}…` : json
}
