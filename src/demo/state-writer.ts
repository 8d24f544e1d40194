/** Keys to set; `null` removes one. */
export type StatePatch = Readonly<Record<string, string | null>>

/** Where a patch goes. It rejects when the patch was not taken. */
export type SendPatch = (patch: StatePatch) => Promise<void>

interface WriterOptions {
  /** Says whether a patch has a chance now; while it has none, changes wait for {@link StateWriter.poke}. */
  readonly isReady: () => boolean
  /** May the same patch succeed later? */
  readonly isRetryable: (error: unknown) => boolean
  readonly gaveUp: (error: unknown) => void
  /** Milliseconds between two calls. */
  readonly pauseMs?: number
}

const ATTEMPTS = 5

/**
 * Sends one's own changes: those of a moment together, one call at a time, the newest value of a key only. Whoever
 * types fast or hammers on a button stays below the rate limit, and nothing overtakes anything.
 */
export class StateWriter {
  #pending: Record<string, string | null> = {}
  #busy = false
  #attempt = 0
  /** Counts {@link StateWriter.clear}: what was under way then is not sent again. */
  #cleared = 0
  readonly #send: SendPatch
  readonly #options: WriterOptions
  readonly #pauseMs: number

  constructor(send: SendPatch, options: WriterOptions) {
    this.#send = send
    this.#options = options
    this.#pauseMs = options.pauseMs ?? 120
  }

  /** Whether all that was said has been taken. */
  get isIdle(): boolean {
    return !this.#busy && Object.keys(this.#pending).length === 0
  }

  write(patch: StatePatch): void {
    this.#pending = { ...this.#pending, ...patch }
    this.poke()
  }

  /** Try now: the connection is back. */
  poke(): void {
    if (this.#busy || Object.keys(this.#pending).length === 0 || !this.#options.isReady()) return
    void this.#flush()
  }

  /** Forgets what was not taken yet. */
  clear(): void {
    this.#pending = {}
    this.#attempt = 0
    this.#cleared += 1
  }

  async #flush(): Promise<void> {
    this.#busy = true
    const patch = this.#pending
    const cleared = this.#cleared
    this.#pending = {}
    let pause = this.#pauseMs
    try {
      await this.#send(patch)
      this.#attempt = 0
    } catch (error) {
      if (cleared === this.#cleared) pause = this.#failed(patch, error)
    }
    setTimeout(() => {
      this.#busy = false
      this.poke()
    }, pause)
  }

  /** Milliseconds until the next call. */
  #failed(patch: StatePatch, error: unknown): number {
    this.#attempt += 1
    if (this.#options.isRetryable(error) && this.#attempt < ATTEMPTS) {
      // What was said since is newer than what failed.
      this.#pending = { ...patch, ...this.#pending }
      return 250 * 2 ** this.#attempt * (0.75 + Math.random() / 2)
    }
    this.#attempt = 0
    this.#options.gaveUp(error)
    return this.#pauseMs
  }
}
