import { byId, prefersStillness } from './dom.js'

/** After this pause in typing the others do not see the words any more. */
const PAUSE_MS = 5_000

/**
 * The box whose words others see while one types. They go when one pauses, presses Enter or empties the box; after a
 * pause one's own text stays, so that nobody loses a sentence to a clock.
 */
export class TypingBox {
  readonly #input = byId('typing', HTMLInputElement)
  readonly #line = byId('typing-line', HTMLElement)
  /** Says the words, or `null` when there are none any more. */
  readonly #say: (text: string | null) => void
  #timer: ReturnType<typeof setTimeout> | undefined
  #shrinking: Animation | null = null
  #isSaid = false

  constructor(say: (text: string | null) => void) {
    this.#say = say
    this.#input.addEventListener('input', () => {
      this.#typed()
    })
    this.#input.addEventListener('keydown', (event) => {
      // Enter inside an input method chooses a word; it does not end the sentence.
      if (event.key !== 'Enter' || event.isComposing) return
      event.preventDefault()
      this.clear()
    })
  }

  clear(): void {
    this.#input.value = ''
    this.#fallSilent()
  }

  #typed(): void {
    const text = this.#input.value
    if (text.trim() === '') {
      this.#fallSilent()
      return
    }
    this.#isSaid = true
    this.#say(text)
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#fallSilent()
    }, PAUSE_MS)
    this.#shrinking?.cancel()
    if (prefersStillness()) return
    this.#shrinking = this.#line.animate([{ transform: 'scaleX(1)' }, { transform: 'scaleX(0)' }], { duration: PAUSE_MS })
  }

  #fallSilent(): void {
    clearTimeout(this.#timer)
    this.#shrinking?.cancel()
    if (!this.#isSaid) return
    this.#isSaid = false
    this.#say(null)
  }
}
