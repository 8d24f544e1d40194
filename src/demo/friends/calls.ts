import type { Invitation } from '../../client/index.js'

/** A call that rings, as one of its two people has it. */
export interface OpenCall {
  readonly invitation: Invitation
  readonly peer: string
  readonly isIncoming: boolean
  /** When this page heard of it, by the page's steady clock in milliseconds. */
  readonly since: number
}

export function peerOf({ caller, callee }: Invitation, selfId: string): string {
  return caller === selfId ? callee : caller
}

/** Calls that ring. Each state of an invitation comes once, and in order. */
export class Calls {
  readonly #selfId: string
  readonly #open = new Map<string, OpenCall>()

  constructor(selfId: string) {
    this.#selfId = selfId
  }

  get open(): readonly OpenCall[] {
    return [...this.#open.values()]
  }

  get incoming(): readonly OpenCall[] {
    return this.open.filter(({ isIncoming }) => isIncoming)
  }

  find(peer: string): OpenCall | undefined {
    return this.open.find((call) => call.peer === peer)
  }

  /** Answers whether it has ended. */
  learn(invitation: Invitation, now: number): boolean {
    const key = `${invitation.callee}\n${invitation.id}`
    if (invitation.state !== 'SENT' && invitation.state !== 'RECEIVED') {
      this.#open.delete(key)
      return true
    }
    const since = this.#open.get(key)?.since ?? now
    this.#open.set(key, { invitation, peer: peerOf(invitation, this.#selfId), isIncoming: invitation.callee === this.#selfId, since })
    return false
  }
}

/** What is written over a call that rings. */
export function ringWords({ invitation, peer, isIncoming }: Pick<OpenCall, 'invitation' | 'peer' | 'isIncoming'>): string {
  if (isIncoming) return `${peer} is calling`
  return invitation.state === 'RECEIVED' ? `It rings at ${peer}’s` : `Calling ${peer}…`
}

/**
 * What became of a call, for one of its two people.
 *
 * @param sessionId of the session that tells it: another one of the same person may have answered
 */
export function endWords(invitation: Invitation, selfId: string, sessionId: string | undefined): string {
  const { callee, state, reason, response, answeredBy } = invitation
  const isIncoming = callee === selfId
  const peer = peerOf(invitation, selfId)
  const who = !isIncoming ? peer : answeredBy === sessionId ? 'you' : 'your other device'
  const words = response === '' ? '' : `: “${response}”`
  switch (state) {
    case 'ACCEPTED':
      return `${who} accepted the call${words}`
    case 'REFUSED':
      return `${who} refused the call${words}`
    case 'CANCELED':
      return isIncoming ? `${peer} gave up calling` : 'you gave up calling'
    default:
      return failureWords(isIncoming, peer, reason)
  }
}

function failureWords(isIncoming: boolean, peer: string, reason: Invitation['reason']): string {
  if (reason === 'PEER_OFFLINE') return isIncoming ? `the call ended: ${peer} is gone` : `the call ended: ${peer} was not there`
  if (reason === 'PEER_NO_RESPONSE') return isIncoming ? `a call from ${peer} did not reach you in time` : `the call ended: it did not ring at ${peer}’s`
  return isIncoming ? 'the call ended: you did not answer in time' : `the call ended: ${peer} did not answer in time`
}
