import { part } from '../dom.js'
import type { OwnStatus } from './standing.js'

/** Words are said when their writer pauses, not letter by letter. */
const PAUSE_MS = 600

/** Where a person says how they are. */
export class StatusForm {
  readonly #fields: HTMLFieldSetElement
  readonly #choices: readonly HTMLInputElement[]
  readonly #words: HTMLInputElement
  readonly #said: (own: OwnStatus) => void
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(form: HTMLFormElement, selfId: string, said: (own: OwnStatus) => void) {
    this.#said = said
    this.#fields = part(form, 'fieldset', HTMLFieldSetElement)
    this.#choices = [...form.querySelectorAll<HTMLInputElement>('.standing__input')]
    this.#words = part(form, '.standing__words', HTMLInputElement)
    this.#words.setAttribute('aria-label', `A few words about ${selfId}`)
    for (const choice of this.#choices) {
      choice.name = `standing of ${selfId}`
      choice.addEventListener('change', () => { this.#say() })
    }
    this.#words.addEventListener('input', () => {
      clearTimeout(this.#timer)
      this.#timer = setTimeout(() => { this.#say() }, PAUSE_MS)
    })
    this.#words.addEventListener('change', () => { this.#say() })
    form.addEventListener('submit', (event) => {
      event.preventDefault()
      this.#say()
    })
  }

  show({ standing, words }: OwnStatus, isSignedIn: boolean): void {
    this.#fields.disabled = !isSignedIn
    for (const choice of this.#choices) choice.checked = choice.value === standing
    if (document.activeElement !== this.#words) this.#words.value = words
  }

  #say(): void {
    clearTimeout(this.#timer)
    const isAway = this.#choices.some(({ value, checked }) => checked && value === 'away')
    this.#said({ standing: isAway ? 'away' : 'here', words: this.#words.value.trim() })
  }
}
