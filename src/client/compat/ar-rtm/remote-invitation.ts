import type { Invitation } from '../../index.js'
import type { CallBook } from './call-book.js'
import { RtmEmitter } from './emitter.js'
import { checkText } from './local-invitation.js'
import type { RemoteInvitationFailureReason, RemoteInvitationState } from './types.js'

export interface RemoteInvitationEvents {
  RemoteInvitationAccepted: []
  RemoteInvitationRefused: []
  RemoteInvitationCanceled: [content: string]
  RemoteInvitationFailure: [reason: RemoteInvitationFailureReason]
}

/** A call that rings here. Its end is told by exactly one event. */
export class RemoteInvitation extends RtmEmitter<RemoteInvitationEvents> {
  readonly callerId: string
  readonly channelId: string
  readonly content: string
  /** What the caller is answered, at most 8 KB; to be set before `accept` or `refuse`. */
  response = ''
  readonly #id: string
  readonly #book: CallBook
  #state: RemoteInvitationState = 'INVITATION_RECEIVED'
  #refusing = false

  constructor({ id, caller, channelId, content }: Invitation, book: CallBook) {
    super()
    this.callerId = caller
    this.channelId = channelId
    this.content = content
    this.#id = id
    this.#book = book
  }

  get state(): RemoteInvitationState {
    return this.#state
  }

  /** Does nothing for one that has ended or is being answered. Throws RtmError 2 for a response that is too long. */
  accept(): void {
    if (this.#state !== 'INVITATION_RECEIVED' || this.#refusing) return
    checkText(this.response, 'response')
    this.#state = 'ACCEPT_SENT_TO_LOCAL'
    this.#book.accept(this.#id, this.response, () => this.fail('ACCEPT_FAILURE'))
  }

  refuse(): void {
    if (this.#state !== 'INVITATION_RECEIVED' || this.#refusing) return
    checkText(this.response, 'response')
    this.#refusing = true
    // A node may have other limits than the original.
    this.#book.refuse(this.#id, this.response, () => (this.#refusing = false))
  }

  /** Called by the layer: the invitation is so now; `here` when it was answered on this client. */
  follow({ state, reason, content }: Pick<Invitation, 'state' | 'reason' | 'content'>, here: boolean): void {
    switch (state) {
      case 'SENT':
      case 'RECEIVED':
        break
      case 'ACCEPTED':
        if (here) this.#end('ACCEPTED', () => this.emit('RemoteInvitationAccepted'))
        else this.#answeredElsewhere(content)
        break
      case 'REFUSED':
        if (here) this.#end('REFUSED', () => this.emit('RemoteInvitationRefused'))
        else this.#answeredElsewhere(content)
        break
      case 'CANCELED':
        this.#end('CANCELED', () => this.emit('RemoteInvitationCanceled', content))
        break
      case 'FAILED':
        this.fail(reason === 'PEER_OFFLINE' ? 'PEER_OFFLINE' : 'INVITATION_EXPIRE')
    }
  }

  fail(reason: RemoteInvitationFailureReason): void {
    this.#end('FAILURE', () => this.emit('RemoteInvitationFailure', reason))
  }

  get isOver(): boolean {
    return this.#state !== 'INVITATION_RECEIVED' && this.#state !== 'ACCEPT_SENT_TO_LOCAL'
  }

  /** Another client of this user was faster: for who has just accepted here that is a failure, for all others it stops to ring. */
  #answeredElsewhere(content: string): void {
    if (this.#state === 'ACCEPT_SENT_TO_LOCAL') this.fail('ACCEPT_FAILURE')
    else this.#end('CANCELED', () => this.emit('RemoteInvitationCanceled', content))
  }

  #end(state: RemoteInvitationState, tell: () => void): void {
    if (this.isOver) return
    this.#state = state
    tell()
  }
}
