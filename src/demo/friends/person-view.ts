import { copyOf, part, setText } from '../dom.js'
import { initials, tintOf } from '../names.js'
import type { OpenCall } from './calls.js'
import { KeyedList } from './keyed-list.js'
import type { Person } from './person.js'
import { RingView } from './ring-view.js'
import { RowView, type ShownRow } from './row-view.js'
import { rowsOf, type RowAction } from './rows.js'
import { StatusForm } from './status-form.js'
import { TalkView } from './talk-view.js'

/** What a side has besides its person. */
export interface Side {
  /** Who this is, for a newcomer. */
  readonly role: string
  /** Where the same person can be opened once more; `null` for the visitor, who has this page's address. */
  readonly elsewhere: string | null
  /** Who could be befriended. */
  readonly around: () => Iterable<string>
  readonly signIn: () => void
  /** `null`: not from here. */
  readonly signOut: (() => void) | null
}

/** One side of the page: a person with their status, friends, conversation and calls. */
export class PersonView {
  readonly element = copyOf('person-template', HTMLElement)
  readonly #person: Person
  readonly #side: Side
  readonly #seat = part(this.element, '.person__seat', HTMLButtonElement)
  readonly #note = part(this.element, '.person__note', HTMLElement)
  readonly #status: StatusForm
  readonly #rows: KeyedList<ShownRow>
  readonly #rings: KeyedList<OpenCall>
  readonly #talk: TalkView
  #chosen: string | null = null

  constructor(person: Person, side: Side) {
    this.#person = person
    this.#side = side
    this.#head()
    this.#status = new StatusForm(part(this.element, '.standing', HTMLFormElement), person.userId, (own) => {
      person.say(own)
    })
    const rowWatcher = { chosen: (userId: string) => { this.#choose(userId) }, wished: (action: RowAction, userId: string) => { this.#act(action, userId) } }
    this.#rows = new KeyedList(part(this.element, '.contacts', HTMLUListElement), ({ userId }) => userId, (row) => new RowView(row, rowWatcher))
    const ringWatcher = {
      accepted: (id: string) => { person.accept(id) },
      refused: (id: string) => { person.refuse(id) },
      canceled: (id: string) => { person.cancel(id) },
    }
    this.#rings = new KeyedList(part(this.element, '.rings', HTMLElement), ({ invitation: { callee, id } }) => `${callee}\n${id}`, (call) => new RingView(call, ringWatcher))
    this.#talk = new TalkView(part(this.element, '.talk', HTMLElement), person.userId, {
      wrote: (userId, text, keep) => { person.write(userId, text, keep) },
      called: (userId) => { person.call(userId) },
      parted: (userId) => { person.part(userId) },
    })
  }

  /** @param isLookedAt whether its lines count as read */
  show(isLookedAt: boolean): void {
    const person = this.#person
    const { book, talks, calls, isSignedIn, link } = person
    this.element.dataset.signedIn = String(isSignedIn)
    setText(this.#seat, isSignedIn ? 'Log out' : 'Log in')
    this.#seat.hidden = this.#side.signOut === null && isSignedIn
    setText(this.#note, noteFor(person))
    this.#note.hidden = this.#note.textContent === ''
    this.#status.show(person.own, isSignedIn)
    const friends = book.contacts.filter(({ tie }) => tie === 'friend')
    this.element.dataset.friendless = String(friends.length === 0)
    const friend = friends.find(({ userId }) => userId === this.#chosen) ?? friends[0] ?? null
    if (friend !== null && isLookedAt) talks.read(friend.userId)
    const around = isSignedIn ? this.#side.around() : []
    this.#rows.show(rowsOf(book.contacts, { wrote: talks.waiting, around }, person.userId).map((row) => ({ ...row, isChosen: row.userId === friend?.userId, unread: talks.unread(row.userId) })))
    part(this.element, '.person__body', HTMLElement).inert = link !== 'CONNECTED'
    const hadFocus = part(this.element, '.rings', HTMLElement).contains(document.activeElement)
    this.#rings.show(calls.open)
    this.#talk.show({
      friend,
      lines: friend === null ? [] : talks.with(friend.userId),
      isCalling: friend !== null && calls.find(friend.userId) !== undefined,
      empty: 'With a friend, you can write and call here.',
    })
    // The button that was pressed went with its call.
    if (hadFocus && document.activeElement === document.body) this.#talk.focus()
  }

  #head(): void {
    const { userId } = this.#person
    this.element.dataset.tint = tintOf(userId)
    this.element.setAttribute('aria-label', `${userId}, ${this.#side.role}`)
    setText(part(this.element, '.person__face', HTMLElement), initials(userId))
    setText(part(this.element, '.person__name', HTMLElement), userId)
    setText(part(this.element, '.person__role', HTMLElement), this.#side.role)
    const elsewhere = part(this.element, '.person__elsewhere', HTMLAnchorElement)
    elsewhere.hidden = this.#side.elsewhere === null
    if (this.#side.elsewhere !== null) elsewhere.href = this.#side.elsewhere
    this.#seat.addEventListener('click', () => {
      if (this.#person.isSignedIn) this.#side.signOut?.()
      else this.#side.signIn()
    })
  }

  #choose(userId: string): void {
    this.#chosen = userId
    this.show(true)
    this.#talk.focus()
  }

  #act(action: RowAction, userId: string): void {
    if (action === 'befriend' || action === 'accept') {
      this.#chosen = userId
      this.#person.befriend(userId)
    } else this.#person.part(userId)
  }
}

function noteFor({ link, isSignedIn }: Person): string {
  if (link === 'DISCONNECTED') return 'The connection is lost; it comes back by itself.'
  if (link === 'CONNECTING' || link === 'SUSPENDED') return 'Connecting…'
  if (link === 'FAILED') return 'Not signed in.'
  return isSignedIn ? '' : 'Logged out: friends see it at once. What they write now is kept, or lost, as they wish.'
}
