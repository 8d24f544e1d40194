import { DEFAULT_LIMITS } from '../../../protocol/limits.js'
import { checkUserId } from '../../../protocol/names.js'
import { fitsUtf8, isWellFormed } from '../../../protocol/text.js'
import { RollcallError, type Invitation } from '../../index.js'
import type { CallBook } from './call-book.js'
import { RtmEmitter } from './emitter.js'
import { RtmError } from './errors.js'
import type { LocalInvitationFailureReason, LocalInvitationState } from './types.js'

export interface LocalInvitationEvents {
  LocalInvitationReceivedByPeer: []
  LocalInvitationAccepted: [response: string]
  LocalInvitationRefused: [response: string]
  LocalInvitationCanceled: []
  LocalInvitationFailure: [reason: LocalInvitationFailureReason]
}

const INVALID_ARGUMENT = 2

const REASONS: Readonly<Record<NonNullable<Invitation['reason']>, LocalInvitationFailureReason>> = { PEER_OFFLINE: 'PEER_OFFLINE', PEER_NO_RESPONSE: 'PEER_NO_RESPONSE', EXPIRED: 'INVITATION_EXPIRE' }

/** A call that this client makes. It is sent once; its end is told by exactly one event. */
export class LocalInvitation extends RtmEmitter<LocalInvitationEvents> {
  /** What the callee is told, at most 8 KB; to be set before it is sent. */
  content = ''
  channelId = ''
  #state: LocalInvitationState = 'IDLE'
  #response = ''
  readonly #calls: () => CallBook | null
  #book: CallBook | null = null
  #id = ''

  constructor(
    readonly calleeId: string,
    calls: () => CallBook | null,
  ) {
    super()
    this.#calls = calls
  }

  get state(): LocalInvitationState {
    return this.#state
  }

  /** The callee's answer. */
  get response(): string {
    return this.#response
  }

  /** Does nothing for one that was sent already. Throws {@link RtmError} 2 for a callee, a content or a channel that is not allowed. */
  send(): void {
    if (this.#state !== 'IDLE') return
    checkCallee(this.calleeId)
    checkText(this.content, 'content')
    checkText(this.channelId, 'channelId', DEFAULT_LIMITS.nameBytes)
    this.#state = 'SENT_TO_REMOTE'
    this.#book = this.#calls()
    if (this.#book === null) {
      // Whoever listens has just called: the answer comes after that call, as all others do. In a task of its own: whoever calls again each time must not stop everything else.
      setTimeout(() => this.fail('NOT_LOGGEDIN'), 0)
      return
    }
    this.#id = this.#book.send(this)
  }

  /** Does nothing for one that has ended, or was not sent. */
  cancel(): void {
    if (this.#state === 'SENT_TO_REMOTE' || this.#state === 'RECEIVED_BY_REMOTE') this.#book?.cancel(this.#id)
  }

  /** Called by the layer: the invitation is so now. */
  follow({ state, response, reason }: Pick<Invitation, 'state' | 'response' | 'reason'>): void {
    if (this.isOver) return
    if (state === 'RECEIVED' || state === 'ACCEPTED' || state === 'REFUSED') this.#received()
    switch (state) {
      case 'SENT':
      case 'RECEIVED':
        break
      case 'ACCEPTED':
        this.#answered('ACCEPTED_BY_REMOTE', response)
        this.emit('LocalInvitationAccepted', response)
        break
      case 'REFUSED':
        this.#answered('REFUSED_BY_REMOTE', response)
        this.emit('LocalInvitationRefused', response)
        break
      case 'CANCELED':
        this.#state = 'CANCELED'
        this.emit('LocalInvitationCanceled')
        break
      case 'FAILED':
        this.fail(reason === null ? 'INVITATION_EXPIRE' : REASONS[reason])
    }
  }

  fail(reason: LocalInvitationFailureReason): void {
    if (this.isOver) return
    this.#state = 'FAILURE'
    this.emit('LocalInvitationFailure', reason)
  }

  get isOver(): boolean {
    return this.#state === 'ACCEPTED_BY_REMOTE' || this.#state === 'REFUSED_BY_REMOTE' || this.#state === 'CANCELED' || this.#state === 'FAILURE'
  }

  /** Who answers has received it, whether that was heard or not. */
  #received(): void {
    if (this.#state !== 'SENT_TO_REMOTE') return
    this.#state = 'RECEIVED_BY_REMOTE'
    this.emit('LocalInvitationReceivedByPeer')
  }

  #answered(state: LocalInvitationState, response: string): void {
    this.#state = state
    this.#response = response
  }
}

/** Throws RtmError 2. */
export function checkText(text: unknown, name: string, bytes: number = DEFAULT_LIMITS.invitationBytes): void {
  if (typeof text !== 'string' || !fitsUtf8(text, bytes) || !isWellFormed(text)) throw new RtmError(INVALID_ARGUMENT, `${name} is a string of at most ${bytes} bytes of well-formed Unicode`)
}

function checkCallee(calleeId: unknown): void {
  try {
    checkUserId(calleeId)
  } catch (error) {
    throw new RtmError(INVALID_ARGUMENT, `calleeId: ${RollcallError.from(error, 'invite').reason}`, { cause: error })
  }
}
