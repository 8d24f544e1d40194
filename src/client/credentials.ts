import { RollcallError } from '../protocol/errors.js'
import type { HandshakeAuth } from '../protocol/requests.js'
import type { CheckedOptions } from './options.js'

export interface LoginOptions {
  /** Instead of the token of the options, and of the first one that `getToken` would be asked for. */
  readonly token?: string
  /** Names this device or tab: a session of the same user with the same tag is replaced by this one. */
  readonly tag?: string
}

/** Who this client is, and the token that proves it. */
export class Credentials {
  readonly #appId: string
  readonly #userId: string
  readonly #options: CheckedOptions
  #token: string | undefined
  #tag: string | undefined
  /** The present token was brought by the app for the attempt to come; `getToken` is not asked then. */
  #isFresh = false

  constructor(appId: string, userId: string, options: CheckedOptions) {
    this.#appId = appId
    this.#userId = userId
    this.#options = options
    this.#token = options.token
  }

  /** Whether an expired token can be replaced without the app's doing. */
  get canRenew(): boolean {
    return this.#options.getToken !== undefined
  }

  /** A login begins. */
  begin({ token, tag }: LoginOptions): void {
    this.#tag = tag
    if (token === undefined) return
    this.#token = token
    this.#isFresh = true
  }

  /** The server took this one: reconnects use it where there is no `getToken`. */
  renewed(token: string): void {
    this.#token = token
  }

  /** `getToken`'s answer. Rejects as it does; INVALID_TOKEN when it gives none, PRESENCE_OPERATION_TIMEOUT after `ms`. */
  async ask(ms: number): Promise<string> {
    const { getToken } = this.#options
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new RollcallError('PRESENCE_OPERATION_TIMEOUT', `getToken took longer than ${Math.round(ms)} ms`)), ms)
    })
    try {
      const token: unknown = await Promise.race([getToken?.(), late])
      if (typeof token !== 'string' || token === '') throw new RollcallError('INVALID_TOKEN', 'getToken gave no token')
      return token
    } finally {
      clearTimeout(timer)
    }
  }

  /** The handshake's `auth` for one attempt, with a fresh token where there is a way to get one. */
  async auth(session: Pick<HandshakeAuth, 'sessionId' | 'attach' | 'received'>, ms: number): Promise<HandshakeAuth> {
    const { presenceTimeout } = this.#options
    if (this.canRenew && !this.#isFresh) this.#token = await this.ask(ms)
    this.#isFresh = false
    return {
      appId: this.#appId,
      userId: this.#userId,
      ...(this.#token !== undefined && { token: this.#token }),
      ...(presenceTimeout !== undefined && { presenceTimeout }),
      ...session,
      ...(this.#tag !== undefined && { tag: this.#tag }),
    }
  }
}
