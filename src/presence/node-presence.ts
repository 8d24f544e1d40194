import type { ChannelRef, States } from '../protocol/channel.js'
import { RollcallError } from '../protocol/errors.js'
import { recordOfStates } from '../replica/replica.js'
import { Acknowledged } from './acknowledged.js'
import type { Counters, Log } from './instruments.js'
import { NotExecutedError, OutcomeUnknownError } from './batches.js'
import { Lane, type Settled, type Submission } from './lane.js'
import { LocalSession, parseRemoval, removed, REPLACED, superseded, type Removal } from './local-session.js'
import { confirm, Memberships, type LocalMembership } from './memberships.js'
import type { NodePresenceOptions, PresenceHooks } from './node-options.js'
import { reconcilePartition } from './repair.js'
import type { EndReason, Joined, OpenRequest, Presence, Session } from './service.js'
import { StateWriter, type StatesChanged } from './state-writer.js'
import type { UserStatus } from './status.js'
import { statusesOf } from './statuses.js'
import type { PresenceStore } from './store.js'
import { channelId, userChannel, type Attach, type Channel, type Membership, type Op, type OpResult, type StateChange, type Waiting } from './types.js'

const NOTHING_UNDER_WAY = Promise.resolve()
const NOTHING_WAITS: Waiting = { messages: false, invitations: false }

/** The domain of one node: sessions, memberships and the partitions' lanes. */
export class NodePresence implements Presence {
  readonly nodeId: string
  readonly app: string
  readonly lanes: readonly Lane[]
  readonly memberships: readonly Memberships[]
  /** Ids of channels, by partition, whose data was found damaged or lost; the next reconcile asserts them. */
  readonly damaged: readonly Set<string>[]
  readonly #sessions = new Map<string, LocalSession>()
  readonly #acknowledged = new Acknowledged()
  readonly #states: StateWriter
  readonly #serviceListeners: ((inService: boolean) => void)[] = []
  #wasInService = false
  #watch: NodeJS.Timeout | undefined

