import { ERRORS, RollcallError, type ErrorCode } from '../protocol/errors.js'

/** An error as a person can use it: what happened, what to do, and the code to look up. */
export interface Problem {
  readonly title: string
  readonly advice: string
  /** For example `PRESENCE_NOT_WRITABLE -13002`; `''` for what is not an error of Rollcall. */
  readonly code: string
}

/** Says in plain words what the catalogue says in an engineer's. */
const TITLES: Partial<Record<ErrorCode, string>> = {
  NOT_LOGIN: 'You are not signed in',
  INVALID_APP_ID: 'This cluster has another app id',
  INVALID_TOKEN: 'This cluster asks for a token',
  TOKEN_EXPIRED: 'Your token has run out',
  INVALID_USER_ID: 'This name cannot be used',
  INVALID_CHANNEL_NAME: 'This room name cannot be used',
  RATE_EXCEEDED: 'That was a little fast',
  NOT_CONNECTED: 'There is no connection right now',
  DUPLICATE_USER_ID: 'You have signed in elsewhere',
  PERMISSION_DENIED: 'Your token does not open this room',
  PRESENCE_NOT_CONNECTED: 'There is no connection right now',
  PRESENCE_NOT_WRITABLE: 'Whoever watches unseen has nothing to say',
  PRESENCE_OPERATION_TIMEOUT: 'The cluster did not answer in time',
  PRESENCE_OPERATION_FAILED: 'The cluster cannot reach its memory right now',
  USER_BLOCKED: 'One of you two has blocked the other',
  ROSTER_FULL: 'There is no room for more friends',
  INVITATION_LIMIT: 'Too many are calling there right now',
  MESSAGE_TEXT_TOO_LONG: 'That is too long for one message',
}

/** What a visitor can do, where the catalogue speaks to whoever writes the client or runs the nodes. */
const ADVICE: Partial<Record<ErrorCode, string>> = {
  INVALID_APP_ID: 'A token names it. Where none is needed, add ?app= and its name to the address of this page.',
  INVALID_TOKEN: 'It runs with a secret. Whoever runs it can make you a token.',
  NOT_CONNECTED: 'It comes back by itself; try again then.',
  TOKEN_EXPIRED: 'A new one takes you back in.',
  RATE_EXCEEDED: 'Wait a second and go on.',
  PRESENCE_NOT_CONNECTED: 'It comes back by itself; try again then.',
  PRESENCE_NOT_WRITABLE: 'Switch “Watch without being seen” off first.',
  PRESENCE_OPERATION_FAILED: 'It usually does again within seconds.',
  INVITATION_LIMIT: 'Try again in a minute.',
}

const CODES = Object.keys(ERRORS) as ErrorCode[]
const TOKEN_CODES: readonly string[] = ['INVALID_TOKEN', 'TOKEN_EXPIRED', 'NOT_LOGIN', 'INVALID_APP_ID'] satisfies ErrorCode[]

/** The error that has this number. */
export function errorOfNumber(errorCode: number, reason: string): RollcallError {
  const code = CODES.find((each) => ERRORS[each].errorCode === errorCode) ?? 'NOT_LOGIN'
  return new RollcallError(code, reason)
}

export function problemOf(error: unknown): Problem {
  const code = codeOf(error)
  const message = error instanceof Error ? error.message : String(error)
  if (code === null) return { title: 'Something went wrong', advice: message, code: '' }
  const { errorCode, remediation } = ERRORS[code]
  const title = TITLES[code] ?? sentence(message)
  return { title, advice: ADVICE[code] ?? remediation, code: `${code} ${errorCode}` }
}

/** Whether a token, or a better one, would help: it names the user and the app. */
export function asksForToken(error: unknown): boolean {
  const code = codeOf(error)
  return code !== null && TOKEN_CODES.includes(code)
}

export function isAboutTheName(error: unknown): boolean {
  return codeOf(error) === 'INVALID_USER_ID'
}

export function isRetryable(error: unknown): boolean {
  const code = codeOf(error)
  return code !== null && ERRORS[code].retryable
}

function codeOf(error: unknown): ErrorCode | null {
  if (typeof error !== 'object' || error === null || !('code' in error)) return null
  const { code } = error
  return typeof code === 'string' && Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : null
}

function sentence(text: string): string {
  return text === '' ? 'Something went wrong' : text[0]?.toLocaleUpperCase() + text.slice(1)
}
