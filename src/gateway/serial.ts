/**
 * One waiting line a key: who enters second waits until the first has left. Entering is synchronous, so the order of
 * the calls is the order of the line.
 */
export class Serial {
  readonly #tails = new Map<string, Promise<void>>()

  /** Whoever entered last, as long as the line is not empty; another one for each caller of {@link enter}. */
  last(key: string): unknown {
    return this.#tails.get(key)
  }

  /** Resolves, when it is this caller's turn, to the function that ends the turn. It must be called. */
  async enter(key: string): Promise<() => void> {
    const before = this.#tails.get(key)
    let leave!: () => void
    const turn = new Promise<void>((resolve) => {
      leave = () => {
        // The last one takes the line away with it.
        if (this.#tails.get(key) === turn) this.#tails.delete(key)
        resolve()
      }
    })
    this.#tails.set(key, turn)
    await before
    return leave
  }
}
