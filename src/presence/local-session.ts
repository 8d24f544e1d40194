import { RollcallError } from '../protocol/errors.js'
import type { EndReason, Session } from './service.js'
import type { Attach, Channel } from './types.js'

/** A session on this node, with what the domain needs of it. */
export class LocalSession implements Session {
  readonly channels = new Map<string, Channel>()
  over = false
  /** Its connection has ended, and its end has not been written yet. */
  abandoned = false

  constructor(
    readonly id: string,
    readonly userId: string,
    readonly attach: Attach,
    readonly resumed: boolean,
    readonly timeoutMs: number,
    /** The USER channel that the session is a member of. */
    readonly home: Channel,
    readonly onEnd: (reason: EndReason) => void,
  ) {}

  /** Whether anybody waits for what it asked to begin or to change. */
  readonly wants = (): boolean => !this.over && !this.abandoned
}

export function superseded(): RollcallError {
  return new RollcallError('DUPLICATE_USER_ID', 'a newer connection of this session took over')
}
