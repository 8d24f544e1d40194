import type { Server } from 'node:http'

import type { Limits } from '../protocol/limits.js'
import type { Receiver } from '../protocol/webhooks.js'

/** What may be trusted to say who the client is: nobody, everybody, so many proxies, or these addresses and subnets. */
export type TrustProxy = boolean | number | readonly string[]

export type Transport = 'polling' | 'websocket'

export type LoginMode = 'multi' | 'replace' | 'reject'

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'

/**
 * What a node can be told. Every option but the last four is also an environment variable (its name is in
 * {@link ENVIRONMENT}) and goes through the same checks; an explicit `undefined` means the default.
 */
export interface NodeOptions {
  /** TCP port; 0 lets the system choose. @default 3000 */
  port?: number | undefined
  /** Address to listen on. @default '127.0.0.1', in production '0.0.0.0' */
  host?: string | undefined
  /** `production` changes some defaults and refuses to run without a secret. @default process.env.NODE_ENV */
  nodeEnv?: string | undefined

  /** `redis://` or `rediss://`. @default 'redis://127.0.0.1:6379' */
  redisUrl?: string | undefined
  /** Nodes of a Redis Cluster to begin with, `host:port` each; takes the place of the URL. @default none */
  redisCluster?: readonly string[] | undefined
  /** Sentinels, `host:port` each, that know the master `redisMasterName`; take the place of the URL. @default none */
  redisSentinels?: readonly string[] | undefined
  redisMasterName?: string | undefined
  /** Goes before a user name in the URL. @default none */
  redisUsername?: string | undefined
  /** Goes before a password in the URL. @default none */
  redisPassword?: string | undefined
  /** TLS to Redis, also with a `redis://` URL. @default false */
  redisTls?: boolean | undefined

  /** 1 to 64 of `A-Z a-z 0-9 _ -`. @default 'dev' */
  appId?: string | undefined
  /** HS256 secret of at least 32 bytes. Without one the node runs in development mode: no login needs a token. @default none */
  secret?: string | undefined
  /** What `/v1` asks for as a bearer token. @default none: `/v1` is open, in production closed */
  apiKey?: string | undefined

  /** Grace after a lost connection, in ms, 1,000 to 300,000. @default 30000 */
  presenceTimeoutMs?: number | undefined
  /** A node's sign of life, in ms, at least 100. @default 5000 */
  heartbeatMs?: number | undefined
  /** How long a node's lease outlives its last heartbeat, in ms, at least three times `heartbeatMs`. @default 15000 */
  heartbeatTtlMs?: number | undefined
  /** Socket.IO ping, in ms: a silent client is noticed within interval plus timeout. @default 10000 */
  pingIntervalMs?: number | undefined
  /** In ms. @default 5000 */
  pingTimeoutMs?: number | undefined
  /** @default ['polling', 'websocket'] */
  transports?: readonly Transport[] | undefined

  /** Up to this many members a channel announces each change on its own; above it, until 80 % are left, it is summed up. @default 1000 */
  announceMax?: number | undefined
  /** How long a summary covers, in ms. @default 2000 */
  intervalMs?: number | undefined
  /** Changes within this window, in ms, share a packet. @default 20 */
  flushMs?: number | undefined
  /**
   * Write packets past Socket.IO to the TCP sockets of clients that have nothing else to be sent. Uses private fields of exact
   * versions of engine.io and ws; with others, a node says so and does without. @default false
   */
  directFrames?: boolean | undefined

  /**
   * What a login does when the user has as many sessions as `maxSessions` says: `multi` and `reject` refuse it, `replace` ends the
   * oldest. Sessions without a connection give way in each case, and a session with the same `tag` is always replaced. @default 'multi'
   */
  login?: LoginMode | undefined
  /** 1 to 1,000. @default none: any number with `multi`, else one */
  maxSessions?: number | undefined
  /** Slices of the key space; fixed for a deployment. @default 16, with `redisCluster` 256 */
  partitions?: number | undefined
  /** Overrides of single limits. @default none */
  limits?: Partial<Limits> | undefined

