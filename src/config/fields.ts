import { isIP } from 'node:net'

import { z } from 'zod'

import { DEFAULT_LIMITS, type Limits } from '../protocol/limits.js'
import type { LoginMode, LogLevel, Transport, TrustProxy } from './options.js'

/**
 * The kinds of values that settings have. Each takes what an option is in code and also its text in the environment,
 * so that both are held to the same rule, and carries that rule as a phrase that completes "NAME must be …".
 */
export interface Field<T> {
  readonly schema: z.ZodType<T>
  readonly allowed: string
  /** Never show a value of this setting in a message. */
  readonly hidden?: true
}

const number = (value: number): string => value.toLocaleString('en-US')

export function whole(min: number, max: number, unit = ''): Field<number> {
  return {
    schema: z.preprocess((value) => (typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value), z.int().min(min).max(max)),
    allowed: `a whole number from ${number(min)} to ${number(max)}${unit === '' ? '' : ` (${unit})`}`,
  }
}

export const milliseconds = (min: number, max: number): Field<number> => whole(min, max, 'ms')

export function flag(): Field<boolean> {
  return { schema: z.preprocess(toBoolean, z.boolean()), allowed: 'true or false' }
}

export function text(allowed: string, pattern: RegExp): Field<string> {
  return { schema: z.string().regex(pattern), allowed }
}

/** Text that is never shown. */
export function hiddenText(allowed: string, accepts: (value: string) => boolean): Field<string> {
  return { schema: z.string().refine(accepts), allowed, hidden: true }
}

export function oneOf<T extends string>(values: readonly [T, ...T[]]): Field<T> {
  return { schema: z.enum(values), allowed: `one of ${values.join(', ')}` }
}

export const transports: Field<readonly Transport[]> = {
  schema: z.preprocess(toList, z.array(z.enum(['polling', 'websocket'])).min(1).refine((list) => new Set(list).size === list.length)),
  allowed: 'polling, websocket or both, each named once',
}

export const LOGIN_MODES = ['multi', 'replace', 'reject'] as const satisfies readonly LoginMode[]

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const satisfies readonly LogLevel[]

export const redisUrl: Field<string> = {
  schema: z.string().refine(isRedisUrl),
  allowed: 'a URL such as redis://host:6379 or rediss://user:password@host:6379/0',
  hidden: true,
}

/** A server's address. */
export interface HostPort {
  readonly host: string
  readonly port: number
}

export const hostPorts: Field<readonly HostPort[]> = {
  schema: z.preprocess(
    toList,
    z
      .array(z.string().regex(/^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]{1,255}):\d{1,5}$/).transform(toHostPort).refine(({ port }) => port >= 1 && port <= 65_535))
      .min(1),
  ),
  allowed: 'addresses such as redis-1:6379,redis-2:6379',
}

function toHostPort(text: string): HostPort {
  const colon = text.lastIndexOf(':')
  return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) }
}

/** The text that {@link hostPorts} reads. */
export function shownHostPort({ host, port }: HostPort): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

export const corsOrigins: Field<'*' | readonly string[]> = {
  schema: z.preprocess(
    toList,
    z
      .array(z.string())
      .refine((list) => (list.length === 1 && list[0] === '*') || list.every(isOrigin))
      .transform((list): '*' | readonly string[] => (list[0] === '*' ? '*' : list)),
  ),
  allowed: 'origins such as https://app.example.com (scheme, host and port, nothing after them), or * alone',
}

const PROXY_WORDS = new Set(['loopback', 'linklocal', 'uniquelocal'])

export const trustProxy: Field<TrustProxy> = {
  schema: z.preprocess(
    (value) => {
      if (typeof value !== 'string') return value
      if (/^\d{1,3}$/.test(value)) return Number(value)
      const asBoolean = toBoolean(value)
      return typeof asBoolean === 'boolean' ? asBoolean : toList(value)
    },
    z.union([z.boolean(), z.int().min(0).max(100), z.array(z.string().refine(isProxyAddress)).min(1)]),
  ),
  allowed: 'true, false, the number of proxies (0 to 100), or addresses, subnets and the words loopback, linklocal, uniquelocal',
}

/** Receivers of webhooks. A URL may carry what is secret, so none is shown. */
export const webhookUrls: Field<readonly string[]> = {
  schema: z.preprocess(toList, z.array(z.string().refine(isHttpUrl)).min(1).refine((list) => new Set(list.map((url) => new URL(url).href)).size === list.length)),
  allowed: 'http or https URLs, separated by commas, each named once (a comma inside one is written %2C)',
  hidden: true,
}

export const webhookSecret: Field<string> = hiddenText('whsec_ followed by the base64 of 24 to 64 random bytes', isWebhookSecret)

const limit = z.int().min(1).max(2_147_483_647)

export const limits: Field<Limits> = {
  schema: z.preprocess(
    (value) => {
      if (typeof value !== 'string') return value
      try {
        return JSON.parse(value) as unknown
      } catch {
        return value
      }
    },
    z
      .strictObject(Object.fromEntries(Object.keys(DEFAULT_LIMITS).map((name) => [name, limit.optional()])))
      .transform((given): Limits => {
        // An explicit undefined is not an override.
        const overrides = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
        return Object.freeze({ ...DEFAULT_LIMITS, ...overrides })
      }),
  ),
  allowed: `a JSON object of whole numbers from 1, with some of the names ${Object.keys(DEFAULT_LIMITS).join(', ')}`,
}

function toBoolean(value: unknown): unknown {
  if (value === 'true' || value === '1') return true
  if (value === 'false' || value === '0') return false
  return value
}

function toList(value: unknown): unknown {
  if (typeof value !== 'string') return value
  return value.split(',').map((part) => part.trim()).filter((part) => part !== '')
}

function isRedisUrl(value: string): boolean {
  if (!URL.canParse(value)) return false
  const url = new URL(value)
  return (url.protocol === 'redis:' || url.protocol === 'rediss:') && url.hostname !== '' && /^\/?\d*$/.test(url.pathname)
}

function isHttpUrl(value: string): boolean {
  if (!URL.canParse(value)) return false
  const { protocol, hostname } = new URL(value)
  return (protocol === 'http:' || protocol === 'https:') && hostname !== ''
}

function isWebhookSecret(value: string): boolean {
  const text = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(value)?.[1]
  if (text === undefined) return false
  const key = Buffer.from(text, 'base64')
  return key.toString('base64') === text && key.length >= 24 && key.length <= 64
}

function isOrigin(value: string): boolean {
  return URL.canParse(value) && new URL(value).origin === value
}

function isProxyAddress(value: string): boolean {
  if (PROXY_WORDS.has(value)) return true
  const [address = '', bits, ...rest] = value.split('/')
  const family = isIP(address)
  if (family === 0 || rest.length > 0) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128))
}
