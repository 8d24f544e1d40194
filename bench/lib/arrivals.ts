import { Signal } from './wait.js'

/** Counts arrivals up to a number that grows as more is sent. */
export class Arrivals {
  count = 0
  #wanted = 0
  #signal = new Signal()

  /** Resolves when so many have come in all. */
  async reach(wanted: number): Promise<void> {
    if (this.count >= wanted) return
    this.#wanted = wanted
    this.#signal = new Signal()
    await this.#signal.reached
  }

  add(): void {
    if (++this.count === this.#wanted) this.#signal.fire()
  }
}
