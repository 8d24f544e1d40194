import type { ChannelRef, States } from '../protocol/channel.js'
import { RollcallError } from '../protocol/errors.js'
import { recordOfStates } from '../replica/replica.js'
import type { Counters, Log } from './instruments.js'
import { Lane } from './lane.js'
import { alive, living, LocalSession, parseRemoval, removed, REPLACED, superseded, type Removal } from './local-session.js'
import { Members } from './members.js'
import { confirm, type Memberships } from './memberships.js'
import type { NodePresenceOptions, PresenceHooks } from './node-options.js'
import { reconcilePartition } from './repair.js'
import type { EndReason, Joined, OpenRequest, Presence, Session } from './service.js'
import type { StatesChanged } from './state-writer.js'
import type { UserStatus } from './status.js'
import { statusesOf } from './statuses.js'
import type { PresenceStore } from './store.js'
import { userChannel, type Attach, type Channel, type Membership, type Op, type OpResult, type StateChange, type Waiting } from './types.js'
import { Withdrawals } from './withdrawals.js'

const NOTHING_WAITS: Waiting = { messages: false, invitations: false }

/** The domain of one node: its sessions, and through `Members` what they are in. */
export class NodePresence implements Presence {
  readonly nodeId: string
  readonly app: string
  readonly members: Members
  readonly #sessions = new Map<string, LocalSession>()
  readonly #withdrawals: Withdrawals
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
    this.members = new Members({
      store,
      limits: options.limits,
      laneOf: (partition, mine) => this.#makeLane(partition, mine, metrics, log),
      onDeadline: (partition, inMs) => hooks.onDeadline(partition, inMs),
      onStale: (session) => this.end(session, 'superseded'),
    })
    this.#withdrawals = new Withdrawals(options.app, store, this.members)
  }

  get lanes(): readonly Lane[] {
    return this.members.lanes
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
    for (const lane of this.lanes) lane.retire()
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
    let result = await this.members.enter({ ...member, attach, timeoutMs, known, again, policy: this.options.login }, submission)
    // One of the two keys is gone: the session repairs it by being there, and the user's others notice.
    if (result.status === 'lost') result = await this.members.submit({ ...member, kind: 'assert', attach, timeoutMs }, submission)
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
    this.#withdrawals.note(session, result)
    const membership = this.members.remember(session, member)
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
    const { members, version, damaged, settlesInMs } = await this.#read(this.store.snapshot(home))
    const results = await Promise.all([...members.keys()].map((id) => this.members.submit({ channel: home, userId: id, session: id, kind: 'evict', reason: why })))
    for (const result of results) this.#tellRemoved(userId, result, { reason: 'kicked', why })
    await this.#withdrawals.kicked(userId, new Set(members.keys()), version)
    if (damaged) this.members.reportDamaged(home)
    if (damaged || settlesInMs > 0 || results.some(({ status }) => status === 'lost')) {
      throw new RollcallError('PRESENCE_OPERATION_FAILED', 'Redis has lost data, and sessions of this user may be put back still: try again in some seconds')
    }
    return results.filter(({ status }) => status === 'ok').length
  }

  #tellRemoved(userId: string, { removed: list = [] }: OpResult, removal: Removal): void {
    for (const one of list) {
      if (one.node === this.nodeId) this.removedElsewhere(userId, one.session, one.attach, removal)
      else this.hooks.onRemoved(userId, one, removal)
    }
  }

  /** The session is over without the client having asked: what stands under its attach is withdrawn. */
  end(session: LocalSession, reason: EndReason): void {
    if (session.over) return
    this.#forget(session)
    for (const membership of this.members.of(session)) {
      membership.confirmed = false
      void this.members.suspend(membership)
    }
    session.onEnd(reason, '')
  }

  abandon(session: Session): void {
    const local = living(session)
    if (local !== null) local.abandoned = true
  }

  async suspend(session: Session, timeoutMs: number = session.timeoutMs): Promise<void> {
    const local = living(session)
    if (local === null) return
    this.#forget(local)
    await Promise.all(
      this.members.of(local).map((membership) => {
        membership.timeoutMs = timeoutMs
        return this.members.suspend(membership)
      }),
    )
  }

  async close(session: Session): Promise<void> {
    const local = living(session)
    if (local === null) return
    this.#forget(local)
    await Promise.all(this.members.of(local).map((membership) => this.members.end(membership).catch(() => undefined)))
    await this.#withdrawals.outlived(local)
  }

  async join(session: Session, ref: ChannelRef, states: States = recordOfStates([]), again = false): Promise<Joined> {
    const channel = this.#channel(ref)
    const joined = await this.members.join(alive(session), channel, states, again)
    void this.#withdrawals.outlived(session, [channel])
    return joined
  }

  async leave(session: Session, ref: ChannelRef): Promise<{ readonly version: number }> {
    return this.members.leave(alive(session), this.#channel(ref))
  }

  async changeStates(session: Session, ref: ChannelRef, changes: readonly StateChange[]): Promise<StatesChanged> {
    return this.members.changeStates(alive(session), this.#channel(ref), changes)
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
    return this.members.acknowledged(this.#channel(ref))
  }

  timeNow(userId: string): number {
    return Math.floor(this.lanes[this.store.partitionOf(userChannel(this.app, userId))]?.timeNow ?? 0)
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
    const { home } = alive(session)
    if (!this.inService(this.store.partitionOf(home))) throw new RollcallError('PRESENCE_OPERATION_FAILED', 'this node has not heard of Redis for too long')
  }

  onService(listener: (inService: boolean) => void): void {
    this.#serviceListeners.push(listener)
  }

  #checkService(): void {
    if (this.#watch === undefined) return
    const now = this.inService()
    if (now === this.#wasInService) return
    this.#wasInService = now
    for (const listener of this.#serviceListeners) listener(now)
  }

  #forget(session: LocalSession): void {
    session.over = true
    const key = sessionKey(session.userId, session.id)
    if (this.#sessions.get(key) === session) this.#sessions.delete(key)
  }

  async #read<T>(reading: Promise<T>): Promise<T> {
    try {
      return await reading
    } catch (error) {
      throw new RollcallError('PRESENCE_OPERATION_FAILED', 'the store did not answer', '', { cause: error })
    }
  }

  #channel(ref: ChannelRef): Channel {
    return { app: this.app, type: ref.channelType, name: ref.channelName }
  }

  #makeLane(partition: number, mine: Memberships, metrics: Counters, log: Log): Lane {
    const { nodeId: node, heartbeatMs, leaseMs, newId } = this.options
    const lane: Lane = new Lane(
      partition,
      this.store,
      { node, heartbeatMs, leaseMs, newId },
      {
        reconcile: (context) => reconcilePartition(this, partition, context),
        ownedBelieved: () => mine.listed,
        onLife: (life) => this.hooks.onLife(partition, life),
        onBeat: (beat) => {
          this.#checkService()
          this.hooks.onBeat(lane, beat)
        },
      },
      metrics,
      log,
    )
    return lane
  }
}

function sessionKey(userId: string, id: string): string {
  return `${userId}\0${id}`
}
