import type { Logger } from '../../log.js'
import type { Post, PostGap, PostOffice } from '../../presence/post.js'
import type { StatusEvent, StatusReading } from '../../presence/status.js'
import { StoreRefusedError, type Batch, type ChannelPage, type DueCandidates, type LeaseRow, type Look, type PresenceStore } from '../../presence/store.js'
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
  type Timer,
  userChannel,
} from '../../presence/types.js'
import { RedisAccess } from './access.js'
import { decodeEvent, decodePost, decodeRecord, decodeResult, decodeStatus, decodeStatusEvent, encodeOps, listOf, numberOf, replyOf, ReplyShapeError, textOf } from './codec.js'
import { channelOfMembersKey, MEMBERS_PATTERN, parseMembership, parseTimer, PARTITION_COUNT_KEY, timerText } from './keys.js'
import { RedisMessages } from './message-store.js'
import { RedisInvitations } from './invitation-store.js'
import { RedisMetadata } from './metadata-store.js'
import { RedisOutbox } from './outbox-store.js'
import { RedisOwnership } from './ownership-store.js'
import { RedisRoster } from './roster-store.js'
import * as scripts from './scripts.js'
import type { Client, Connections } from './connections.js'
import { RecentOwners } from './recent-owners.js'
import { cursorOf, parseCursor, SCAN_COUNT, upTo } from './paging.js'
import { checkRequirements } from './requirements.js'
import type { Subscriber } from './subscriber.js'

