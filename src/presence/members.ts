import type { States } from '../protocol/channel.js'
import { RollcallError } from '../protocol/errors.js'
import type { Limits } from '../protocol/limits.js'
import { Acknowledged } from './acknowledged.js'
import { NotExecutedError, OutcomeUnknownError } from './batches.js'
import type { Lane, Settled, Submission } from './lane.js'
import { alive, superseded, type LocalSession } from './local-session.js'
import { confirm, Memberships, type LocalMembership } from './memberships.js'
import type { Joined } from './service.js'
import { StateWriter, type StatesChanged } from './state-writer.js'
import type { PresenceStore } from './store.js'
import { channelId, type Channel, type EntryOp, type Membership, type Op, type StateChange } from './types.js'

const NOTHING_UNDER_WAY = Promise.resolve()

export interface MembersOptions {
  readonly store: Pick<PresenceStore, 'partitions' | 'partitionOf'>
  readonly limits: Limits
  /** Carries the changes of a partition; `mine` is what this node has there. */
  readonly laneOf: (partition: number, mine: Memberships) => Lane
  /** A deadline that this node has just set, in milliseconds from now. */
  readonly onDeadline: (partition: number, inMs: number) => void
  /** The session has a newer connection. */
  readonly onStale: (session: LocalSession) => void
}

/** Who is a member of what through the sessions of this node, and every change of that: each goes through the lane of its channel's partition. */
export class Members {
  readonly lanes: readonly Lane[]
  readonly memberships: readonly Memberships[]
  /** Ids of channels, by partition, whose data was found damaged or lost; the next reconcile asserts them. */
  readonly damaged: readonly Set<string>[]
  readonly #acknowledged = new Acknowledged()
  readonly #states: StateWriter

