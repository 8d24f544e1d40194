import { part, setText } from '../dom.js'
import type { Contact } from './address-book.js'
import { KeyedList } from './keyed-list.js'
import { LineView } from './line-view.js'
import type { Line } from './talks.js'

/** Whoever is this near to the end of a conversation reads it. */
const END_PX = 24

export interface TalkWatcher {
  readonly wrote: (userId: string, text: string, keep: boolean) => void
  readonly called: (userId: string) => void
  readonly parted: (userId: string) => void
}

/** A conversation, or why there is none. */
export interface Talk {
  readonly friend: Contact | null
  readonly lines: readonly Line[]
  readonly isCalling: boolean
  /** Said where there is no friend. */
  readonly empty: string
}

/** The conversation with one friend: its lines, the box to write in, and the button to call. */
export class TalkView {
  readonly #root: HTMLElement
  readonly #selfId: string
  readonly #log: HTMLElement
  readonly #input: HTMLInputElement
  readonly #keep: HTMLInputElement
  readonly #call: HTMLButtonElement
  readonly #part: HTMLButtonElement
  readonly #hint: HTMLElement
  #lines: KeyedList<Line>
  #friend: Contact | null = null

  constructor(root: HTMLElement, selfId: string, watcher: TalkWatcher) {
    this.#root = root
    this.#selfId = selfId
    this.#log = part(root, '.talk__log', HTMLElement)
    this.#input = part(root, '.talk__input', HTMLInputElement)
    this.#keep = part(root, '.talk__keep', HTMLInputElement)
    this.#call = part(root, '.talk__call', HTMLButtonElement)
    this.#part = part(root, '.talk__part', HTMLButtonElement)
    this.#hint = part(root, '.talk__hint', HTMLElement)
    this.#lines = this.#newLines()
    this.#listen(watcher)
  }

  show({ friend, lines, isCalling, empty }: Talk): void {
    const isOther = friend?.userId !== this.#friend?.userId
    this.#friend = friend
    part(this.#root, '.talk__empty', HTMLElement).hidden = friend !== null
    setText(part(this.#root, '.talk__empty', HTMLElement), friend === null ? empty : '')
    part(this.#root, '.talk__body', HTMLElement).hidden = friend === null
    if (isOther) {
      this.#log.replaceChildren()
      this.#lines = this.#newLines()
    }
    if (friend === null) return
    const { userId } = friend
    setText(part(this.#root, '.talk__name', HTMLElement), userId)
    this.#log.setAttribute('aria-label', `${this.#selfId}’s conversation with ${userId}`)
    this.#input.setAttribute('aria-label', `Write to ${userId}, as ${this.#selfId}`)
    this.#call.setAttribute('aria-label', `Call ${userId}, as ${this.#selfId}`)
    this.#part.setAttribute('aria-label', `Remove ${userId} from ${this.#selfId}’s friends`)
    this.#call.setAttribute('aria-disabled', String(isCalling))
    // What is said of the last line may need one more.
    const isAtEnd = this.#log.scrollHeight - this.#log.scrollTop - this.#log.clientHeight < END_PX
    if (this.#lines.show(lines) || isOther || isAtEnd) this.#log.scrollTop = this.#log.scrollHeight
    this.#tellWhatWillBe()
  }

  /** For whoever has pressed a button that is gone. */
  focus(): void {
    if (this.#friend !== null) this.#input.focus()
  }

  #newLines(): KeyedList<Line> {
    return new KeyedList<Line>(this.#log, ({ key }) => key, (line) => new LineView(line, line.kind === 'own' ? this.#selfId : (this.#friend?.userId ?? '')))
  }

  #listen({ wrote, called, parted }: TalkWatcher): void {
    part(this.#root, '.talk__form', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault()
      const text = this.#input.value.trim()
      if (this.#friend === null || text === '') return
      this.#input.value = ''
      wrote(this.#friend.userId, text, this.#keep.checked)
    })
    this.#keep.addEventListener('change', () => {
      this.#tellWhatWillBe()
    })
    this.#call.addEventListener('click', () => {
      if (this.#friend !== null && this.#call.getAttribute('aria-disabled') !== 'true') called(this.#friend.userId)
    })
    this.#part.addEventListener('click', () => {
      if (this.#friend !== null) parted(this.#friend.userId)
    })
  }

  #tellWhatWillBe(): void {
    const isThere = this.#friend?.standing === 'here' || this.#friend?.standing === 'away'
    setText(this.#hint, isThere || this.#friend === null ? '' : `${this.#friend.userId} is not there: this would ${this.#keep.checked ? 'wait for the next login' : 'be lost'}.`)
  }
}
