import { RollcallError } from './errors.js'
import { readerOf, type Read } from './fields.js'
import { DEFAULT_LIMITS, type Limits } from './limits.js'
import { fitsUtf8, isWellFormed, shownKey, utf8Bytes } from './text.js'

/** A user's metadata: what is said about a user that lasts (`000.18`). */

/** A revision that is not looked at. */
export const ANY_REVISION = -1

/** One item to be removed, and the revision that it must have: {@link ANY_REVISION}, or 0 for "there is none". */
export interface MetadataTarget {
  readonly key: string
  readonly revision: number
}

/** One item to be written. */
export interface MetadataItem extends MetadataTarget {
  readonly value: string
}

/** One item as it is. */
export interface MetadataDetail {
  readonly value: string
  /** That of the call that wrote it; the major revision that the call brought about is the same number. */
  readonly revision: number
  /** Milliseconds since the epoch, by Redis's clock. */
  readonly updated: number
  /** The user who wrote it. */
  readonly authorUid: string
}

type ItemLimits = Pick<Limits, 'metadataItems' | 'metadataKeyBytes' | 'metadataValueBytes' | 'metadataBytes'>

/**
 * The items of `setUserMetadata` and `updateUserMetadata`, checked one rule after the other over all of them:
 * STORAGE_INVALID_ARGUMENT (no list of objects, or an empty one), STORAGE_METADATA_ITEM_EXCEED_LIMITATION,
 * STORAGE_INVALID_KEY, STORAGE_KEY_LENGTH_OVERFLOW, STORAGE_DUPLICATE_KEY, STORAGE_INVALID_VALUE,
 * STORAGE_VALUE_LENGTH_OVERFLOW, STORAGE_INVALID_REVISION, and STORAGE_METADATA_LENGTH_OVERFLOW when they are too much even
 * by themselves; with what is there they are counted later.
 */
export function parseMetadataItems(value: unknown, limits: ItemLimits = DEFAULT_LIMITS): readonly MetadataItem[] {
  const entries = entriesOf(value, limits)
  if (entries.length === 0) throw new RollcallError('STORAGE_INVALID_ARGUMENT', 'there are no items')
  const keys = keysOf(entries, limits)
  const values = valuesOf(entries, keys, limits)
  const items = entries.map((read, index) => ({ key: keys[index] ?? '', value: values[index] ?? '', revision: parseRevision(read('revision')) }))
  if (items.reduce((sum, item) => sum + utf8Bytes(item.key) + utf8Bytes(item.value), 0) > limits.metadataBytes) {
    throw new RollcallError('STORAGE_METADATA_LENGTH_OVERFLOW', `a user's metadata has at most ${limits.metadataBytes} bytes`)
  }
  return items
}

/** The items that `removeUserMetadata` names; none, or no list at all, means all. Codes as {@link parseMetadataItems}. */
export function parseMetadataTargets(value: unknown, limits: ItemLimits = DEFAULT_LIMITS): readonly MetadataTarget[] {
  if (value === undefined) return []
  const entries = entriesOf(value, limits)
  const keys = keysOf(entries, limits)
  return entries.map((read, index) => ({ key: keys[index] ?? '', revision: parseRevision(read('revision')) }))
}

/** A revision that is expected; {@link ANY_REVISION} when none was sent. STORAGE_INVALID_REVISION. */
export function parseRevision(value: unknown): number {
  if (value === undefined) return ANY_REVISION
  if (!Number.isSafeInteger(value) || (value as number) < ANY_REVISION) {
    throw new RollcallError('STORAGE_INVALID_REVISION', 'a revision is -1 (not looked at), 0 (there is none yet) or the one that was read')
  }
  return value as number
}

function entriesOf(value: unknown, { metadataItems }: ItemLimits): readonly Read[] {
  if (!Array.isArray(value)) throw new RollcallError('STORAGE_INVALID_ARGUMENT', 'items are a list')
  if (value.length > metadataItems) throw tooMany(metadataItems)
  // Array.from makes the holes of a sparse list visible.
  return Array.from(value as readonly unknown[], (entry) => {
    const read = readerOf(entry)
    if (read === null) throw new RollcallError('STORAGE_INVALID_ARGUMENT', 'an item is an object with a key')
    return read
  })
}

function keysOf(entries: readonly Read[], { metadataKeyBytes }: ItemLimits): readonly string[] {
  const keys = entries.map((read) => {
    const key = read('key')
    if (typeof key !== 'string' || key === '' || key.includes('\0') || !isWellFormed(key)) {
      throw new RollcallError('STORAGE_INVALID_KEY', `${shownKey(key)} is no key: a string of well-formed Unicode, not empty, without NUL`)
    }
    return key
  })
  for (const key of keys) {
    if (!fitsUtf8(key, metadataKeyBytes)) throw new RollcallError('STORAGE_KEY_LENGTH_OVERFLOW', `${shownKey(key)} has more than ${metadataKeyBytes} bytes`)
  }
  if (new Set(keys).size < keys.length) throw new RollcallError('STORAGE_DUPLICATE_KEY', 'items name a key twice')
  return keys
}

function valuesOf(entries: readonly Read[], keys: readonly string[], { metadataValueBytes }: ItemLimits): readonly string[] {
  const values = entries.map((read, index) => {
    const value = read('value')
    if (typeof value !== 'string' || !isWellFormed(value)) {
      throw new RollcallError('STORAGE_INVALID_VALUE', `the value of ${shownKey(keys[index])} is not a string of well-formed Unicode`)
    }
    return value
  })
  values.forEach((value, index) => {
    if (!fitsUtf8(value, metadataValueBytes)) {
      throw new RollcallError('STORAGE_VALUE_LENGTH_OVERFLOW', `the value of ${shownKey(keys[index])} has more than ${metadataValueBytes} bytes`)
    }
  })
  return values
}

function tooMany(metadataItems: number): RollcallError {
  return new RollcallError('STORAGE_METADATA_ITEM_EXCEED_LIMITATION', `a user's metadata has at most ${metadataItems} items`)
}
