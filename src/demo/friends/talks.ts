import type { PeerMessage, SendMessageResult } from '../../client/index.js'

/**
 * What has become of a message.
 *
 * - `received`: a session of the friend has acknowledged it.
 * - `kept`: none was there to do so, and the cluster keeps it for the next login.
 * - `lost`: none has, and nobody keeps it.
 * - `unknown`: no answer has come; nobody knows.
 * - `unsent`: it was refused.
 */
export type Fate = 'sending' | 'received' | 'kept' | 'lost' | 'unknown' | 'unsent'

interface LineOf<Kind extends string> {
  readonly kind: Kind
  /** No two lines with the same friend have the same. */
  readonly key: string
  readonly text: string
  /** Milliseconds since the epoch. */
  readonly at: number
}

export interface OwnLine extends LineOf<'own'> {
  readonly fate: Fate
  /** Of one that was not sent. */
  readonly why: string
}

export interface TheirLine extends LineOf<'theirs'> {
  /** It has waited for the login. */
  readonly isLate: boolean
}

export type Line = OwnLine | TheirLine | LineOf<'call'>

/** Lines with one friend; of more, the oldest are forgotten. */
export const MOST_LINES = 100
const NONE: readonly Line[] = []

/** What a person and each of their friends have said to one another since the page was opened. */
export class Talks {
  readonly #lines = new Map<string, readonly Line[]>()
  readonly #unread = new Map<string, number>()
  #count = 0

  /** A new list at each change. */
  with(userId: string): readonly Line[] {
    return this.#lines.get(userId) ?? NONE
  }

  unread(userId: string): number {
    return this.#unread.get(userId) ?? 0
  }

  /** Whose lines have not been read. */
  get waiting(): Iterable<string> {
    return this.#unread.keys()
  }

  get allUnread(): number {
    return [...this.#unread.values()].reduce((sum, count) => sum + count, 0)
  }

  read(userId: string): void {
    this.#unread.delete(userId)
  }

  /** Answers the line's key, by which it is settled. */
  say(userId: string, text: string, at = Date.now()): string {
    const key = `own ${++this.#count}`
    this.#add(userId, { kind: 'own', key, text, at, fate: 'sending', why: '' })
    return key
  }

  settle(userId: string, key: string, fate: Fate, why = ''): void {
    this.#lines.set(userId, this.with(userId).map((line) => (line.key === key && line.kind === 'own' ? { ...line, fate, why } : line)))
  }

  hear({ id, from, text, offline, timestamp }: PeerMessage): void {
    this.#add(from, { kind: 'theirs', key: `theirs ${id}`, text, at: timestamp, isLate: offline })
    this.#unread.set(from, this.unread(from) + 1)
  }

  /** What became of a call. */
  noteCall(userId: string, id: string, text: string, at: number): void {
    this.#add(userId, { kind: 'call', key: `call ${id}`, text, at })
  }

  #add(userId: string, line: Line): void {
    this.#lines.set(userId, [...this.with(userId), line].slice(-MOST_LINES))
  }
}

export function fateOf({ received }: Pick<SendMessageResult, 'received'>, isKept: boolean): Fate {
  if (received) return 'received'
  return isKept ? 'kept' : 'lost'
}

/** What the sender is told of it. */
export function fateWords({ fate, why }: Pick<OwnLine, 'fate' | 'why'>): string {
  switch (fate) {
    case 'sending':
      return 'sending…'
    case 'received':
      return 'received'
    case 'kept':
      return 'not received yet: kept for later'
    case 'lost':
      return 'lost: nobody has received it'
    case 'unknown':
      return 'no answer: nobody knows whether it arrived'
    case 'unsent':
      return why === '' ? 'not sent' : `not sent: ${why}`
  }
}
