/**
 * Several values a key, and nearly always one: that one is kept without a set around it, which is what most of the memory would be.
 */
export class MultiMap<V extends object> {
  readonly #values = new Map<string, V | Set<V>>()

  add(key: string, value: V): void {
    const there = this.#values.get(key)
    if (there === undefined) this.#values.set(key, value)
    else if (there instanceof Set) there.add(value)
    else if (there !== value) this.#values.set(key, new Set([there, value]))
  }

  /** Does nothing for one that is not here. */
  delete(key: string, value: V): void {
    const there = this.#values.get(key)
    if (there === value) this.#values.delete(key)
    if (!(there instanceof Set) || !there.delete(value)) return
    const [only] = there
    if (there.size === 1 && only !== undefined) this.#values.set(key, only)
  }

  of(key: string): Iterable<V> {
    const there = this.#values.get(key)
    if (there instanceof Set) return there
    return there === undefined ? NOBODY : [there]
  }

  keys(): Iterable<string> {
    return this.#values.keys()
  }
}

const NOBODY: readonly never[] = []
