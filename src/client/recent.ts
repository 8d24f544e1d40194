/** How many are remembered. */
const KEPT = 256

/** What was heard of late: two connections, or two sessions, may bring the same. */
export class Recent {
  readonly #heard = new Set<string>()

  isNew(id: string): boolean {
    if (this.#heard.has(id)) return false
    this.#heard.add(id)
    const [oldest] = this.#heard
    if (this.#heard.size > KEPT && oldest !== undefined) this.#heard.delete(oldest)
    return true
  }
}
