import { RollcallError } from '../../src/protocol/errors.js'
import { jwt, tokenFor } from '../support/tokens.js'

/** The app's side of a client's tokens: gives one to whoever asks, or, for a while, none. */
export class Tokens {
  /** Why it gives none now. */
  #refusal: Error | undefined

  constructor(private readonly user: string) {}

  /** `getToken` of the SDK. */
  readonly get = async (): Promise<string> => {
    if (this.#refusal !== undefined) throw this.#refusal
    return tokenFor(this.user)
  }

  /** One that runs out at a moment, in milliseconds since the epoch. */
  until(expiresAt: number): string {
    return jwt({ sub: this.user, app: 'dev', exp: expiresAt / 1_000 })
  }

  /** From here on it gives none; `forGood`: the app says that this user is not to come back. */
  refuse(forGood: boolean): void {
    this.#refusal = forGood ? new RollcallError('INVALID_TOKEN', 'no more tokens for this user') : new RollcallError('PRESENCE_OPERATION_FAILED', 'no token now')
  }

  get refuses(): boolean {
    return this.#refusal !== undefined
  }

  give(): void {
    this.#refusal = undefined
  }
}
