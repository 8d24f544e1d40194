import type { States } from '../protocol/channel.js'
import { RollcallError } from '../protocol/errors.js'
import type { Limits } from '../protocol/limits.js'
import { checkStateCount, withoutStates } from '../protocol/states.js'
import { recordOfStates, sameStates } from '../replica/replica.js'
import type { Settled } from './lane.js'
import { superseded, type LocalSession } from './local-session.js'
import type { LocalMembership } from './memberships.js'
import type { Channel, Op, StateChange } from './types.js'

/** How often a change is tried again when another session of the user changes the states at the same time. */
const ATTEMPTS = 10

type Next = (current: States) => States

export interface StateWriterContext {
  readonly limits: Limits
  submit(session: LocalSession, op: Op & { readonly channel: Channel }): Promise<Settled>
  /** The session has a newer connection. */
  onStale(session: LocalSession): void
  /** The channel's data is damaged; resolves when it has been repaired. */
  onLost(channel: Channel): Promise<void>
  /** The store does not have the member although nobody ended it here. */
  onMissing(channel: Channel): void
}

/** What became of several changes that were made as one. */
export interface StatesChanged {
  readonly version: number
  /** One for each change, in order: why it was left out, or null. */
  readonly refused: readonly (RollcallError | null)[]
}

/** Changes of members' states: read, merge, write, and again when somebody else came between. */
export class StateWriter {
  constructor(private readonly context: StateWriterContext) {}

  /**
   * Several changes as one, each on top of the one before it, after what this session asked for earlier. One that may not
   * be made where it stands is left out; when none may, that is the rejection.
   */
  async inTurn(session: LocalSession, membership: LocalMembership, changes: readonly StateChange[]): Promise<StatesChanged> {
    let refused: (RollcallError | null)[] = []
    const next: Next = (current) => {
      // Asked again after a conflict, it begins again.
      refused = []
      const states = changes.reduce((before, change) => {
        try {
          const after = this.change(change)(before)
          refused.push(null)
          return after
        } catch (error) {
          if (!(error instanceof RollcallError)) throw error
          refused.push(error)
          return before
        }
      }, current)
      const [first] = refused
      if (first != null && !refused.includes(null)) throw first
      return states
    }
    const running = membership.tail.then(() => this.write(session, membership, next))
    membership.tail = running.catch(() => undefined)
    const { version } = await running
    return { version, refused }
  }

  /** Its first op is submitted before this returns. PRESENCE_STATE_COUNT_OVERFLOW, DUPLICATE_USER_ID, PRESENCE_OPERATION_FAILED. */
  async write(session: LocalSession, membership: LocalMembership, next: Next): Promise<{ readonly version: number }> {
    const { channel, userId, session: id, attach } = membership
    let uncertain = false
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const { revision: base, states: current } = membership.known ?? { revision: 0, states: recordOfStates([]) }
      const states = next(current)
      // An earlier try was executed though its answer was lost: once is enough.
      if (uncertain && sameStates(states, current)) return { version: base }
      const result = await this.context.submit(session, { channel, userId, session: id, kind: 'state', attach, base, states })
      if (result.member !== undefined && result.member.revision >= (membership.known?.revision ?? 0)) membership.known = result.member
      uncertain ||= result.uncertain
      switch (result.status) {
        case 'ok':
          return { version: result.version }
        case 'conflict':
          continue
        case 'lost':
          await this.context.onLost(channel)
          continue
        case 'stale':
          this.context.onStale(session)
          throw superseded()
        default:
          this.context.onMissing(channel)
          throw new RollcallError('PRESENCE_OPERATION_FAILED', 'the member is not in the channel any more; it is being looked into')
      }
    }
    throw new RollcallError('PRESENCE_OPERATION_FAILED', 'other sessions of this user kept changing the states')
  }

  /** These states beneath what is there: what has been said since goes before what a client says again (`000.10`). */
  beneath(states: States): Next {
    return (current) => this.merge(recordOfStates(Object.entries(states).filter(([key]) => !Object.hasOwn(current, key))))(current)
  }

  /** These states on top of what is there (`000.4`). */
  merge(states: States): Next {
    return (current) => {
      checkStateCount(current, states, this.context.limits)
      return recordOfStates([...Object.entries(current), ...Object.entries(states)])
    }
  }

  private change(change: StateChange): Next {
    return 'set' in change ? this.merge(change.set) : (current) => withoutStates(current, change.remove)
  }
}
