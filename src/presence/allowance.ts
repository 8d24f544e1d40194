/** So many at once, and so many a second. */
export class Allowance {
  #left: number
  #at = performance.now()

  constructor(
    private readonly perSecond: number,
    private readonly most: number,
  ) {
    this.#left = most
  }

  /** How long until there is one, in milliseconds. */
  waitMs(): number {
    this.#refill()
    return this.#left >= 1 ? 0 : ((1 - this.#left) / this.perSecond) * 1000
  }

  /** Takes one, if there is one. */
  spend(): void {
    this.#refill()
    this.#left = Math.max(0, this.#left - 1)
  }

  #refill(): void {
    const now = performance.now()
    this.#left = Math.min(this.most, this.#left + ((now - this.#at) / 1000) * this.perSecond)
    this.#at = now
  }
}
