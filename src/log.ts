import { pino } from 'pino'

/** What one line of the log is made of, besides its message. Never a token, a secret or a password. */
export type LogFields = Readonly<Record<string, unknown>>

/** The log as everybody sees it: JSON lines, one event each. `err` is the field for an error. */
export interface Logger {
  debug(fields: LogFields, message: string): void
  info(fields: LogFields, message: string): void
  warn(fields: LogFields, message: string): void
  error(fields: LogFields, message: string): void
  /** A log whose lines all carry these fields. */
  child(fields: LogFields): Logger
}

const SENSITIVE = ['token', 'secret', 'apiKey', 'password', 'redisPassword', 'redisUrl', 'authorization']

/** A log on standard output. `fields` go on every line. */
export function createLogger(level: string, fields: LogFields = {}): Logger {
  return pino({
    level,
    base: fields,
    // A second line of defence: callers are not to log these in the first place.
    redact: { paths: SENSITIVE.flatMap((name) => [name, `*.${name}`]), censor: '[hidden]' },
  })
}

/** Says nothing. */
export const silentLogger: Logger = Object.freeze({
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLogger,
})