  constructor(private readonly options: MembersOptions) {
    const { store, limits, laneOf, onStale } = options
    this.memberships = Array.from({ length: store.partitions }, () => new Memberships())
    this.damaged = this.memberships.map(() => new Set<string>())
    this.lanes = this.memberships.map((mine, partition) => laneOf(partition, mine))
    this.#states = new StateWriter({
      limits,
      submit: (session, op) => this.submit(op, { wanted: session.wants }),
      onStale,
      onLost: async (channel) => {
        this.reportDamaged(channel)
        await this.#lane(channel).good(performance.now())
      },
      onMissing: (channel) => this.#lane(channel).doubt('unknown'),
    })
  }

  /** Rejects with a `RollcallError`: PRESENCE_OPERATION_FAILED (not carried out) or PRESENCE_OPERATION_TIMEOUT (outcome unknown). */
  async submit(op: Op & { readonly channel: Channel }, submission?: Submission): Promise<Settled> {
    try {
      const result = await this.#lane(op.channel).submit(op, submission)
      if (result.version > 0) this.#acknowledged.add(channelId(op.channel), result.version)
      if (result.farewell === true) this.options.onDeadline(this.#partitionOf(op.channel), 0)
      return result
    } catch (error) {
      throw asRollcallError(error)
    }
  }

  /**
   * Puts a session in, or takes it over where it is, which is what those who return find: they need no memory, so a full Redis lets
   * them back in. Rejects as {@link submit} does.
   */
  async enter(op: Omit<EntryOp, 'kind'>, submission?: Submission): Promise<Settled> {
    if (op.again === true) {
      const back = await this.submit({ ...op, kind: 'resume' }, submission)
      if (back.status !== 'missing') return back
    }
    return this.submit({ ...op, kind: 'join' }, submission)
  }

  /** The highest version of this channel that a call through this node was answered with, or 0. */
  acknowledged(channel: Channel): number {
    return this.#acknowledged.get(channelId(channel))
  }

  /** From here on the node wants this membership, and says so again after a loss. */
  remember(session: LocalSession, { channel, userId, session: id }: Membership): LocalMembership {
    // Each field by name: what begins with a spread gets a hidden class of its own, which takes more memory than the rest of it.
    const local: LocalMembership = {
      channel,
      userId,
      session: id,
      owner: session.userId,
      attach: session.attach,
      timeoutMs: session.timeoutMs,
      desired: 'present',
      confirmed: false,
      listed: false,
      known: undefined,
      channelLife: '',
      unstated: false,
      tail: NOTHING_UNDER_WAY,
    }
    this.#mine(channel)?.put(local)
    return local
  }

  /** All memberships of a session on this node, that in its USER channel included. */
  of(session: LocalSession): LocalMembership[] {
    const mine: LocalMembership[] = []
    for (const channel of [...session.channels, session.home]) {
      const membership = this.#find(session, channel)
      if (membership !== undefined) mine.push(membership)
    }
    return mine
  }

  async join(session: LocalSession, channel: Channel, states: States, again: boolean): Promise<Joined> {
    const found = this.#find(session, channel)
    const membership = found ?? this.remember(session, { channel, userId: session.userId, session: session.id })
    session.entered(channel)
    const entering = { channel, userId: session.userId, session: session.id, attach: session.attach, timeoutMs: session.timeoutMs }
    // Both go out in one batch: whoever hears of the join hears of the states with it.
    const joining = this.enter({ ...entering, again }, { wanted: session.wants, calm: again })
    const stating = !again && Object.keys(states).length > 0 ? this.#states.write(session, membership, this.#states.merge(states)) : undefined
    stating?.catch(() => undefined)
    let joined: Settled
    try {
      joined = await joining
      // The channel's data was damaged by a loss: this session repairs it by being there.
      if (joined.status === 'lost') joined = await this.submit({ ...entering, kind: 'assert' }, { wanted: session.wants })
    } catch (error) {
      this.#undoJoin(session, membership)
      throw error
    }
    if (joined.status === 'stale') {
      this.options.onStale(session)
      throw superseded()
    }
    if (joined.member === undefined) throw new RollcallError('INTERNAL', `a join answered ${joined.status}`)
    if (membership.attach === session.attach) confirm(membership, joined)
    membership.unstated ||= joined.status === 'ok' || joined.uncertain
    const isNew = membership.unstated
    const { states: there } = joined.member
    const lacks = again && isNew && Object.keys(states).some((key) => !Object.hasOwn(there, key))
    const stated = lacks ? await this.#states.write(session, membership, this.#states.beneath(states)) : await stating
    membership.unstated = false
    const version = Math.max(joined.version, stated?.version ?? 0)
    alive(session)
    return { version, member: membership.known ?? joined.member, isNew }
  }

  async leave(session: LocalSession, channel: Channel): Promise<{ readonly version: number }> {
    session.left(channel)
    const membership = this.#find(session, channel)
    if (membership === undefined) return { version: 0 }
    return { version: (await this.end(membership)).version }
  }

  /** CHANNEL_NOT_SUBSCRIBED, CHANNEL_NOT_JOINED. */
  async changeStates(session: LocalSession, channel: Channel, changes: readonly StateChange[]): Promise<StatesChanged> {
    const membership = this.#find(session, channel)
    if (membership === undefined) throw new RollcallError(channel.type === 'STREAM' ? 'CHANNEL_NOT_JOINED' : 'CHANNEL_NOT_SUBSCRIBED', 'this session is not in the channel')
    return this.#states.inTurn(session, membership, changes)
  }

  /** Puts it under `due`. Never rejects: what the store cannot be told now, reconcile tells it. */
  async suspend(membership: LocalMembership): Promise<void> {
    membership.desired = 'suspended'
    const { channel, userId, session, attach, timeoutMs } = membership
    try {
      const result = await this.#lane(channel).submit({ channel, userId, session, kind: 'suspend', attach, timeoutMs }, { calm: true })
      this.#settled(membership, result)
      if (result.status === 'ok') this.options.onDeadline(this.#partitionOf(channel), timeoutMs)
    } catch {
      // It stays on the list as 'suspended': reconcile brings it about.
    }
  }

  /** Ends it at once. */
  async end(membership: LocalMembership): Promise<Settled> {
    membership.desired = 'gone'
    const { channel, userId, session, attach } = membership
    const result = await this.submit({ channel, userId, session, kind: 'leave', attach })
    this.#settled(membership, result)
    return result
  }

  /** Found damaged by a reader: the partition is reconciled, and its members here are asserted. */
  reportDamaged(channel: Channel): void {
    this.damaged[this.#partitionOf(channel)]?.add(channelId(channel))
    this.#lane(channel).doubt('damaged')
  }

  /** The membership under this very attach, as far as it is wanted. */
  #find(session: LocalSession, channel: Channel): LocalMembership | undefined {
    const userId = channel === session.home ? session.id : session.userId
    const found = this.#mine(channel)?.get({ channel, userId, session: session.id })
    return found?.attach === session.attach && found.desired === 'present' ? found : undefined
  }

  /** The store knows that it is suspended or gone; where the channel is damaged, reconcile makes it whole and says it again. */
  #settled(membership: LocalMembership, { status }: Settled): void {
    if (status === 'lost' && membership.confirmed) this.reportDamaged(membership.channel)
    else this.#mine(membership.channel)?.delete(membership)
  }

  /** The client is told that it failed. If the store has it after all, it is due: never a leave that nobody asked for. */
  #undoJoin(session: LocalSession, membership: LocalMembership): void {
    if (membership.confirmed) return
    session.left(membership.channel)
    membership.desired = 'suspended'
    this.#lane(membership.channel).doubt('unknown')
  }

  #partitionOf(channel: Channel): number {
    return this.options.store.partitionOf(channel)
  }

  #mine(channel: Channel): Memberships | undefined {
    return this.memberships[this.#partitionOf(channel)]
  }

  #lane(channel: Channel): Lane {
    const lane = this.lanes[this.#partitionOf(channel)]
    if (lane === undefined) throw new RollcallError('INTERNAL', 'no such partition')
    return lane
  }
}

function asRollcallError(error: unknown): unknown {
  if (error instanceof OutcomeUnknownError) return new RollcallError('PRESENCE_OPERATION_TIMEOUT', error.message, '', { cause: error })
  if (error instanceof NotExecutedError) return new RollcallError('PRESENCE_OPERATION_FAILED', error.message, '', { cause: error })
  return error
}
