import { copyOf, part, setText } from '../dom.js'
import { initials, tintOf } from '../names.js'
import type { ItemView } from './keyed-list.js'
import type { Row, RowAction } from './rows.js'

const LABELS: Readonly<Record<RowAction, string>> = { befriend: 'Befriend', accept: 'Accept', refuse: 'Refuse', 'take back': 'Take back' }

/** A row with what only its list knows. */
export interface ShownRow extends Row {
  readonly isChosen: boolean
  readonly unread: number
}

export interface RowWatcher {
  readonly chosen: (userId: string) => void
  readonly wished: (action: RowAction, userId: string) => void
}

/** One line of a person's list: who, how they are, and what can be done. */
export class RowView implements ItemView<ShownRow> {
  readonly element = copyOf('contact-template', HTMLLIElement)
  readonly #main = part(this.element, '.contact__main', HTMLButtonElement)
  readonly #line = part(this.element, '.contact__line', HTMLElement)
  readonly #unread = part(this.element, '.contact__unread', HTMLElement)
  readonly #buttons = [...this.element.querySelectorAll<HTMLButtonElement>('.contact__action')]
  #row: ShownRow

  constructor(row: ShownRow, watcher: RowWatcher) {
    this.#row = row
    this.element.dataset.tint = tintOf(row.userId)
    setText(part(this.element, '.contact__face', HTMLElement), initials(row.userId))
    const name = part(this.element, '.contact__name', HTMLElement)
    setText(name, row.userId)
    name.title = row.userId
    this.#main.addEventListener('click', () => {
      watcher.chosen(row.userId)
    })
    this.#buttons.forEach((button, index) => {
      button.addEventListener('click', () => {
        const action = this.#row.actions[index]
        if (action !== undefined) watcher.wished(action, row.userId)
      })
    })
  }

  show(row: ShownRow): void {
    this.#row = row
    const { isFriend, isChosen, standing, line, actions, unread, userId } = row
    this.element.dataset.standing = isFriend ? (standing ?? 'unknown') : 'none'
    this.#main.disabled = !isFriend
    this.#main.setAttribute('aria-pressed', String(isChosen))
    setText(this.#line, line)
    this.#line.title = line
    setText(this.#unread, unread > 0 ? `${unread} new` : '')
    const hadFocus = this.#buttons.some((button) => button === document.activeElement)
    this.#buttons.forEach((button, index) => {
      const action = actions[index]
      button.hidden = action === undefined
      if (action === undefined) return
      button.dataset.action = action
      setText(button, LABELS[action])
      button.setAttribute('aria-label', `${LABELS[action]}: ${userId}`)
    })
    // What was pressed may be gone with it.
    if (hadFocus && !this.#buttons.some((button) => button === document.activeElement && !button.hidden)) this.#nearest().focus()
  }

  #nearest(): HTMLElement {
    return this.#main.disabled ? (this.#buttons.find((button) => !button.hidden) ?? this.#main) : this.#main
  }
}
