/** Channels that are remembered; the one least recently written to is forgotten first. */
const CHANNELS_MAX = 10_000

/** The last version of each channel that this node has acknowledged to somebody: a list shown later must not be older. */
export class Acknowledged {
  readonly #versions = new Map<string, number>()

  get(channelId: string): number {
    return this.#versions.get(channelId) ?? 0
  }

  add(channelId: string, version: number): void {
    const known = this.get(channelId)
    this.#versions.delete(channelId)
    this.#versions.set(channelId, Math.max(known, version))
    const [oldest] = this.#versions.size > CHANNELS_MAX ? this.#versions.keys() : []
    if (oldest !== undefined) this.#versions.delete(oldest)
  }
}
