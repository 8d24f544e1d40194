import { RollcallError } from './errors.js'
import { fieldsOf, readerOf } from './fields.js'
import { DEFAULT_LIMITS, type Limits } from './limits.js'
import { checkUserId } from './names.js'
import { fitsUtf8, isWellFormed } from './text.js'

/** Messages from user to user (`002.12`, `002.13`). */

type TextLimits = Pick<Limits, 'nameBytes' | 'messageTextBytes'>

/** `sendMessage`, parsed. */
export interface SendMessage {
  readonly userId: string
  readonly text: string
  readonly offline: boolean
  /** The client's own number of the message: another message with it, or a lower one, is a repetition. `null`: none was sent. */
  readonly sequence: number | null
}

/** Where a session stands in the messages to its user. */
export interface Received {
  /** One uninterrupted existence of the partition's data. */
  readonly life: string
  /** That of the last message that the session has had; 0 for none. */
  readonly position: number
}

const MAX_LIFE = 256

/** INVALID_USER_ID, MESSAGE_INVALID_TEXT, MESSAGE_TEXT_TOO_LONG, PRESENCE_INVALID_ARGUMENT. */
export function parseSendMessage(value: unknown, limits: TextLimits = DEFAULT_LIMITS): SendMessage {
  const read = fieldsOf(value)
  const userId = checkUserId(read('userId'), limits)
  const text = checkMessageText(read('text'), limits)
  const offline = parseOffline(read('offline'))
  const sequence = read('sequence')
  if (sequence !== undefined && !(Number.isSafeInteger(sequence) && (sequence as number) > 0)) {
    throw invalid(`sequence is a whole number from 1 to ${Number.MAX_SAFE_INTEGER}`)
  }
  return { userId, text, offline, sequence: sequence === undefined ? null : (sequence as number) }
}

/** What a message may say: any string of well-formed Unicode, also an empty one. MESSAGE_INVALID_TEXT, MESSAGE_TEXT_TOO_LONG. */
export function checkMessageText(value: unknown, { messageTextBytes }: Pick<Limits, 'messageTextBytes'> = DEFAULT_LIMITS): string {
  if (typeof value !== 'string') throw new RollcallError('MESSAGE_INVALID_TEXT', 'the text of a message is a string')
  if (!fitsUtf8(value, messageTextBytes)) throw new RollcallError('MESSAGE_TEXT_TOO_LONG', `the text of a message has at most ${messageTextBytes} bytes of UTF-8`)
  if (!isWellFormed(value)) throw new RollcallError('MESSAGE_INVALID_TEXT', 'the text of a message is well-formed Unicode, without lone surrogates')
  return value
}

/** Whether a message waits for a user who is not there. PRESENCE_INVALID_ARGUMENT. @default false */
export function parseOffline(value: unknown): boolean {
  if (value !== undefined && typeof value !== 'boolean') throw invalid('offline is true or false')
  return value === true
}

/** `auth.received` of the handshake. PRESENCE_INVALID_ARGUMENT. */
export function parseReceived(value: unknown): Received {
  const read = readerOf(value)
  const life = read?.('life')
  const position = read?.('position')
  if (typeof life !== 'string' || life.length > MAX_LIFE || !Number.isSafeInteger(position) || (position as number) < 0) {
    throw invalid('auth.received is the life and the position of a message')
  }
  return { life, position: position as number }
}

function invalid(reason: string): RollcallError {
  return new RollcallError('PRESENCE_INVALID_ARGUMENT', reason)
}
