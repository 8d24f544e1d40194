/** Where callers wait, in order, until it is opened once for all of them. */
export class Turnstile {
  readonly #waiting = new Set<() => void>()

  get size(): number {
    return this.#waiting.size
  }

  /** Resolves when it is opened, at the latest after `ms`. */
  pass(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const go = () => {
        clearTimeout(timer)
        this.#waiting.delete(go)
        resolve()
      }
      const timer = setTimeout(go, ms)
      this.#waiting.add(go)
    })
  }

  open(): void {
    for (const go of [...this.#waiting]) go()
  }
}
