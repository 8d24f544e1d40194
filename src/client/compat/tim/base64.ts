import { RollcallError } from '../../../protocol/errors.js'
import { recordOf } from '../../../protocol/record.js'
import type { Extra } from './types.js'

/** The wire has text only. What is text already is taken for base64. STATUS_INVALID_ARGUMENT for what is neither text nor bytes. */
export function base64(extra: Extra): Readonly<Record<string, string>> {
  return recordOf(Object.entries(extra).map(([key, bytes]) => [key, typeof bytes === 'string' ? bytes : encode(bytesOf(bytes))]))
}

function bytesOf(value: unknown): Uint8Array {
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
  if (Object.prototype.toString.call(value) === '[object ArrayBuffer]') return new Uint8Array(value as ArrayBuffer)
  throw new RollcallError('STATUS_INVALID_ARGUMENT', 'extra is a map of bytes')
}

function encode(bytes: Uint8Array): string {
  // Byte by byte: as arguments of one call there may be too many.
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))
}
