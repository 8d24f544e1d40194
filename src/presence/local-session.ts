import { RollcallError } from '../protocol/errors.js'
import type { EndReason, Session } from './service.js'
import type { Attach, Channel, Waiting } from './types.js'

/** A session on this node, with what the domain needs of it. */
export class LocalSession implements Session {
  /** Nearly always one or a few: a map of them would be most of what a session takes. */
  #channels: readonly Channel[] = NONE
  over = false
  /** Its connection has ended, and its end has not been written yet. */
  abandoned = false

  constructor(
    readonly id: string,
    readonly userId: string,
    readonly attach: Attach,
    readonly resumed: boolean,
    readonly timeoutMs: number,
    readonly since: number,
    readonly waiting: Waiting,
    /** The USER channel that the session is a member of. */
    readonly home: Channel,
    readonly onEnd: (reason: EndReason, why: string) => void,
  ) {}

  get channels(): readonly Channel[] {
    return this.#channels
  }

  entered(channel: Channel): void {
    if (!this.#channels.some(isSame(channel))) this.#channels = [...this.#channels, channel]
  }

  left(channel: Channel): void {
    const same = isSame(channel)
    this.#channels = this.#channels.filter((other) => !same(other))
  }

  /** Whether anybody waits for what it asked to begin or to change. */
  readonly wants = (): boolean => !this.over && !this.abandoned
}

/** The session as this node has it, or null when it is over. */
export function living(session: Session): LocalSession | null {
  return session instanceof LocalSession && !session.over ? session : null
}

/** NOT_LOGIN when it is over. */
export function alive(session: Session): LocalSession {
  const local = living(session)
  if (local === null) throw new RollcallError('NOT_LOGIN', 'the session is over')
  return local
}

const NONE: readonly Channel[] = []

function isSame({ type, name }: Channel): (other: Channel) => boolean {
  return (other) => other.name === name && other.type === type
}

/** A session that was ended for good, as the store keeps it: `replaced`, or `kicked` and what the application said. */
export interface Removal {
  readonly reason: 'replaced' | 'kicked'
  readonly why: string
}

export const REPLACED: Removal = { reason: 'replaced', why: 'replaced by another login of this user' }

export function parseRemoval(text: string): Removal {
  const [reason, ...why] = text.split(' ')
  return reason === 'kicked' ? { reason, why: why.join(' ') } : REPLACED
}

/** What a client is told that comes back with such a session. */
export function removed({ reason, why }: Removal): RollcallError {
  return new RollcallError(reason === 'kicked' ? 'NOT_LOGIN' : 'DUPLICATE_USER_ID', why)
}

export function superseded(): RollcallError {
  return new RollcallError('DUPLICATE_USER_ID', 'a newer connection of this session took over')
}
