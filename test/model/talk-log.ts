import type { RollcallClient } from '../../src/client/index.js'
import type { MessageEvent } from '../../src/protocol/events.js'
import type { StatusNotice } from '../../src/protocol/statuses-told.js'
import type { PlainClient } from '../support/plain.js'
import type { HeardInvitation, HeardMessage, HeardStatus, Hearer } from './talk.js'

/** Keeps what one client is told by other users from now on, and in which of its sessions. */
export class TalkLog implements Hearer {
  readonly messages: HeardMessage[] = []
  readonly statuses: HeardStatus[] = []
  readonly invitations: HeardInvitation[] = []
  session = 1
  connection = 1
  sessionSince = Date.now()
  connectedSince = Infinity
  #isLeaving = false

  private constructor(
    readonly name: string,
    readonly user: string,
    readonly isPlain: boolean,
  ) {}

  static of(client: RollcallClient, name: string): TalkLog {
    const log = new TalkLog(name, client.userId, false)
    if (client.linkState === 'CONNECTED') log.connectedSince = Date.now()
    client.on('linkState', ({ currentState, operation, isResumed }) => {
      // The first events of a session may come before it is said that it has begun.
      if (currentState === 'CONNECTING' && operation === 'LOGIN') log.#begin()
      if (currentState === 'CONNECTED') log.#connected(operation === 'LOGIN' || isResumed)
      else log.#lost()
    })
    client.on('message', (message) => log.#message(message))
    client.on('status', (notice) => log.#status(notice))
    client.on('invitation', (invitation) => log.invitations.push({ at: Date.now(), session: log.session, invitation, isLocal: log.#isLeaving || client.linkState === 'FAILED' }))
    return log
  }

  /** One that is connected; it acknowledges what it is sent. */
  static ofPlain(client: PlainClient, name: string): TalkLog {
    const log = new TalkLog(name, client.user, true)
    if (client.socket.connected) log.connectedSince = Date.now()
    client.socket.on('ready', ({ resumed }: { readonly resumed: boolean }) => log.#connected(resumed))
    client.socket.on('disconnect', () => log.#lost())
    client.socket.on('message', (message: MessageEvent, acknowledge?: () => void) => {
      log.#message(message)
      acknowledge?.()
    })
    client.socket.on('status', (notice: StatusNotice) => log.#status(notice))
    return log
  }

  /** The client is about to log out. */
  leaving(): void {
    this.#isLeaving = true
  }

  #begin(): void {
    this.#isLeaving = false
    this.session += 1
    this.sessionSince = Infinity
  }

  /** @param goesOn it is the session that it was, or that was said to begin */
  #connected(goesOn: boolean): void {
    if (!goesOn) this.#begin()
    const at = Date.now()
    this.connection += 1
    this.connectedSince = at
    this.sessionSince = Math.min(this.sessionSince, at)
  }

  #lost(): void {
    this.connectedSince = Infinity
  }

  #message({ id, from, text }: Pick<HeardMessage, 'id' | 'from' | 'text'>): void {
    this.messages.push({ at: Date.now(), session: this.session, connection: this.connection, id, from, text })
  }

  #status({ id, from, offline, status = '' }: StatusNotice): void {
    this.statuses.push({ at: Date.now(), id, from, offline: offline === true, text: status })
  }
}
