import { byId, copyOf, part, setText } from '../dom.js'

/** What a side has for whoever looks at the other one. */
export interface SideNews {
  readonly isRinging: boolean
  /** Requests, and lines that have not been read. */
  readonly news: number
}

/** On a narrow screen one side is shown at a time: the switch between them, which says when something happens on the other one. */
export class Sides {
  readonly #place = byId('sides', HTMLElement)
  readonly #people = byId('both', HTMLElement)
  readonly #narrow = matchMedia('(max-width: 859px)')
  readonly #buttons: HTMLButtonElement[] = []
  #shown = 0

  /** @param changed another side is looked at */
  constructor(changed: () => void) {
    this.#narrow.addEventListener('change', changed)
    this.#place.addEventListener('click', (event) => {
      const index = this.#buttons.findIndex((button) => event.target instanceof Node && button.contains(event.target))
      if (index < 0) return
      this.#shown = index
      changed()
      // What is new on a side stands at its top.
      if (this.#people.getBoundingClientRect().top < 0) this.#people.scrollIntoView()
    })
  }

  add(name: string, role: string): void {
    const button = copyOf('side-template', HTMLButtonElement)
    setText(part(button, '.side__name', HTMLElement), name)
    setText(part(button, '.side__role', HTMLElement), role)
    this.#buttons.push(button)
    this.#place.append(button)
  }

  isLookedAt(index: number): boolean {
    return !this.#narrow.matches || index === this.#shown
  }

  /** @param news of each side that is there */
  show(news: readonly SideNews[]): void {
    this.#place.hidden = news.length < 2
    this.#people.dataset.shown = String(this.#shown)
    this.#buttons.forEach((button, index) => {
      const { isRinging = false, news: count = 0 } = news[index] ?? {}
      button.setAttribute('aria-pressed', String(index === this.#shown))
      button.dataset.ringing = String(isRinging)
      setText(part(button, '.side__news', HTMLElement), isRinging ? 'rings' : count > 0 && index !== this.#shown ? `${count} new` : '')
    })
  }
}
