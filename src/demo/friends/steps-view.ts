import { byId, copyOf, part, setText } from '../dom.js'
import { hintOf, STEPS, type Scene, type Step } from './steps.js'

/** The things to try, ticked off as they happen, and what to do next. */
export class StepsView {
  readonly #hint = byId('steps-hint', HTMLElement)
  readonly #items = STEPS.map(([step, label]) => {
    const element = copyOf('step-template', HTMLLIElement)
    setText(part(element, '.step__label', HTMLElement), label)
    return { step, element }
  })

  constructor() {
    byId('steps', HTMLOListElement).append(...this.#items.map(({ element }) => element))
  }

  /** @param scene `null`: there is no second person on this page */
  show(done: ReadonlySet<Step>, scene: Scene | null): void {
    const next = this.#items.find(({ step }) => !done.has(step))
    for (const { step, element } of this.#items) {
      element.dataset.done = String(done.has(step))
      if (next?.step === step) element.setAttribute('aria-current', 'step')
      else element.removeAttribute('aria-current')
      setText(part(element, '.step__state', HTMLElement), done.has(step) ? ' (done)' : '')
    }
    setText(this.#hint, scene === null ? 'Open a second person in another window, and try it between the two.' : hintOf(done, scene))
  }
}
