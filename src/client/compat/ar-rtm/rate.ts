/** At most so many calls in any second, counted here: what is over it is not sent at all. */
export class CallRate {
  #calls: number[] = []

  constructor(private readonly perSecond: number) {}

  /** Counts a call; false when it is one too many. */
  take(): boolean {
    const now = performance.now()
    this.#calls = this.#calls.filter((at) => now - at < 1_000)
    if (this.#calls.length >= this.perSecond) return false
    this.#calls.push(now)
    return true
  }
}