  /** Servers that are told what happens, by POST; needs `webhookSecret`. @default none */
  webhookUrls?: readonly string[] | undefined
  /** What the events are signed with: `whsec_` and the base64 of 24 to 64 bytes. @default none */
  webhookSecret?: string | undefined
  /** Lets receivers have addresses of this machine or of a private network. @default false */
  webhookAllowPrivate?: boolean | undefined
  /** Friends are not told of users who are gone. @default false */
  offlineBlock?: boolean | undefined
  /** The same by the name that it has elsewhere (`001.9`). */
  'presence.offline.block'?: boolean | undefined
  presence_offline_block?: boolean | undefined
  /** Origins that browsers may come from, or `['*']`. @default any in development mode, else only the node's own */
  corsOrigins?: readonly string[] | undefined
  /** @default false */
  trustProxy?: TrustProxy | undefined
  /** @default 'info' */
  logLevel?: LogLevel | undefined

  /** How long `close` may take to say goodbye to clients, in ms. @default 20000 */
  drainMs?: number | undefined
  /** Attach to this server instead of listening on one's own; whoever made it lets it listen and closes it. */
  server?: Server | undefined
  /** Functions that are told what happens, as the servers of `webhookUrls` are. @default none */
  receivers?: readonly Receiver[] | undefined
  /**
   * For several nodes behind one port: called once, with what reads the node's own metrics (as data, for
   * `mergeMetrics`); what it returns answers `/metrics` in the node's place.
   */
  shareMetrics?: ((own: () => Promise<unknown>) => () => Promise<string>) | undefined
}

/** The environment's name of each option. */
export const ENVIRONMENT = {
  port: 'PORT',
  host: 'HOST',
  nodeEnv: 'NODE_ENV',
  redisUrl: 'REDIS_URL',
  redisUsername: 'REDIS_USERNAME',
  redisPassword: 'REDIS_PASSWORD',
  redisTls: 'REDIS_TLS',
  redisCluster: 'REDIS_CLUSTER',
  redisSentinels: 'REDIS_SENTINELS',
  redisMasterName: 'REDIS_MASTER_NAME',
  appId: 'ROLLCALL_APP_ID',
  secret: 'ROLLCALL_SECRET',
  apiKey: 'ROLLCALL_API_KEY',
  presenceTimeoutMs: 'ROLLCALL_PRESENCE_TIMEOUT_MS',
  heartbeatMs: 'ROLLCALL_HEARTBEAT_MS',
  heartbeatTtlMs: 'ROLLCALL_HEARTBEAT_TTL_MS',
  pingIntervalMs: 'ROLLCALL_PING_INTERVAL_MS',
  pingTimeoutMs: 'ROLLCALL_PING_TIMEOUT_MS',
  transports: 'ROLLCALL_TRANSPORTS',
  announceMax: 'ROLLCALL_ANNOUNCE_MAX',
  intervalMs: 'ROLLCALL_INTERVAL_MS',
  flushMs: 'ROLLCALL_FLUSH_MS',
  directFrames: 'ROLLCALL_DIRECT_FRAMES',
  login: 'ROLLCALL_LOGIN',
  maxSessions: 'ROLLCALL_MAX_SESSIONS',
  partitions: 'ROLLCALL_PARTITIONS',
  limits: 'ROLLCALL_LIMITS',
  webhookUrls: 'ROLLCALL_WEBHOOK_URLS',
  webhookSecret: 'ROLLCALL_WEBHOOK_SECRET',
  webhookAllowPrivate: 'ROLLCALL_WEBHOOK_ALLOW_PRIVATE',
  offlineBlock: 'ROLLCALL_OFFLINE_BLOCK',
  corsOrigins: 'ROLLCALL_CORS_ORIGINS',
  trustProxy: 'ROLLCALL_TRUST_PROXY',
  logLevel: 'ROLLCALL_LOG_LEVEL',
} as const

export type EnvironmentOption = keyof typeof ENVIRONMENT
