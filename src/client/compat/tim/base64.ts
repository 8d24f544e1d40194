import { recordOf } from '../../../protocol/record.js'
import type { Extra } from './types.js'

/** The wire has text only. What is text already is taken for base64. */
export function base64(extra: Extra): Readonly<Record<string, string>> {
  return recordOf(Object.entries(extra).map(([key, bytes]) => [key, typeof bytes === 'string' ? bytes : encode(new Uint8Array(bytes))]))
}

function encode(bytes: Uint8Array): string {
  // Byte by byte: as arguments of one call there may be too many.
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))
}
