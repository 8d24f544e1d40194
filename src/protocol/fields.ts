import { RollcallError, type ErrorCode } from './errors.js'

/** Reads one property of an object that a client sent. */
export type Read = (name: string) => unknown

/**
 * A reader of an object's own properties, so that nothing comes from a prototype; `null` for what is no plain object
 * (lists, and binary attachments, which arrive as instances of classes).
 */
export function readerOf(value: unknown): Read | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) return null
  return (name) => (Object.hasOwn(value, name) ? (value as Readonly<Record<string, unknown>>)[name] : undefined)
}

/** The same, where there has to be one: throws `code` otherwise. */
export function fieldsOf(value: unknown, what = 'the request', code: ErrorCode = 'PRESENCE_INVALID_ARGUMENT'): Read {
  const read = readerOf(value)
  if (read === null) throw new RollcallError(code, `${what} is one plain object`)
  return read
}
