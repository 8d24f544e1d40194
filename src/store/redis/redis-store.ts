import { ReplyError, type ChainableCommander } from 'ioredis'
import type { Logger } from '../../log.js'
import type { Post, PostGap, PostOffice } from '../../presence/post.js'
import type { StatusEvent, StatusReading } from '../../presence/status.js'
import { StoreRefusedError, UnknownOutcomeError, type Batch, type DueCandidates, type LeaseRow, type Look, type PresenceStore } from '../../presence/store.js'
import { DEFAULT_LIMITS } from '../../protocol/limits.js'
import {
  channelId,
  isShrinking,
  parseChannelId,
  type AuditRow,
  type Beat,
  type BeatReply,
  type Channel,
  type ChannelEvent,
  type ChannelSnapshot,
  type CommitReply,
  type MemberRecord,
  type Membership,
  type SessionEntry,
  type Timer,
  userChannel,
} from '../../presence/types.js'
import { decodeEvent, decodePost, decodeRecord, decodeResult, decodeSessions, decodeStatus, decodeStatusEvent, encodeOps, listOf, numberOf, replyOf, ReplyShapeError, textOf } from './codec.js'
import { channelOfMembersKey, Keys, MEMBERS_PATTERN, parseMembership, parseTimer, PARTITION_COUNT_KEY, partitionOf, timerText } from './keys.js'
import { RedisMessages } from './message-store.js'
import { RedisInvitations } from './invitation-store.js'
import { RedisMetadata } from './metadata-store.js'
import { RedisOutbox } from './outbox-store.js'
import { RedisRoster } from './roster-store.js'
import * as scripts from './scripts.js'
import type { Client, Connections } from './connections.js'
import { RecentOwners } from './recent-owners.js'
import { pages, parseCursor, SCAN_COUNT, upTo } from './paging.js'
import { checkRequirements } from './requirements.js'
import type { Subscriber } from './subscriber.js'
import { Topology } from './topology.js'

/** Every key but the partition count expires by itself after this, in seconds, unless a living node renews it. */
export const KEY_TTL_S = 86_400

/** Replies by which Redis says that it did not execute a call. */
const REFUSALS = /^(OOM|LOADING|BUSY|READONLY|TRYAGAIN|CLUSTERDOWN|MASTERDOWN|NOREPLICAS|NOPERM|NOAUTH|MOVED|ASK)\b/
/** What ioredis says of a command that it never sent. */
const UNSENT = /Stream isn't writeable|Cluster isn't ready|Cluster is ended|Too many Cluster redirections|All keys in the pipeline should belong to the same slots/

const FIXED_KEYS = 8

/** The one implementation of the port, on Redis >= 7.0: a single server, Redis Cluster, or a master behind Sentinels. */
export class RedisStore implements PresenceStore, PostOffice {
  /** What lasts. */
  readonly metadata: RedisMetadata
  /** What users send each other. */
  readonly messages: RedisMessages
  /** What is written for webhooks, once {@link keepOutbox} was called. */
  readonly outbox: RedisOutbox
  /** Who has whom as a friend, and what users tell each other of themselves. */
  readonly roster: RedisRoster
  /** Who has invited whom. */
  readonly invitations: RedisInvitations
  readonly #keys: readonly Keys[]
  readonly #topology: Topology
  readonly #owners = new RecentOwners()
  #outbox = { entries: DEFAULT_LIMITS.outboxEntries, app: '' }
  #quietApp = ''

