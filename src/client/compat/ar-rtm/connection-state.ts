import { ERRORS } from '../../../protocol/errors.js'
import type { KickedEvent } from '../../../protocol/events.js'
import type { LinkStateEvent } from '../../index.js'
import type { ConnectionChangeReason, ConnectionState } from './types.js'

export type ConnectionChange = readonly [state: ConnectionState, reason: ConnectionChangeReason]

/** What has been heard of a session besides its link: it says why the link ended. */
export interface Circumstances {
  readonly kicked: KickedEvent | null
  /** The layer gave up waiting for the login. */
  readonly timedOut: boolean
}

/** What a move of the link is in the original's words; null for what it has no word for. */
export function changeOf({ currentState, operation, reasonCode }: LinkStateEvent, circumstances: Circumstances): ConnectionChange | null {
  switch (currentState) {
    case 'CONNECTING':
      return operation === 'LOGIN' ? ['CONNECTING', 'LOGIN'] : null
    case 'CONNECTED':
      return ['CONNECTED', 'LOGIN_SUCCESS']
    case 'DISCONNECTED':
      return ['RECONNECTING', 'INTERRUPTED']
    case 'SUSPENDED':
      return null
    case 'IDLE':
      return ['DISCONNECTED', circumstances.timedOut ? 'LOGIN_TIMEOUT' : 'LOGOUT']
    case 'FAILED':
      return operation === 'LOGIN' ? ['DISCONNECTED', whyRefused(reasonCode)] : ['ABORTED', whyOver(reasonCode, circumstances)]
  }
}

function whyRefused(errorCode: number | undefined): ConnectionChangeReason {
  if (errorCode === ERRORS.NOT_LOGIN.errorCode) return 'BANNED_BY_SERVER'
  return errorCode === ERRORS.NOT_CONNECTED.errorCode || errorCode === ERRORS.PRESENCE_OPERATION_TIMEOUT.errorCode ? 'LOGIN_TIMEOUT' : 'LOGIN_FAILURE'
}

function whyOver(errorCode: number | undefined, { kicked }: Circumstances): ConnectionChangeReason {
  return (kicked?.errorCode ?? errorCode) === ERRORS.DUPLICATE_USER_ID.errorCode ? 'REMOTE_LOGIN' : 'BANNED_BY_SERVER'
}