  constructor(
    readonly store: PresenceStore,
    private readonly options: NodePresenceOptions,
    private readonly hooks: PresenceHooks,
    metrics: Counters,
    log: Log,
  ) {
    this.nodeId = options.nodeId
    this.app = options.app
    this.#states = new StateWriter({
      limits: options.limits,
      submit: (session, op) => this.#submit(op, { wanted: session.wants }),
      onStale: (session) => this.end(session, 'superseded'),
      onLost: async (channel) => {
        this.reportDamaged(channel)
        await this.#lane(channel).good(performance.now())
      },
      onMissing: (channel) => this.#lane(channel).doubt('unknown'),
    })
    this.memberships = Array.from({ length: store.partitions }, () => new Memberships())
    this.damaged = this.memberships.map(() => new Set<string>())
    this.lanes = this.memberships.map((mine, partition) => {
      const lane: Lane = new Lane(
        partition,
        store,
        { node: options.nodeId, heartbeatMs: options.heartbeatMs, leaseMs: options.leaseMs, newId: options.newId },
        {
          reconcile: (context) => reconcilePartition(this, partition, context),
          ownedBelieved: () => mine.listed,
          onLife: (life) => hooks.onLife(partition, life),
          onBeat: (beat) => {
            this.#checkService()
            hooks.onBeat(lane, beat)
          },
        },
        metrics,
        log,
      )
      return lane
    })
  }

  /** Takes a lease in every partition. Resolves when all are held. */
  async start(): Promise<void> {
    await Promise.all(this.lanes.map((lane, i) => lane.start((this.options.heartbeatMs * (i + 1)) / this.lanes.length)))
    this.#wasInService = true
    this.#watch = setInterval(() => this.#checkService(), Math.max(50, this.options.heartbeatMs / 2))
    this.#watch.unref()
  }

  /** Suspends every session, gives up the leases and stops. */
  async stop(): Promise<void> {
    for (const lane of this.lanes) lane.hurry()
    await Promise.all([...this.#sessions.values()].map((session) => this.suspend(session)))
    if (this.inService()) {
      const leave: Op[] = [
        { kind: 'endLease', node: this.nodeId },
        { kind: 'dropLease', node: this.nodeId },
      ]
      await Promise.all(this.lanes.flatMap((lane) => leave.map((op) => lane.submit(op).catch(() => undefined))))
    }
    clearInterval(this.#watch)
    await Promise.all(this.lanes.map((lane) => lane.close()))
  }

  async open(request: OpenRequest): Promise<Session> {
    const { userId, timeoutMs, attach = null, wanted, sourceIP = '', tag = '' } = request
    const id = request.sessionId ?? this.options.newId()
    const home = userChannel(this.app, userId)
    const member: Membership = { channel: home, userId: id, session: id }
    const again = request.sessionId !== undefined
    const submission = { calm: again, ...(wanted && { wanted }) }
    const about = recordOfStates(Object.entries({ ip: sourceIP, tag }).filter(([, text]) => text !== ''))
    const known = { revision: 0, joinedAt: 0, states: about }
    let result = await this.#submit({ ...member, kind: 'join', attach, timeoutMs, known, again, policy: this.options.login }, submission)
    // One of the two keys is gone: the session repairs it by being there, and the user's others notice.
    if (result.status === 'lost') result = await this.#submit({ ...member, kind: 'assert', attach, timeoutMs }, submission)
    if (result.status === 'stale') throw superseded()
    if (result.status === 'refused') throw new RollcallError('LOGIN_REJECTED', 'this user is logged in already, and no more sessions are allowed')
    if (result.status === 'gone') throw removed(parseRemoval(result.reason ?? ''))
    this.#tellRemoved(userId, result, REPLACED)
    if (result.attach === undefined) throw new RollcallError('INTERNAL', 'a login got no attach number')
    const session = new LocalSession(id, userId, result.attach, result.status === 'same', timeoutMs, result.member?.revision ?? 0, result.waiting ?? NOTHING_WAITS, home, request.onEnd)
    const key = sessionKey(userId, id)
    const older = this.#sessions.get(key)
    if (older !== undefined && older.attach > session.attach) throw superseded()
    this.#sessions.set(key, session)
    const membership = this.#remember(session, member)
    confirm(membership, result)
    if (older !== undefined) this.end(older, 'superseded')
    if (result.superseded !== undefined && result.superseded !== this.nodeId) this.hooks.onSuperseded(result.superseded, session)
    return session
  }

  /** Another node has a newer connection of this session. */
  supersededElsewhere(userId: string, sessionId: string, attach: Attach): void {
    const session = this.#sessions.get(sessionKey(userId, sessionId))
    if (session !== undefined && session.attach < attach) this.end(session, 'superseded')
  }

  /** A session was ended for good, by this node or by another one; what it had here leaves when its connection is gone. */
  removedElsewhere(userId: string, sessionId: string, attach: Attach, { reason, why }: Removal): void {
    const session = this.#sessions.get(sessionKey(userId, sessionId))
    if (session !== undefined && session.attach <= attach) session.onEnd(reason, why)
  }

  async evict(userId: string, why: string): Promise<number> {
    const home = userChannel(this.app, userId)
    const { members, damaged, settlesInMs } = await this.#read(this.store.snapshot(home))
    const results = await Promise.all([...members.keys()].map((id) => this.#submit({ channel: home, userId: id, session: id, kind: 'evict', reason: why })))
    for (const result of results) this.#tellRemoved(userId, result, { reason: 'kicked', why })
    if (damaged) this.reportDamaged(home)
    if (damaged || settlesInMs > 0 || results.some(({ status }) => status === 'lost')) {
      throw new RollcallError('PRESENCE_OPERATION_FAILED', 'Redis has lost data, and sessions of this user may be put back still: try again in some seconds')
    }
    return results.filter(({ status }) => status === 'ok').length
  }

  #tellRemoved(userId: string, { removed: list = [] }: OpResult, removal: Removal): void {
    for (const one of list) {
      if (one.node === this.nodeId) this.removedElsewhere(userId, one.session, one.attach, removal)
      else if (one.node !== null) this.hooks.onRemoved(one.node, userId, one, removal)
    }
  }

  /** The session is over without the client having asked: what stands under its attach is withdrawn. */
  end(session: LocalSession, reason: EndReason): void {
    if (session.over) return
    this.#forget(session)
    for (const membership of this.membershipsOf(session)) {
      membership.confirmed = false
      void this.#suspendOne(membership)
    }
    session.onEnd(reason, '')
  }

  abandon(session: Session): void {
    const local = this.#local(session)
    if (local !== null) local.abandoned = true
  }

  async suspend(session: Session, timeoutMs: number = session.timeoutMs): Promise<void> {
    const local = this.#local(session)
    if (local === null) return
    this.#forget(local)
    await Promise.all(
      this.membershipsOf(local).map((membership) => {
        membership.timeoutMs = timeoutMs
        return this.#suspendOne(membership)
      }),
    )
  }

  async close(session: Session): Promise<void> {
    const local = this.#local(session)
    if (local === null) return
    this.#forget(local)
    await Promise.all(this.membershipsOf(local).map((membership) => this.#leaveOne(membership).catch(() => undefined)))
  }

  async join(session: Session, ref: ChannelRef, states: States = recordOfStates([]), again = false): Promise<Joined> {
    const local = this.#alive(session)
    const channel = this.#channel(ref)
    const found = this.#find(local, channel)
    const membership = found ?? this.#remember(local, { channel, userId: local.userId, session: local.id })
    local.entered(channel)
    const entering = { channel, userId: local.userId, session: local.id, attach: local.attach, timeoutMs: local.timeoutMs }
    // Both go out in one batch: whoever hears of the join hears of the states with it.
    const joining = this.#submit({ ...entering, kind: 'join', again }, { wanted: local.wants, calm: again })
    const stating = !again && Object.keys(states).length > 0 ? this.#states.write(local, membership, this.#states.merge(states)) : undefined
    stating?.catch(() => undefined)
    let joined: Settled
    try {
      joined = await joining
      // The channel's data was damaged by a loss: this session repairs it by being there.
      if (joined.status === 'lost') joined = await this.#submit({ ...entering, kind: 'assert' }, { wanted: local.wants })
    } catch (error) {
      this.#undoJoin(local, membership)
      throw error
    }
    if (joined.status === 'stale') {
      this.end(local, 'superseded')
      throw superseded()
    }
    if (joined.member === undefined) throw new RollcallError('INTERNAL', `a join answered ${joined.status}`)
    if (membership.attach === local.attach) confirm(membership, joined)
    membership.unstated ||= joined.status === 'ok' || joined.uncertain
    const isNew = membership.unstated
    const { states: there } = joined.member
    const lacks = again && isNew && Object.keys(states).some((key) => !Object.hasOwn(there, key))
    const stated = lacks ? await this.#states.write(local, membership, this.#states.beneath(states)) : await stating
    membership.unstated = false
    const version = Math.max(joined.version, stated?.version ?? 0)
    this.#alive(session)
    return { version, member: membership.known ?? joined.member, isNew }
  }

  async leave(session: Session, ref: ChannelRef): Promise<{ readonly version: number }> {
    const local = this.#alive(session)
    const channel = this.#channel(ref)
    local.left(channel)
    const membership = this.#find(local, channel)
    if (membership === undefined) return { version: 0 }
    return { version: (await this.#leaveOne(membership)).version }
  }

  async changeStates(session: Session, ref: ChannelRef, changes: readonly StateChange[]): Promise<StatesChanged> {
    const [local, membership] = this.#joined(session, ref)
    return this.#states.inTurn(local, membership, changes)
  }

  async getState(ref: ChannelRef, userId: string): Promise<States> {
    const member = await this.#read(this.store.member(this.#channel(ref), userId))
    if (member === null) throw new RollcallError('PRESENCE_USER_NOT_EXIST', 'the user is not in this channel')
    return member.states
  }

  async whereNow(userId: string): Promise<readonly ChannelRef[]> {
    const channels = await this.#read(this.store.channelsOf(this.app, userId))
    return channels.flatMap(({ type, name }) => (type === 'USER' ? [] : [{ channelName: name, channelType: type }]))
  }

  async statuses(userIds: readonly string[]): Promise<readonly UserStatus[]> {
    return this.#read(statusesOf(this.store, this.app, userIds))
  }

  acknowledged(ref: ChannelRef): number {
    return this.#acknowledged.get(channelId(this.#channel(ref)))
  }

  get sessionCount(): number {
    return this.#sessions.size
  }

  session(userId: string, id: string): LocalSession | undefined {
    return this.#sessions.get(sessionKey(userId, id))
  }

  inService(partition?: number): boolean {
    const fresh = (lane: Lane | undefined): boolean => lane !== undefined && lane.beatAge < this.options.leaseMs
    return partition === undefined ? this.lanes.every(fresh) : fresh(this.lanes[partition])
  }

  vouch(session: Session): void {
    const { home } = this.#alive(session)
    if (!this.inService(this.store.partitionOf(home))) throw new RollcallError('PRESENCE_OPERATION_FAILED', 'this node has not heard of Redis for too long')
  }

  onService(listener: (inService: boolean) => void): void {
    this.#serviceListeners.push(listener)
  }

  /** All memberships of a session on this node, that in its USER channel included. */
  membershipsOf(session: LocalSession): LocalMembership[] {
    const mine: LocalMembership[] = []
    for (const channel of [...session.channels, session.home]) {
      const membership = this.#find(session, channel)
      if (membership !== undefined) mine.push(membership)
    }
    return mine
  }

  /** Found damaged by a reader: the partition is reconciled, and its members here are asserted. */
  reportDamaged(channel: Channel): void {
    const partition = this.store.partitionOf(channel)
    this.damaged[partition]?.add(channelId(channel))
    this.#lane(channel).doubt('damaged')
  }

  #checkService(): void {
    if (this.#watch === undefined) return
    const now = this.inService()
    if (now === this.#wasInService) return
    this.#wasInService = now
    for (const listener of this.#serviceListeners) listener(now)
  }

  #remember(session: LocalSession, membership: Membership): LocalMembership {
    // Each field by name: what begins with a spread gets a hidden class of its own, which takes more memory than the rest of it.
    const { channel, userId, session: id } = membership
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
    this.memberships[this.store.partitionOf(membership.channel)]?.put(local)
    return local
  }

  /** The membership under this very attach, as far as it is wanted. */
  #find(session: LocalSession, channel: Channel): LocalMembership | undefined {
    const userId = channel === session.home ? session.id : session.userId
    const found = this.memberships[this.store.partitionOf(channel)]?.get({ channel, userId, session: session.id })
    return found?.attach === session.attach && found.desired === 'present' ? found : undefined
  }

  #forget(session: LocalSession): void {
    session.over = true
    const key = sessionKey(session.userId, session.id)
    if (this.#sessions.get(key) === session) this.#sessions.delete(key)
  }

  async #suspendOne(membership: LocalMembership): Promise<void> {
    membership.desired = 'suspended'
    const { channel, userId, session, attach, timeoutMs } = membership
    const partition = this.store.partitionOf(channel)
    try {
      const result = await this.#lane(channel).submit({ channel, userId, session, kind: 'suspend', attach, timeoutMs }, { calm: true })
      this.#settled(membership, result)
      if (result.status === 'ok') this.hooks.onDeadline(partition, timeoutMs)
    } catch {
      // It stays on the list as 'suspended': reconcile brings it about.
    }
  }

  async #leaveOne(membership: LocalMembership): Promise<Settled> {
    membership.desired = 'gone'
    const { channel, userId, session, attach } = membership
    const result = await this.#submit({ channel, userId, session, kind: 'leave', attach })
    this.#settled(membership, result)
    return result
  }

  /** The store knows that it is suspended or gone; where the channel is damaged, reconcile makes it whole and says it again. */
  #settled(membership: LocalMembership, { status }: Settled): void {
    if (status === 'lost' && membership.confirmed) this.reportDamaged(membership.channel)
    else this.memberships[this.store.partitionOf(membership.channel)]?.delete(membership)
  }

  /** The client is told that it failed. If the store has it after all, it is due: never a leave that nobody asked for. */
  #undoJoin(session: LocalSession, membership: LocalMembership): void {
    if (membership.confirmed) return
    session.left(membership.channel)
    membership.desired = 'suspended'
    this.#lane(membership.channel).doubt('unknown')
  }

  /** What a change of states needs. CHANNEL_NOT_SUBSCRIBED, CHANNEL_NOT_JOINED. */
  #joined(session: Session, ref: ChannelRef): [LocalSession, LocalMembership] {
    const local = this.#alive(session)
    const membership = this.#find(local, this.#channel(ref))
    if (membership !== undefined) return [local, membership]
    throw new RollcallError(ref.channelType === 'STREAM' ? 'CHANNEL_NOT_JOINED' : 'CHANNEL_NOT_SUBSCRIBED', 'this session is not in the channel')
  }

  async #submit(op: Op & { readonly channel: Channel }, submission?: Submission): Promise<Settled> {
    try {
      const result = await this.#lane(op.channel).submit(op, submission)
      if (result.version > 0) this.#acknowledged.add(channelId(op.channel), result.version)
      if (result.farewell === true) this.hooks.onDeadline(this.store.partitionOf(op.channel), 0)
      return result
    } catch (error) {
      throw asRollcallError(error)
    }
  }

  async #read<T>(reading: Promise<T>): Promise<T> {
    try {
      return await reading
    } catch (error) {
      throw new RollcallError('PRESENCE_OPERATION_FAILED', 'the store did not answer', '', { cause: error })
    }
  }

  #lane(channel: Channel): Lane {
    const lane = this.lanes[this.store.partitionOf(channel)]
    if (lane === undefined) throw new RollcallError('INTERNAL', 'no such partition')
    return lane
  }

  #channel(ref: ChannelRef): Channel {
    return { app: this.app, type: ref.channelType, name: ref.channelName }
  }

  #local(session: Session): LocalSession | null {
    return session instanceof LocalSession && !session.over ? session : null
  }

  #alive(session: Session): LocalSession {
    const local = this.#local(session)
    if (local === null) throw new RollcallError('NOT_LOGIN', 'the session is over')
    return local
  }
}

function sessionKey(userId: string, id: string): string {
  return `${userId}\0${id}`
}

function asRollcallError(error: unknown): unknown {
  if (error instanceof OutcomeUnknownError) return new RollcallError('PRESENCE_OPERATION_TIMEOUT', error.message, '', { cause: error })
  if (error instanceof NotExecutedError) return new RollcallError('PRESENCE_OPERATION_FAILED', error.message, '', { cause: error })
  return error
}
