/** How long a node's list is declared after it was last named, in milliseconds: about as long as its clients take to come back. */
const REMEMBERED_MS = 60_000
/** More than that in a minute are not one fault; whoever was named first is forgotten. */
const MOST = 16

/**
 * Nodes whose sessions were taken over lately. A script may touch a key only if it was declared, and which node holds a session is known
 * in Redis alone: so `commit` names the nodes whose lists it lacks, and the batch is sent again. When a node is lost, thousands are
 * taken over from it, so from then on its list is declared at once. One that is declared and not needed changes nothing.
 */
export class RecentOwners {
  readonly #namedAt = new Map<string, number>()

  get recent(): readonly string[] {
    if (this.#namedAt.size === 0) return []
    const since = performance.now() - REMEMBERED_MS
    for (const [owner, at] of this.#namedAt) if (at < since) this.#namedAt.delete(owner)
    return [...this.#namedAt.keys()]
  }

  add(owner: string): void {
    this.#namedAt.delete(owner)
    this.#namedAt.set(owner, performance.now())
    const [oldest] = this.#namedAt.keys()
    if (this.#namedAt.size > MOST && oldest !== undefined) this.#namedAt.delete(oldest)
  }
}
