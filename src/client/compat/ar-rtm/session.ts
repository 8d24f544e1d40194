import { ERRORS } from '../../../protocol/errors.js'
import type { KickedEvent, TokenEvent } from '../../../protocol/events.js'
import { RollcallClient, type ClientOptions, type LinkStateEvent } from '../../index.js'
import { changeOf, type ConnectionChange } from './connection-state.js'

export interface SessionHooks {
  changed(change: ConnectionChange): void
  tokenWillExpire(): void
  tokenDidExpire(): void
  /** Nothing can be asked on it any more. It is called before `changed` says so. */
  over(): void
}

/** One login of the layer, with the SDK's client for it: what happens to its link, in the original's words. */
export class Session {
  readonly client: RollcallClient
  /** Resolves when it has been told that the session has begun, or will not. */
  readonly begun: Promise<void>
  /** Resolves when its end has been told. */
  readonly ended: Promise<void>
  #begin: () => void = () => undefined
  #finish: () => void = () => undefined
  #in = false
  #over = false
  /** It has been told that the connection is there. */
  #connected = false
  /** What came before that. */
  #early: (() => void)[] = []
  #kicked: KickedEvent | null = null
  #timedOut = false
  #left = false

  constructor(
    appId: string,
    readonly uid: string,
    options: ClientOptions,
    private readonly hooks: SessionHooks,
  ) {
    this.client = new RollcallClient(appId, uid, options)
    this.begun = new Promise((resolve) => (this.#begin = resolve))
    this.ended = new Promise((resolve) => (this.#finish = resolve))
    this.client.on('kicked', (event) => (this.#kicked = event))
    this.client.on('linkState', (event) => this.#moved(event))
    this.client.on('token', (event) => this.#token(event))
  }

  get timedOut(): boolean {
    return this.#timedOut
  }

  /** Whether something can be asked on it. */
  get isIn(): boolean {
    return this.#in && !this.#over
  }

  /** The user has logged out. */
  get isLeft(): boolean {
    return this.#left
  }

  /**
   * For what comes from the cluster: it is told once it has been told that the connection is there, so that whoever hears
   * of it may ask something at once. When the session ends before that, it is told before its end.
   */
  tell(news: () => void): void {
    if (this.#connected) news()
    else this.#early.push(news)
  }

  /** The user logs out. Resolves when the end has been told. */
  async leave(): Promise<void> {
    this.#left = true
    await this.client.logout()
    await this.ended
  }

  /** The login took too long. */
  giveUp(): void {
    this.#timedOut = true
    void this.client.logout()
  }

  #moved(event: LinkStateEvent): void {
    if (this.#over) return
    const expired = event.reasonCode === ERRORS.TOKEN_EXPIRED.errorCode && event.operation !== 'LOGIN'
    if (expired) {
      this.#expired()
      return
    }
    const change = changeOf(event, { kicked: this.#kicked, timedOut: this.#timedOut })
    this.#connected = event.currentState === 'CONNECTED'
    if (this.#connected) this.#in = true
    if (event.currentState === 'IDLE' || event.currentState === 'FAILED') this.#end()
    if (change !== null) this.hooks.changed(change)
    if (this.#connected) this.#catchUp()
    this.#told()
  }

  #token({ eventType }: TokenEvent): void {
    if (this.#over) return
    if (eventType === 'WILL_EXPIRE') this.tell(() => this.hooks.tokenWillExpire())
    else this.#expired()
  }

  /** The server closes the connection, and without another token there is no way back: the SDK is spared the try. */
  #expired(): void {
    this.#end()
    void this.client.logout()
    this.hooks.tokenDidExpire()
    this.hooks.changed(['ABORTED', 'TOKEN_EXPIRED'])
    this.#told()
  }

  #told(): void {
    if (this.#in || this.#over) this.#begin()
    if (this.#over) this.#finish()
  }

  #catchUp(): void {
    for (const news of this.#early.splice(0)) news()
  }

  #end(): void {
    this.#catchUp()
    this.#over = true
    this.hooks.over()
  }
}
