import { RollcallError } from '../../src/protocol/errors.js'
import { jwt, tokenFor } from '../support/tokens.js'

/** A node's timer and this process's clock may differ by this much, in milliseconds. */
const EARLY_MS = 20
/** Between the end of one short token and the next short one, in milliseconds. */
const APART_MS = 2_000

/** The app's side of a client's tokens: gives one to whoever asks, or, for a while, none. */
export class Tokens {
  /** Why it gives none now. */
  #refusal: Error | undefined
  #expiresAt = Infinity

  constructor(private readonly user: string) {}

  /** `getToken` of the SDK. */
  readonly get = async (): Promise<string> => {
    if (this.#refusal !== undefined) throw this.#refusal
    return tokenFor(this.user)
  }

  get refuses(): boolean {
    return this.#refusal !== undefined
  }

  /** From when on the session may have ended with its token; the end of time when no short one was handed over. */
  get endsFrom(): number {
    return this.#expiresAt - EARLY_MS
  }

  /** From here on it gives none; `forGood`: the app says that this user is not to come back. */
  refuse(forGood: boolean): void {
    this.#refusal = forGood ? new RollcallError('INVALID_TOKEN', 'no more tokens for this user') : new RollcallError('PRESENCE_OPERATION_FAILED', 'no token now')
  }

  give(): void {
    this.#refusal = undefined
  }

  /** A session begins: with a token that lasts. */
  begin(): void {
    this.#expiresAt = Infinity
  }

  /** Whether the last short token has run its course, and another may be handed over. */
  mayHandOver(): boolean {
    return this.#expiresAt === Infinity || Date.now() > this.#expiresAt + APART_MS
  }

  /** Hands over a token that runs out at a moment, in milliseconds since the epoch. */
  async handOver(expiresAt: number, renewToken: (token: string) => Promise<unknown>): Promise<void> {
    this.#expiresAt = expiresAt
    try {
      await renewToken(jwt({ sub: this.user, app: 'dev', exp: expiresAt / 1_000 }))
    } catch (error) {
      // Refused, it changes nothing; without an answer nobody knows.
      if (error instanceof RollcallError && error.code === 'TOKEN_EXPIRED') this.begin()
    }
  }
}
