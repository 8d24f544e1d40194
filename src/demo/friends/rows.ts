import type { Contact } from './address-book.js'
import type { Standing } from './standing.js'

export type RowAction = 'befriend' | 'accept' | 'refuse' | 'take back'

/** One line of a person's list, ready to be shown. */
export interface Row {
  readonly userId: string
  /** Friends can be chosen, to write to and to call. */
  readonly isFriend: boolean
  readonly standing: Standing | null
  readonly line: string
  readonly actions: readonly RowAction[]
}

/** More strangers than these are not offered. */
const MOST_STRANGERS = 5

/** Who could be befriended. */
export interface Strangers {
  /** They have written, which needs no friendship. */
  readonly wrote: Iterable<string>
  readonly around: Iterable<string>
}

/** The list of a person: contacts first, then strangers. */
export function rowsOf(contacts: readonly Contact[], { wrote, around }: Strangers, selfId: string): readonly Row[] {
  const known = new Set([selfId, ...contacts.map(({ userId }) => userId)])
  const writers = new Set(wrote)
  const strangers = [...new Set([...writers, ...around])].filter((userId) => !known.has(userId)).slice(0, MOST_STRANGERS)
  return [...contacts.map(contactRow), ...strangers.map((userId) => strangerRow(userId, writers.has(userId)))]
}

function standingWords(standing: Standing | null): string {
  switch (standing) {
    case 'here':
      return 'online'
    case 'away':
      return 'away'
    case 'gone':
      return 'gone'
    case null:
      return 'not there'
  }
}

function contactRow({ userId, tie, request, standing, words }: Contact): Row {
  const row = { userId, isFriend: tie === 'friend' }
  switch (tie) {
    case 'asks':
      return { ...row, standing: null, line: `asks to be your friend${request === '' ? '' : `: “${request}”`}`, actions: ['accept', 'refuse'] }
    case 'asked':
      return { ...row, standing: null, line: 'asked, no answer yet', actions: ['take back'] }
    case 'friend':
      return { ...row, standing, line: words === '' ? standingWords(standing) : `${standingWords(standing)} · “${words}”`, actions: [] }
  }
}

function strangerRow(userId: string, hasWritten: boolean): Row {
  return { userId, isFriend: false, standing: null, line: hasWritten ? 'has written to you, and is no friend' : 'not a friend yet', actions: ['befriend'] }
}
