/** The page's tabs: one is chosen, and what belongs to another (`data-tab`) is hidden. The address says which (`#friends`). */
export class Tabs {
  readonly #buttons: readonly HTMLButtonElement[]
  readonly #chose: (name: string) => void
  #chosen = ''

  /** @param chose is told of each choice, also of the first */
  constructor(list: HTMLElement, chose: (name: string) => void) {
    this.#buttons = [...list.querySelectorAll<HTMLButtonElement>('[role="tab"]')]
    this.#chose = chose
    for (const button of this.#buttons) {
      button.addEventListener('click', () => {
        this.#choose(nameOf(button), true)
      })
    }
    list.addEventListener('keydown', (event) => {
      this.#step(event)
    })
    addEventListener('hashchange', () => {
      this.#choose(this.#named(), false)
    })
  }

  start(): void {
    this.#choose(this.#named(), false)
  }

  /** What the address names; the first one where it names none, as one that points into a tab does not. */
  #named(): string {
    const hash = location.hash.slice(1)
    return this.#buttons.map(nameOf).find((name) => name === hash) ?? (this.#chosen || nameOf(this.#buttons[0]))
  }

  #choose(name: string, isWish: boolean): void {
    // The first tab is what the address without a name shows.
    if (isWish) history.replaceState(history.state, '', `${location.pathname}${location.search}${name === nameOf(this.#buttons[0]) ? '' : `#${name}`}`)
    if (name === this.#chosen) return
    this.#chosen = name
    for (const button of this.#buttons) {
      const isChosen = nameOf(button) === name
      button.setAttribute('aria-selected', String(isChosen))
      button.tabIndex = isChosen ? 0 : -1
    }
    for (const part of document.querySelectorAll<HTMLElement>('[data-tab]')) part.hidden = part.dataset.tab !== name
    this.#chose(name)
  }

  /** Arrows, Home and End, as screen readers promise it of tabs. */
  #step(event: KeyboardEvent): void {
    const at = this.#buttons.findIndex((button) => button === document.activeElement)
    if (at < 0) return
    const count = this.#buttons.length
    const to = { ArrowRight: (at + 1) % count, ArrowLeft: (at + count - 1) % count, Home: 0, End: count - 1 }[event.key]
    const button = to === undefined ? undefined : this.#buttons[to]
    if (button === undefined) return
    event.preventDefault()
    button.focus()
    this.#choose(nameOf(button), true)
  }
}

/** The panel's `data-tab` is what the button's `data-name` says. */
function nameOf(button: HTMLButtonElement | undefined): string {
  return button?.dataset.name ?? ''
}
