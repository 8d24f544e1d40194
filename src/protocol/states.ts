import type { States } from './channel.js'
import { RollcallError } from './errors.js'
import { readerOf } from './fields.js'
import { DEFAULT_LIMITS, type Limits } from './limits.js'
import { recordOf } from './record.js'
import { fitsUtf8, isWellFormed, shownKey } from './text.js'

type StateLimits = Pick<Limits, 'statesPerMember' | 'stateKeyBytes' | 'stateValueBytes'>
type KeyLimits = Pick<Limits, 'stateKeyBytes'>

/** The characters that `000` lists; none of them takes more than one byte of UTF-8. */
const KEY_FORM = /^(?!_)[a-zA-Z0-9 !#$%&()+,\-:;<=>?@[\]^_{|}~]+$/

/**
 * What `setState` or `subscribe` sends as states, checked one rule after the other over all entries, in the contract's
 * order: no states PRESENCE_INVALID_ARGUMENT, key form PRESENCE_INVALID_STATE_KEY, key size
 * PRESENCE_STATE_KEY_SIZE_OVERFLOW, value type PRESENCE_INVALID_STATE_VALUE, value size
 * PRESENCE_STATE_VALUE_SIZE_OVERFLOW. The count comes last, against what the member has: {@link checkStateCount}.
 *
 * The result is a frozen record without a prototype.
 */
export function parseStates(value: unknown, limits: StateLimits = DEFAULT_LIMITS): States {
  if (readerOf(value) === null) throw new RollcallError('PRESENCE_INVALID_ARGUMENT', 'states are a plain map of strings')
  const entries = Object.entries(value as object) as [string, unknown][]
  if (entries.length === 0) throw new RollcallError('PRESENCE_INVALID_ARGUMENT', 'there are no states')
  checkKeys(entries.map(([key]) => key), limits)
  for (const [key, state] of entries) {
    if (typeof state !== 'string' || !isWellFormed(state)) {
      throw new RollcallError('PRESENCE_INVALID_STATE_VALUE', `the value of ${JSON.stringify(key)} is not a string of well-formed Unicode`)
    }
  }
  for (const [key, state] of entries as [string, string][]) {
    if (!fitsUtf8(state, limits.stateValueBytes)) {
      throw new RollcallError('PRESENCE_STATE_VALUE_SIZE_OVERFLOW', `the value of ${JSON.stringify(key)} has more than ${limits.stateValueBytes} bytes`)
    }
  }
  return statesOf(entries as [string, string][])
}

/**
 * The keys that `removeState` names; none, or no list at all, means all of them (`000.6`). A key named twice counts
 * once. PRESENCE_INVALID_ARGUMENT for what is no list, PRESENCE_INVALID_STATE_KEY, PRESENCE_STATE_KEY_SIZE_OVERFLOW.
 */
export function parseStateKeys(value: unknown, limits: KeyLimits = DEFAULT_LIMITS): string[] {
  if (value === undefined) return []
  if (!Array.isArray(value)) throw new RollcallError('PRESENCE_INVALID_ARGUMENT', 'states are a list of keys')
  // Array.from makes the holes of a sparse list visible.
  return [...new Set(checkKeys(Array.from(value as readonly unknown[]), limits))]
}

/** Throws PRESENCE_STATE_COUNT_OVERFLOW when a member would have too many keys after the merge (`000.9`). */
export function checkStateCount(current: States, added: States, limits: Pick<Limits, 'statesPerMember'> = DEFAULT_LIMITS): void {
  const fresh = Object.keys(added).filter((key) => !Object.hasOwn(current, key)).length
  if (Object.keys(current).length + fresh > limits.statesPerMember) {
    throw new RollcallError('PRESENCE_STATE_COUNT_OVERFLOW', `a member has at most ${limits.statesPerMember} state keys in a channel`)
  }
}

/** Existing keys are overwritten, new ones added, others untouched (`000.4`). */
export function mergeStates(current: States, added: States): States {
  return statesOf([...Object.entries(current), ...Object.entries(added)])
}

/** What is left without these keys; nothing when none is named (`000.6`). */
export function withoutStates(current: States, keys: readonly string[]): States {
  return statesOf(keys.length === 0 ? [] : Object.entries(current).filter(([key]) => !keys.includes(key)))
}

function checkKeys(keys: readonly unknown[], { stateKeyBytes }: KeyLimits): string[] {
  const wellFormed = keys.map((key) => {
    if (typeof key !== 'string' || !KEY_FORM.test(key)) {
      throw new RollcallError('PRESENCE_INVALID_STATE_KEY', `${shownKey(key)} is not the form of a state key`)
    }
    return key
  })
  for (const key of wellFormed) {
    if (key.length > stateKeyBytes) throw new RollcallError('PRESENCE_STATE_KEY_SIZE_OVERFLOW', `${shownKey(key)} has more than ${stateKeyBytes} bytes`)
  }
  return wellFormed
}

function statesOf(entries: readonly (readonly [string, string])[]): States {
  return Object.freeze(recordOf(entries))
}
