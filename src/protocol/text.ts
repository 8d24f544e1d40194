/** Whether a string has no lone surrogates: only then does its UTF-8 form say the same. */
export function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text)
}

const encoder = new TextEncoder()

/** How many bytes a string has in UTF-8. */
export function utf8Bytes(text: string): number {
  return encoder.encode(text).length
}

/** Whether a string has at most this many bytes in UTF-8; long strings are refused without being encoded. */
export function fitsUtf8(text: string, bytes: number): boolean {
  if (text.length > bytes) return false
  return text.length * 3 <= bytes || encoder.encode(text).length <= bytes
}

/** Enough of a refused key to find it by. */
export function shownKey(key: unknown): string {
  return typeof key === 'string' ? JSON.stringify(key.slice(0, 48)) : `a key of type ${typeof key}`
}