/** Every key but the partition count expires by itself after this, in seconds, unless a living node renews it. */
export const KEY_TTL_S = 86_400

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
  /** Who vouches for which memberships. */
  readonly ownership: RedisOwnership
  readonly #access: RedisAccess
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
    const access = new RedisAccess(redis, partitions)
    this.#access = access
    this.ownership = new RedisOwnership(access)
    this.metadata = new RedisMetadata(access)
    this.roster = new RedisRoster(access)
    this.messages = new RedisMessages(access)
    this.invitations = new RedisInvitations(access)
    this.outbox = new RedisOutbox(access, subscriber, KEY_TTL_S)
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
      await checkRequirements(this.#access.topology.masters(), this.log)
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
    return this.#access.partitionOf(channel)
  }

  async commit(partition: number, batch: Batch): Promise<CommitReply> {
    const script = batch.ops.every(isShrinking) ? scripts.commitShrinking : scripts.commitGrowing
    const keys = this.#access.keysAt(partition)
    // Of sessions that are taken over from other living nodes: their lists have to be declared, so the script names those that are not.
    let owners = this.#owners.recent
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const encoded = encodeOps(keys, batch.ops, owners, FIXED_KEYS)
      const reply = listOf(
        await this.#access.run(
          script,
          [keys.clock, keys.leases, keys.due, keys.owned(batch.node), keys.status, keys.outbox, keys.written, keys.timers, ...encoded.keys],
          [batch.node, String(batch.number), batch.life, String(batch.periodMs * 1000), String(KEY_TTL_S), String(this.#outbox.entries), this.#outbox.app, this.#quietApp, ...encoded.args],
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
    const keys = this.#access.keysAt(partition)
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
      await this.#access.run(scripts.heartbeat, [keys.clock, keys.leases, keys.due, keys.owned(beat.node), keys.timers], args),
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
    const keys = this.#access.keysOf(channel)
    const id = channelId(channel)
    const reply = replyOf(await this.#access.run(scripts.snapshot, [keys.clock, keys.members(id), keys.sessions(id)], []), 'snapshot')
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
    const record = await this.#access.call(this.redis.hget(this.#access.keysOf(channel).members(channelId(channel)), userId))
    return record === null ? null : decodeRecord(record)
  }

  async channelsOf(app: string, userId: string): Promise<readonly Channel[]> {
    const lists = await Promise.all(this.#access.allKeys.map((keys) => this.#access.call(this.redis.hkeys(keys.where(app, userId)))))
    return lists.flat().map(parseChannelId)
  }

  async statuses(partition: number, app: string, userIds: readonly string[]): Promise<StatusReading> {
    const keys = this.#access.keysAt(partition)
    const named = userIds.flatMap((userId) => [keys.sessions(channelId(userChannel(app, userId))), keys.seen(app, userId)])
    const reply = replyOf(await this.#access.run(scripts.status, [keys.clock, ...named], []), 'status')
    const [life, version, settles, ...rows] = reply
    return {
      life: textOf(life, 'status'),
      version: numberOf(version, 'status'),
      settlesInMs: numberOf(settles, 'status') / 1000,
      rows: userIds.map((_, i) => decodeStatus(rows[2 * i], rows[2 * i + 1])),
    }
  }

  async channels(cursor: string): Promise<ChannelPage | null> {
    const place = parseCursor(cursor)
    if (place === null) return null
    const masters = this.#access.topology.masters()
    const { master } = place
    const server = masters[master]
    if (server === undefined) return { channels: [], cursor: '' }
    const [next, found] = await this.#access.call(server.scan(place.from, 'MATCH', MEMBERS_PATTERN, 'COUNT', SCAN_COUNT))
    const channels = found.flatMap((key) => {
      const channel = channelOfMembersKey(key)
      return channel === null || channel.type === 'USER' ? [] : [{ key, channel }]
    })
    const rows = await Promise.all(
      channels.map(async ({ key, channel }) => {
        const [marker, length] = await Promise.all([this.#access.call(this.redis.hget(key, '')), this.#access.call(this.redis.hlen(key))])
        return { ...channel, occupancy: Math.max(0, length - 1), version: Number(marker?.split(' ')[1] ?? 0) }
      }),
    )
    const isLast = next === '0' && master + 1 >= masters.length
    const following = next === '0' ? { master: master + 1, from: next } : { master, from: next }
    return { channels: rows.filter((row) => row.occupancy > 0), cursor: isLast ? '' : cursorOf(following) }
  }

  async leases(partition: number): Promise<{ readonly clock: number; readonly rows: readonly LeaseRow[] }> {
    const keys = this.#access.keysAt(partition)
    const [clock, flat] = await Promise.all([
      this.#access.call(this.redis.hget(keys.clock, 'now')),
      this.#access.call(this.redis.zrange(keys.leases, '0', '-1', 'WITHSCORES')),
    ])
    const rows: Promise<LeaseRow>[] = []
    for (let i = 0; i + 1 < flat.length; i += 2) {
      const node = flat[i] ?? ''
      const leaseEnd = Number(flat[i + 1])
      rows.push(this.#access.call(this.redis.scard(keys.owned(node))).then((owned) => ({ node, leaseEnd, owned: Math.max(0, owned - 1) })))
    }
    return { clock: Number(clock ?? 0), rows: await Promise.all(rows) }
  }

  async dueCandidates(partition: number, clock: number, soon: number, limit: number): Promise<DueCandidates> {
    const keys = this.#access.keysAt(partition)
    const [due, timers, leases] = await Promise.all([
      this.#access.call(this.redis.zrangebyscore(keys.due, '-inf', soon, 'WITHSCORES', 'LIMIT', 0, limit)),
      this.#access.call(this.redis.zrangebyscore(keys.timers, '-inf', soon, 'WITHSCORES', 'LIMIT', 0, limit)),
      this.#access.call(this.redis.zrangebyscore(keys.leases, '-inf', clock)),
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
    const { timers } = this.#access.keysAt(partition)
    return (await this.#access.run(scripts.timer, [timers], [timerText(timer), String(timer.at), at === null ? '' : String(at)])) === 1
  }

  async audit(
    partition: number,
    { channels, app, users, renew }: Look,
  ): Promise<{ readonly life: string; readonly rows: readonly AuditRow[]; readonly unlisted: readonly string[] }> {
    const keys = this.#access.keysAt(partition)
    const named = channels.flatMap((channel) => {
      const id = channelId(channel)
      return [keys.members(id), keys.sessions(id)]
    })
    const where = users.map((userId) => keys.where(app, userId))
    const [life, absent, ...rows] = listOf(
      await this.#access.run(scripts.audit, [keys.clock, ...named, ...where], [String(channels.length), renew ? String(KEY_TTL_S) : '0']),
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
    return this.#access.call(this.subscriber.subscribe(this.#access.keysOf(channel).events(channelId(channel)), decodeEvent, listener))
  }

  async subscribeStatuses(partition: number, listener: (event: StatusEvent) => void): Promise<() => void> {
    return this.#access.call(this.subscriber.subscribe(this.#access.keysAt(partition).status, decodeStatusEvent, listener))
  }

  async subscribePost(partition: number, listener: (post: Post) => void): Promise<() => void> {
    return this.#access.call(this.subscriber.subscribe(this.#access.keysAt(partition).post, decodePost, listener))
  }

  async farewells({ partition, after, upTo }: PostGap): Promise<readonly Post[]> {
    return (await this.#access.call(this.redis.zrangebyscore(this.#access.keysAt(partition).farewells, `(${after}`, upTo))).map(decodePost)
  }

  probed(): readonly number[] {
    return this.subscriber.representatives()
  }

  async probe(partition: number): Promise<void> {
    await this.#access.call(this.subscriber.probe(partition))
  }

  onSubscriberReset(listener: () => void): void {
    this.subscriber.onReset(listener)
  }

  async ping(): Promise<void> {
    await this.#access.call(this.redis.ping())
  }

  async close(): Promise<void> {
    this.subscriber.close()
    this.connections.close()
    return Promise.resolve()
  }
}