  constructor(
    private readonly redis: Client,
    private readonly subscriber: Subscriber,
    readonly partitions: number,
    private readonly connections: Connections,
    private readonly log: Logger,
  ) {
    this.#topology = new Topology(redis)
    this.#keys = Array.from({ length: partitions }, (_, partition) => new Keys(partition))
    this.metadata = new RedisMetadata(
      redis,
      (app, userId) => this.#keysOf(userChannel(app, userId)).meta(app, userId),
      (running) => this.#call(running),
    )
    this.roster = new RedisRoster({
      redis,
      partitionOf: (channel) => this.partitionOf(channel),
      keysOf: (partition) => this.#of(partition),
      call: (running) => this.#call(running),
      pipeline: (fill) => this.#pipeline(fill),
      moveTimer: (partition, timer, at) => this.moveTimer(partition, timer, at),
    })
    this.messages = new RedisMessages(
      redis,
      (channel) => this.partitionOf(channel),
      (partition) => this.#of(partition),
      (running) => this.#call(running),
    )
    this.invitations = new RedisInvitations({
      redis,
      keysOf: (app, userId) => this.#keysOf(userChannel(app, userId)),
      keysLike: (partition) => this.#keysLike(this.#of(partition).everybodysInvitations),
      call: (running) => this.#call(running),
    })
    this.outbox = new RedisOutbox({ redis, subscriber, keys: this.#keys, ttlS: KEY_TTL_S, call: (running) => this.#call(running) })
  }

  /**
   * From here on changes of this app (`''`: of none) are written into the outbox, which keeps about so many of a partition; and always those
   * of apps that have claimed a receiver there, for a node ends what is of others too.
   */
  keepOutbox(entries: number, app: string): void {
    this.#outbox = { entries, app }
  }

  /** From here on nothing is written to tell friends that users of this app are gone. */
  blockFarewells(app: string): void {
    this.#quietApp = app
  }

  /** Connects. Rejects when Redis cannot be reached, is too old, evicts what it likes, or was set up with another partition count. */
  async open(): Promise<void> {
    try {
      await this.connections.open()
      await checkRequirements(this.#topology.masters(), this.log)
      await this.subscriber.start()
      await this.redis.set(PARTITION_COUNT_KEY, String(this.partitions), 'NX')
      const found = await this.redis.get(PARTITION_COUNT_KEY)
      if (found !== null && Number(found) !== this.partitions) {
        throw new Error(`ROLLCALL_PARTITIONS is ${this.partitions}, but this Redis was set up with ${found}: it is fixed for a deployment`)
      }
    } catch (error) {
      this.connections.close()
      throw error
    }
  }

  partitionOf(channel: Channel): number {
    return partitionOf(channel, this.partitions)
  }

  async commit(partition: number, batch: Batch): Promise<CommitReply> {
    const script = batch.ops.every(isShrinking) ? scripts.commitShrinking : scripts.commitGrowing
    const keys = this.#of(partition)
    // Of sessions that are taken over from other living nodes: their lists have to be declared, so the script names those that are not.
    let owners = this.#owners.recent
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const encoded = encodeOps(keys, batch.ops, owners, FIXED_KEYS)
      const reply = listOf(
        await this.#call(
          script.run(
            this.redis,
            [keys.clock, keys.leases, keys.due, keys.owned(batch.node), keys.status, keys.outbox, keys.written, keys.timers, ...encoded.keys],
            [batch.node, String(batch.number), batch.life, String(batch.periodMs * 1000), String(KEY_TTL_S), String(this.#outbox.entries), this.#outbox.app, this.#quietApp, ...encoded.args],
          ),
        ),
        'commit',
      )
      const outcome = reply[0]
      if (outcome === 'owners') {
        const named = reply.slice(1).map((owner) => textOf(owner, 'commit'))
        for (const owner of named) this.#owners.add(owner)
        owners = [...owners, ...named]
        continue
      }
      if (outcome === 'life' || outcome === 'lease' || outcome === 'number') return { outcome: 'refused', why: outcome }
      if (outcome !== 'done' || reply.length !== batch.ops.length + 2) throw new ReplyShapeError('commit', reply)
      return { outcome: 'done', clock: numberOf(reply[1], 'commit'), results: reply.slice(2).map(decodeResult) }
    }
    throw new StoreRefusedError('the owners of the sessions in this batch kept changing', undefined)
  }

  async heartbeat(partition: number, beat: Beat): Promise<BeatReply> {
    const keys = this.#of(partition)
    const args = [
      beat.node,
      String(beat.number),
      String(beat.leaseMs * 1000),
      String(beat.periodMs * 1000),
      String(KEY_TTL_S),
      beat.knownLife,
      beat.newLife,
      String(beat.clockSeen),
      beat.seal ? '1' : '0',
    ]
    const reply = listOf(
      await this.#call(scripts.heartbeat.run(this.redis, [keys.clock, keys.leases, keys.due, keys.owned(beat.node), keys.timers], args)),
      'heartbeat',
    )
    const [outcome, life, clock, time, hold, due, lease, owned, dueLost, statusVersion, posts] = reply
    if (outcome !== 'held' && outcome !== 'taken' && outcome !== 'late') throw new ReplyShapeError('heartbeat', reply)
    const count = numberOf(owned, 'heartbeat')
    return {
      outcome,
      life: textOf(life, 'heartbeat'),
      clock: numberOf(clock, 'heartbeat'),
      time: numberOf(time, 'heartbeat'),
      holdUntil: numberOf(hold, 'heartbeat'),
      nextDue: due === '' ? null : numberOf(due, 'heartbeat'),
      nextLeaseEnd: lease === '' ? null : numberOf(lease, 'heartbeat'),
      owned: count < 0 ? null : count,
      dueLost: dueLost === '1',
      statusVersion: numberOf(statusVersion, 'heartbeat'),
      posts: numberOf(posts, 'heartbeat'),
    }
  }

  async snapshot(channel: Channel): Promise<ChannelSnapshot> {
    const keys = this.#keysOf(channel)
    const id = channelId(channel)
    const reply = replyOf(await this.#call(scripts.snapshot.run(this.redis, [keys.clock, keys.members(id), keys.sessions(id)], [])), 'snapshot')
    const [life, channelLife, version, time, damaged, emptied, settles, conclusive, ...rows] = reply
    const members = new Map<string, ReturnType<ChannelSnapshot['members']['get']> & object>()
    for (let i = 0; i + 1 < rows.length; i += 2) {
      const userId = textOf(rows[i], 'snapshot')
      members.set(userId, { userId, ...decodeRecord(textOf(rows[i + 1], 'snapshot')) })
    }
    return {
      life: textOf(life, 'snapshot'),
      channelLife: textOf(channelLife, 'snapshot'),
      version: numberOf(version, 'snapshot'),
      time: numberOf(time, 'snapshot'),
      emptied: numberOf(emptied, 'snapshot'),
      damaged: damaged === '1',
      settlesInMs: numberOf(settles, 'snapshot') / 1000,
      conclusive: conclusive === '1',
      members,
    }
  }

  async member(channel: Channel, userId: string): Promise<MemberRecord | null> {
    const record = await this.#call(this.redis.hget(this.#keysOf(channel).members(channelId(channel)), userId))
    return record === null ? null : decodeRecord(record)
  }

  async channelsOf(app: string, userId: string): Promise<readonly Channel[]> {
    const lists = await Promise.all(this.#keys.map((keys) => this.#call(this.redis.hkeys(keys.where(app, userId)))))
    return lists.flat().map(parseChannelId)
  }

  async statuses(partition: number, app: string, userIds: readonly string[]): Promise<StatusReading> {
    const keys = this.#of(partition)
    const named = userIds.flatMap((userId) => [keys.sessions(channelId(userChannel(app, userId))), keys.seen(app, userId)])
    const reply = replyOf(await this.#call(scripts.status.run(this.redis, [keys.clock, ...named], [])), 'status')
    const [life, version, settles, ...rows] = reply
    return {
      life: textOf(life, 'status'),
      version: numberOf(version, 'status'),
      settlesInMs: numberOf(settles, 'status') / 1000,
      rows: userIds.map((_, i) => decodeStatus(rows[2 * i], rows[2 * i + 1])),
    }
  }

  async channels(cursor: string): Promise<{ readonly channels: readonly (Channel & { occupancy: number; version: number })[]; readonly cursor: string }> {
    const masters = this.#topology.masters()
    const [at, from] = cursor === '' ? [0, '0'] : parseCursor(cursor)
    const server = masters[at]
    if (server === undefined) return { channels: [], cursor: '' }
    const [next, found] = await this.#call(server.scan(from, 'MATCH', MEMBERS_PATTERN, 'COUNT', SCAN_COUNT))
    const channels = found.flatMap((key) => {
      const channel = channelOfMembersKey(key)
      return channel === null || channel.type === 'USER' ? [] : [{ key, channel }]
    })
    const rows = await Promise.all(
      channels.map(async ({ key, channel }) => {
        const [marker, length] = await Promise.all([this.#call(this.redis.hget(key, '')), this.#call(this.redis.hlen(key))])
        return { ...channel, occupancy: Math.max(0, length - 1), version: Number(marker?.split(' ')[1] ?? 0) }
      }),
    )
    const following = next !== '0' ? `${at}.${next}` : at + 1 < masters.length ? `${at + 1}.0` : ''
    return { channels: rows.filter((row) => row.occupancy > 0), cursor: following }
  }

  async leases(partition: number): Promise<{ readonly clock: number; readonly rows: readonly LeaseRow[] }> {
    const keys = this.#of(partition)
    const [clock, flat] = await Promise.all([
      this.#call(this.redis.hget(keys.clock, 'now')),
      this.#call(this.redis.zrange(keys.leases, '0', '-1', 'WITHSCORES')),
    ])
    const rows: Promise<LeaseRow>[] = []
    for (let i = 0; i + 1 < flat.length; i += 2) {
      const node = flat[i] ?? ''
      const leaseEnd = Number(flat[i + 1])
      rows.push(this.#call(this.redis.scard(keys.owned(node))).then((owned) => ({ node, leaseEnd, owned: Math.max(0, owned - 1) })))
    }
    return { clock: Number(clock ?? 0), rows: await Promise.all(rows) }
  }

  async sessions(
    partition: number,
    of: readonly { readonly channel: Channel; readonly userId: string }[],
  ): Promise<readonly (readonly SessionEntry[] | null)[]> {
    const keys = this.#of(partition)
    const replies = await this.#pipeline((pipeline) => {
      for (const { channel, userId } of of) pipeline.hget(keys.sessions(channelId(channel)), userId)
    })
    return replies.map((reply) => (reply === null ? null : decodeSessions(textOf(reply, 'sessions'))))
  }

  async owned(partition: number, node: string, limit = Infinity): Promise<{ readonly memberships: readonly Membership[]; readonly intact: boolean }> {
    const key = this.#of(partition).owned(node)
    const memberships = new Map<string, Membership>()
    let intact = false
    for await (const found of pages((cursor) => this.#call(this.redis.sscan(key, cursor, 'COUNT', SCAN_COUNT)))) {
      for (const text of found) {
        if (text === '') intact = true
        else memberships.set(text, parseMembership(text))
      }
      if (memberships.size >= limit) break
    }
    return { memberships: [...memberships.values()], intact }
  }

  async *unvouched(partition: number): AsyncIterable<readonly Membership[]> {
    const keys = this.#of(partition)
    const nodes = new Set(await this.#call(this.redis.zrange(keys.leases, '0', '-1')))
    for await (const found of this.#keysLike(keys.pattern)) {
      for (const key of found) if (key.startsWith(keys.sessions(''))) yield* this.#unvouchedIn(key, parseChannelId(key.slice(keys.sessions('').length)), nodes)
      const members = found.filter((key) => key.startsWith(keys.members('')))
      yield (await Promise.all(members.map((key) => this.#withoutSessions(keys, key)))).flat()
    }
  }

  async *#keysLike(pattern: string): AsyncIterable<readonly string[]> {
    for (const server of this.#topology.masters()) yield* pages((cursor) => this.#call(server.scan(cursor, 'MATCH', pattern, 'COUNT', SCAN_COUNT)))
  }

  /** Members of a channel whose sessions are lost: who vouches for whom is not known any more. */
  async #withoutSessions(keys: Keys, key: string): Promise<readonly Membership[]> {
    const id = key.slice(keys.members('').length)
    if ((await this.#call(this.redis.exists(keys.sessions(id)))) === 1) return []
    const members = await this.#call(this.redis.hkeys(key))
    return members.flatMap((userId) => (userId === '' ? [] : [{ channel: parseChannelId(id), userId, session: '?' }]))
  }

  async *#unvouchedIn(key: string, channel: Channel, nodes: ReadonlySet<string>): AsyncIterable<readonly Membership[]> {
    for await (const found of pages((cursor) => this.#call(this.redis.hscan(key, cursor, 'COUNT', SCAN_COUNT)))) {
      const rows = found.flatMap((userId, i) => (i % 2 === 0 && userId !== '' ? [{ userId, entries: decodeSessions(found[i + 1] ?? '') }] : []))
      yield rows.flatMap(({ userId, entries }) => entries.flatMap(({ session, node }) => (node === null || !nodes.has(node) ? [{ channel, userId, session }] : [])))
    }
  }

  async dueCandidates(partition: number, clock: number, soon: number, limit: number): Promise<DueCandidates> {
    const keys = this.#of(partition)
    const [due, timers, leases] = await Promise.all([
      this.#call(this.redis.zrangebyscore(keys.due, '-inf', soon, 'WITHSCORES', 'LIMIT', 0, limit)),
      this.#call(this.redis.zrangebyscore(keys.timers, '-inf', soon, 'WITHSCORES', 'LIMIT', 0, limit)),
      this.#call(this.redis.zrangebyscore(keys.leases, '-inf', clock)),
    ])
    const passed = upTo(clock, due)
    const ringing = upTo(clock, timers)
    return {
      due: passed.rows.map(({ text }) => parseMembership(text)),
      timers: ringing.rows.flatMap(({ text, at }) => parseTimer(text, at) ?? []),
      leases,
      next: Math.min(passed.next, ringing.next) === Infinity ? null : Math.min(passed.next, ringing.next),
    }
  }

  async moveTimer(partition: number, timer: Timer, at: number | null): Promise<boolean> {
    const { timers } = this.#of(partition)
    return (await this.#call(scripts.timer.run(this.redis, [timers], [timerText(timer), String(timer.at), at === null ? '' : String(at)]))) === 1
  }

  async audit(
    partition: number,
    { channels, app, users, renew }: Look,
  ): Promise<{ readonly life: string; readonly rows: readonly AuditRow[]; readonly unlisted: readonly string[] }> {
    const keys = this.#of(partition)
    const named = channels.flatMap((channel) => {
      const id = channelId(channel)
      return [keys.members(id), keys.sessions(id)]
    })
    const where = users.map((userId) => keys.where(app, userId))
    const [life, absent, ...rows] = listOf(
      await this.#call(scripts.audit.run(this.redis, [keys.clock, ...named, ...where], [String(channels.length), renew ? String(KEY_TTL_S) : '0'])),
      'audit',
    )
    return {
      life: textOf(life, 'audit'),
      unlisted: listOf(absent, 'audit').map((index) => users[numberOf(index, 'audit')] ?? ''),
      rows: rows.map((row): AuditRow => {
        const [channelLife, version, occupancy] = listOf(row, 'audit')
        if (channelLife === undefined) return null
        if (channelLife === 'damaged') return 'damaged'
        return { channelLife: textOf(channelLife, 'audit'), version: numberOf(version, 'audit'), occupancy: numberOf(occupancy, 'audit') }
      }),
    }
  }

  async subscribe(channel: Channel, listener: (event: ChannelEvent) => void): Promise<() => void> {
    return this.#call(this.subscriber.subscribe(this.#keysOf(channel).events(channelId(channel)), decodeEvent, listener))
  }

  async subscribeStatuses(partition: number, listener: (event: StatusEvent) => void): Promise<() => void> {
    return this.#call(this.subscriber.subscribe(this.#of(partition).status, decodeStatusEvent, listener))
  }

  async subscribePost(partition: number, listener: (post: Post) => void): Promise<() => void> {
    return this.#call(this.subscriber.subscribe(this.#of(partition).post, decodePost, listener))
  }

  async farewells({ partition, after, upTo }: PostGap): Promise<readonly Post[]> {
    return (await this.#call(this.redis.zrangebyscore(this.#of(partition).farewells, `(${after}`, upTo))).map(decodePost)
  }

  probed(): readonly number[] {
    return this.subscriber.representatives()
  }

  async probe(partition: number): Promise<void> {
    await this.#call(this.subscriber.probe(partition))
  }

  onSubscriberReset(listener: () => void): void {
    this.subscriber.onReset(listener)
  }

  async ping(): Promise<void> {
    await this.#call(this.redis.ping())
  }

  async close(): Promise<void> {
    this.subscriber.close()
    this.connections.close()
    return Promise.resolve()
  }

  #of(partition: number): Keys {
    const keys = this.#keys[partition]
    if (keys === undefined) throw new RangeError(`partition ${partition} of ${this.partitions}`)
    return keys
  }

  #keysOf(channel: Channel): Keys {
    return this.#of(this.partitionOf(channel))
  }

  /** Every failure is one of two: Redis said that it did not execute the call, or nobody knows. */
  async #call<T>(running: Promise<T>): Promise<T> {
    try {
      return await running
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      const refused = error instanceof ReplyError ? REFUSALS.test(message) : UNSENT.test(message)
      if (refused) throw new StoreRefusedError(message, error)
      throw new UnknownOutcomeError(error)
    }
  }

  async #pipeline(fill: (pipeline: ChainableCommander) => void): Promise<readonly unknown[]> {
    const pipeline = this.redis.pipeline()
    fill(pipeline)
    if (pipeline.length === 0) return []
    const replies = await this.#call(pipeline.exec())
    return (replies ?? []).map(([error, reply]) => {
      if (error !== null) throw new UnknownOutcomeError(error)
      return reply
    })
  }
}
