import type { RosterNotice, RosterResult, StatusNotice } from '../../client/index.js'
import { excerpt } from '../profile.js'
import { standingOf, type Standing } from './standing.js'

/** What somebody is to this person: one who wants to be a friend, a friend, or one who was asked to be. */
export type Tie = 'asks' | 'friend' | 'asked'

export interface Contact {
  readonly userId: string
  readonly tie: Tie
  /** What somebody says who asks. */
  readonly request: string
  /** `null`: not heard of, so most likely not there. */
  readonly standing: Standing | null
  readonly words: string
}

interface Entry extends Contact {
  /** Has said something since everybody was asked. */
  readonly isHeard: boolean
}

const ORDER: readonly Tie[] = ['asks', 'friend', 'asked']

/** A person's friends and requests, with what each said of themselves last. */
export class AddressBook {
  readonly #entries = new Map<string, Entry>()

  /** Who asks comes first, then friends, then who was asked; each by name. */
  get contacts(): readonly Contact[] {
    return [...this.#entries.values()].sort((a, b) => ORDER.indexOf(a.tie) - ORDER.indexOf(b.tie) || (a.userId < b.userId ? -1 : 1))
  }

  find(userId: string): Contact | undefined {
    return this.#entries.get(userId)
  }

  isFriend(userId: string): boolean {
    return this.#entries.get(userId)?.tie === 'friend'
  }

  /** As the cluster has it; what was said by those who stay is kept. */
  replace({ friends, asked, requests }: Pick<RosterResult, 'friends' | 'asked' | 'requests'>): void {
    const listed = new Set([...friends, ...asked, ...requests.map(({ userId }) => userId)])
    for (const userId of this.#entries.keys()) if (!listed.has(userId)) this.#entries.delete(userId)
    for (const userId of friends) this.tie(userId, 'friend')
    for (const userId of asked) this.tie(userId, 'asked')
    for (const { userId, message } of requests) this.tie(userId, 'asks', message)
  }

  tie(userId: string, tie: Tie, request = ''): void {
    const { standing = null, words = '', isHeard = false } = this.#entries.get(userId) ?? {}
    this.#entries.set(userId, { userId, tie, request: excerpt(request), standing, words, isHeard })
  }

  part(userId: string): void {
    this.#entries.delete(userId)
  }

  noticed({ type, userId, message }: RosterNotice): void {
    if (type === 'FRIENDS') this.tie(userId, 'friend')
    else if (type !== 'REQUEST') this.part(userId)
    else if (!this.isFriend(userId)) this.tie(userId, 'asks', message)
  }

  told(notice: StatusNotice): void {
    const entry = this.#entries.get(notice.from)
    if (entry === undefined) return
    const standing = standingOf(notice)
    this.#entries.set(notice.from, { ...entry, standing, words: standing === 'gone' ? '' : excerpt(notice.status ?? ''), isHeard: true })
  }

  /** Everybody is being asked how they are, since what was said meanwhile is lost. */
  askAll(): void {
    for (const [userId, entry] of this.#entries) this.#entries.set(userId, { ...entry, isHeard: false })
  }

  /** Of those who have not answered nothing is known any more. */
  giveUpSilent(): void {
    for (const [userId, entry] of this.#entries) if (!entry.isHeard) this.#entries.set(userId, { ...entry, standing: null, words: '' })
  }
}
