/**
 * One waiting line a key: who enters second waits until the first has left. Entering is synchronous, so the order of
 * the calls is the order of the line.
 */
export class Serial {
  /** Made when it is first needed: there is one for each connection, and most wait for nothing most of the time. */
  #tails: Map<string, Promise<void>> | null = null

  /** Whoever entered last, as long as the line is not empty; another one for each caller of {@link enter}. */
  last(key: string): unknown {
    return this.#tails?.get(key)
  }

  /** Resolves, when it is this caller's turn, to the function that ends the turn. It must be called. */
  async enter(key: string): Promise<() => void> {
    const tails = (this.#tails ??= new Map<string, Promise<void>>())
    const before = tails.get(key)
    let leave!: () => void
    const turn = new Promise<void>((resolve) => {
      leave = () => {
        // The last one takes the line away with it.
        if (tails.get(key) === turn) tails.delete(key)
        if (tails.size === 0 && this.#tails === tails) this.#tails = null
        resolve()
      }
    })
    tails.set(key, turn)
    await before
    return leave
  }
}
