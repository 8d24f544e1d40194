import type { Logger } from '../log.js'
import type { NodePresence } from '../presence/node-presence.js'
import { channelId, parseChannelId, type Channel } from '../presence/types.js'
import type { LocalMembership } from '../presence/memberships.js'
import { chunksOf } from '../protocol/chunks.js'
import type { ChannelFeeds } from './channel-feeds.js'

/** Channels that one look takes in. One look is one call, so the cost does not depend on how many channels there are. */
const SLICE = 500
/** Users of these channels whose lists of channels one call takes in; where there are more, a look that renews makes several, another one takes some by chance. */
const USERS = 1_000
/** Looks in a heartbeat period. A round is at least partitions / 4 heartbeats: 20 s at defaults, for up to 8,000 channels. */
const LOOKS_PER_BEAT = 4
/** Keys live for a day; this often their lifetime is renewed, in milliseconds. */
const RENEW_MS = 6 * 3_600_000

/**
 * Finds what no event tells: a last event that was lost, a key that was evicted or deleted by hand. It also probes the
 * subscriber once a heartbeat, and renews the lifetime of the keys that this node's members need.
 */
export class Auditor {
  #timer: NodeJS.Timeout | undefined
  #looks = 0
  #partition = 0
  #todo: string[] = []
  #renewing = false
  /** By partition. It begins somewhere in the past, so that nodes of which none ever lives for six hours renew keys all the same. */
  readonly #renewedAt: number[]
  #probedAt = performance.now()
  #looking: Promise<void> | null = null

  constructor(
    private readonly presence: NodePresence,
    private readonly feeds: ChannelFeeds,
    private readonly heartbeatMs: number,
    private readonly log: Logger,
  ) {
    this.#renewedAt = presence.lanes.map(() => performance.now() - Math.random() * RENEW_MS)
  }

  start(): void {
    this.#timer = setInterval(() => {
      // A look that takes long (Redis does not answer) is not followed by those that were due meanwhile.
      this.#looking ??= this.#look()
        .catch((error: unknown) => this.log.debug({ err: error }, 'audit'))
        .finally(() => {
          this.#looking = null
        })
    }, this.heartbeatMs / LOOKS_PER_BEAT)
    this.#timer.unref()
  }

  /** Milliseconds since the subscriber last answered a probe. */
  get probeAge(): number {
    return performance.now() - this.#probedAt
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#looking
  }

  async #look(): Promise<void> {
    this.#looks += 1
    if (this.#looks % LOOKS_PER_BEAT === 0) await this.#probe()
    if (this.#todo.length === 0) this.#nextPartition()
    const partition = this.#partition
    const channels = this.#todo.splice(0, SLICE).map(parseChannelId)
    const members = channels.map((channel) => [...(this.presence.members.memberships[partition]?.in(channel) ?? [])].filter(vouched))
    const owners = new Set(members.flat().flatMap(({ channel, owner }) => (channel.type === 'USER' ? [] : [owner])))
    const [users = [], ...others] = this.#renewing ? chunksOf([...owners], USERS) : [some([...owners], USERS)]
    const look = { app: this.presence.app, renew: this.#renewing }
    const { life, rows, unlisted } = await this.presence.store.audit(partition, { ...look, channels, users })
    const unlistedUsers = new Set(unlisted)
    // All of a large channel's members in one call would keep Redis from everything else.
    for (const more of others) for (const user of (await this.presence.store.audit(partition, { ...look, channels: [], users: more })).unlisted) unlistedUsers.add(user)
    // Without a lease of its own a node does not know what has ended meanwhile: what is not there need not be lost.
    const held = this.presence.inService(partition)
    channels.forEach((channel, i) => {
      const row = rows[i] ?? null
      this.feeds.get(channel)?.inspect(life, row)
      const lost = ({ owner, channelLife }: LocalMembership): boolean =>
        row === null || row === 'damaged' || channelLife !== row.channelLife || (channel.type !== 'USER' && unlistedUsers.has(owner))
      if (held && (members[i] ?? []).some((membership) => vouched(membership) && lost(membership))) this.#report(channel)
    })
  }

  #report(channel: Channel): void {
    this.log.warn({ channel: channelId(channel) }, 'a channel lost data; its members are asserted')
    this.presence.members.reportDamaged(channel)
  }

  #nextPartition(): void {
    this.#partition = (this.#partition + 1) % this.presence.lanes.length
    const ids = new Set<string>(this.presence.members.memberships[this.#partition]?.channelIds())
    for (const feed of this.feeds.of(this.#partition)) ids.add(channelId(feed.channel))
    this.#todo = [...ids]
    const now = performance.now()
    this.#renewing = ids.size > 0 && now - (this.#renewedAt[this.#partition] ?? now) > RENEW_MS
    if (this.#renewing) this.#renewedAt[this.#partition] = now
  }

  async #probe(): Promise<void> {
    try {
      const { store } = this.presence
      await Promise.all(store.probed().map((partition) => store.probe(partition)))
      this.#probedAt = performance.now()
    } catch (error) {
      this.log.warn({ reason: error instanceof Error ? error.message : String(error) }, 'the subscriber did not answer a probe')
    }
  }
}

function some<T>(all: readonly T[], most: number): readonly T[] {
  const from = all.length <= most ? 0 : Math.floor(Math.random() * (all.length - most + 1))
  return all.slice(from, from + most)
}

/** The store has acknowledged it and nothing has been asked since: what the store says now has to agree. */
function vouched(membership: LocalMembership): boolean {
  return membership.confirmed && membership.desired === 'present'
}
