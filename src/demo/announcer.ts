import { byId } from './dom.js'

/** A screen reader hears of comings and goings together, at most once in this time. */
const TOGETHER_MS = 1_500
const MOST_NAMES = 3

/** Tells those who do not see the cards who came and who went. */
export class Announcer {
  readonly #place = byId('announcer', HTMLElement)
  #waiting: { readonly who: string; readonly what: string }[] = []

  announce(who: string, what: string): void {
    this.#waiting.push({ who, what })
    if (this.#waiting.length > 1) return
    setTimeout(() => {
      this.#speak()
    }, TOGETHER_MS)
  }

  #speak(): void {
    const said = this.#waiting.slice(0, MOST_NAMES).map(({ who, what }) => `${who} ${what}`)
    const rest = this.#waiting.length - said.length
    this.#waiting = []
    this.#place.textContent = `${said.join(', ')}${rest > 0 ? `, and ${rest} more changes` : ''}.`
  }
}
