/** Where callers wait, in order, until it is opened once for all of them. */
export class Turnstile {
  #waiting = new Set<() => void>()

  get size(): number {
    return this.#waiting.size
  }

  /** Resolves with true when it is opened, with false after `ms`. */
  pass(ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const go = () => {
        clearTimeout(timer)
        resolve(true)
      }
      const timer = setTimeout(() => {
        this.#waiting.delete(go)
        resolve(false)
      }, ms)
      this.#waiting.add(go)
    })
  }

  open(): void {
    const waiting = this.#waiting
    this.#waiting = new Set()
    for (const go of waiting) go()
  }
}
