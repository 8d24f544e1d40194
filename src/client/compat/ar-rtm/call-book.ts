import { RollcallError, type Invitation } from '../../index.js'
import { backoffMs, pause } from '../../backoff.js'
import { isUnanswered } from '../../failures.js'
import { newId } from '../../invitations-api.js'
import type { LocalInvitation } from './local-invitation.js'
import { RemoteInvitation } from './remote-invitation.js'
import type { Session } from './session.js'

/** How long an acceptance may take to be confirmed, in milliseconds. */
const ACCEPT_MS = 5_000
/** For how long one is sent again of which nobody knows whether it was, in milliseconds: a peer without a response is one after 30 s. */
const SEND_MS = 30_000

/** The calls of one login, by the SDK's ids. */
export class CallBook {
  readonly #made = new Map<string, LocalInvitation>()
  readonly #ringing = new Map<string, RemoteInvitation>()
  /** Those that the user has cancelled, whatever has become of that yet. */
  readonly #takenBack = new WeakSet<LocalInvitation>()
  readonly #life = new AbortController()

  constructor(
    private readonly session: Session,
    private readonly onRing: (invitation: RemoteInvitation) => void,
  ) {
    const { client } = session
    client.on('invitation', (invitation) =>
      session.tell(() => {
        // What the SDK ends with its session is no end that the peer has made.
        if (client.linkState === 'IDLE' || client.linkState === 'FAILED') this.close()
        else if (!this.#life.signal.aborted) this.#follow(invitation)
      }),
    )
  }

  /** Answers the id that the invitation has from now on. */
  send(local: LocalInvitation): string {
    const id = newId()
    this.#made.set(id, local)
    void this.#send(id, local)
    return id
  }

  /** What comes of it is told as of any other change; one that has ended meanwhile has done so. */
  cancel(id: string): void {
    const local = this.#made.get(id)
    if (local === undefined) return
    this.#takenBack.add(local)
    void this.#insist(
      () => this.session.client.invitations.cancel(id),
      () => this.#made.has(id),
      (error) => {
        // It was never there, or Redis has lost it: nobody else will say so.
        if (error.code === 'INVITATION_UNKNOWN' && this.#made.delete(id)) local.follow({ state: 'CANCELED', response: '', reason: null })
      },
    )
  }

  accept(id: string, response: string, failed: () => void): void {
    this.session.client.invitations.accept(id, response, { withinMs: ACCEPT_MS }).catch(failed)
  }

  refuse(id: string, response: string, failed: () => void): void {
    void this.#insist(() => this.session.client.invitations.refuse(id, response), () => this.#ringing.has(id), failed)
  }

  /** The login is over: whoever has not ended does so now, without a way to the peer. */
  close(): void {
    this.#life.abort()
    for (const local of this.#made.values()) local.fail('NOT_LOGGEDIN')
    for (const remote of this.#ringing.values()) remote.fail('PEER_OFFLINE')
    this.#made.clear()
    this.#ringing.clear()
  }

  /**
   * Sent again, as the one that it is, while nobody knows what has come of it: the callee may hear it ring, and answer. One that is given up
   * must not go on ringing. Never rejects.
   */
  async #send(id: string, local: LocalInvitation): Promise<void> {
    const { calleeId, content, channelId } = local
    const { invitations } = this.session.client
    const end = performance.now() + SEND_MS
    // Once it may be there, that it could not be sent again says nothing.
    let isUnknown = false
    for (let attempt = 0; this.#made.has(id) && !this.#takenBack.has(local); attempt++) {
      try {
        await invitations.send(calleeId, { id, content, channelId })
        return
      } catch (error) {
        const refusal = RollcallError.from(error, 'invite')
        isUnknown ||= isUnanswered(refusal)
        if (!isUnknown || !refusal.retryable || performance.now() >= end) {
          this.#made.delete(id)
          local.fail(whyNotSent(refusal))
          if (isUnknown) await this.#insist(() => invitations.cancel(id), () => !this.#life.signal.aborted)
          return
        }
      }
      await this.#pause(attempt)
    }
  }

  /** The original has no event for a failure of these: tried again while the call is open and that may help; `failed` where it does not. Never rejects. */
  async #insist(ask: () => Promise<unknown>, isOpen: () => boolean, failed: (error: RollcallError) => void = () => undefined): Promise<void> {
    for (let attempt = 0; isOpen(); attempt++) {
      try {
        await ask()
        return
      } catch (error) {
        const refusal = RollcallError.from(error, 'invite')
        if (!refusal.retryable) return failed(refusal)
      }
      await this.#pause(attempt)
    }
  }

  /** The login may be over, and the call with it. */
  async #pause(attempt: number): Promise<void> {
    await pause(backoffMs(attempt), this.#life.signal).catch(() => undefined)
  }

  #follow(invitation: Invitation): void {
    const { id, caller, callee, answeredBy } = invitation
    const local = caller === this.session.client.userId ? this.#made.get(id) : undefined
    if (local !== undefined) {
      local.follow(invitation)
      if (local.isOver) this.#made.delete(id)
      return
    }
    if (callee !== this.session.client.userId) return
    const known = this.#ringing.get(id)
    if (known === undefined) this.#ring(invitation)
    else {
      known.follow(invitation, answeredBy === this.session.client.sessionId)
      if (known.isOver) this.#ringing.delete(id)
    }
  }

  #ring(invitation: Invitation): void {
    if (invitation.state !== 'SENT' && invitation.state !== 'RECEIVED') return
    const remote = new RemoteInvitation(invitation, this)
    this.#ringing.set(invitation.id, remote)
    this.onRing(remote)
  }
}

/** Nobody is told that they are blocked: that peer is out of reach. */
function whyNotSent({ code }: RollcallError): 'NOT_LOGGEDIN' | 'PEER_OFFLINE' | 'PEER_NO_RESPONSE' {
  if (code === 'NOT_LOGIN') return 'NOT_LOGGEDIN'
  return code === 'USER_BLOCKED' ? 'PEER_OFFLINE' : 'PEER_NO_RESPONSE'
}
