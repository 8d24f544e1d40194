/** A map for keys that users choose, such as `__proto__`: a plain record without a prototype. Of entries with one key the last counts. */
export function recordOf<T>(entries: Iterable<readonly [key: string, value: T]>): Record<string, T> {
  const record = Object.create(null) as Record<string, T>
  for (const [key, value] of entries) record[key] = value
  return record
}
