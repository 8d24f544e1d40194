/** How long before its end a token is said to end (`000`). */
const WARNING_MS = 30_000
/** The longest time that a timer can wait; longer waits are made of several. */
const MAX_TIMER_MS = 2 ** 31 - 1

export interface TokenClockEvents {
  readonly onWillExpire: () => void
  readonly onExpired: () => void
}

/** Watches over one token's end. Arming it again forgets the token before. */
export class TokenClock {
  #timer: NodeJS.Timeout | null = null

  constructor(private readonly events: TokenClockEvents) {}

  /** `expiresAt` in milliseconds since the epoch; null: never. A token that ends within the warning is warned of at once. */
  arm(expiresAt: number | null): void {
    this.clear()
    if (expiresAt === null) return
    this.#at(expiresAt - WARNING_MS, () => {
      this.#at(expiresAt, this.events.onExpired)
      this.events.onWillExpire()
    })
  }

  clear(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  #at(time: number, action: () => void): void {
    const wait = time - Date.now()
    this.#timer = setTimeout(
      () => {
        this.#timer = null
        if (wait > MAX_TIMER_MS) this.#at(time, action)
        else action()
      },
      Math.max(0, Math.min(wait, MAX_TIMER_MS)),
    )
    this.#timer.unref()
  }
}
