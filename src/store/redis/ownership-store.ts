import type { OwnershipStore } from '../../presence/store.js'
import { channelId, parseChannelId, type Channel, type Membership, type SessionEntry } from '../../presence/types.js'
import type { RedisAccess } from './access.js'
import { decodeSessions, textOf } from './codec.js'
import { parseMembership, type Keys } from './keys.js'
import { pages, SCAN_COUNT } from './paging.js'

/** Who vouches for which memberships: the lists of the nodes, and what the channels themselves say. */
export class RedisOwnership implements OwnershipStore {
  constructor(private readonly access: RedisAccess) {}

  async sessions(
    partition: number,
    of: readonly { readonly channel: Channel; readonly userId: string }[],
  ): Promise<readonly (readonly SessionEntry[] | null)[]> {
    const keys = this.access.keysAt(partition)
    const replies = await this.access.pipeline((pipeline) => {
      for (const { channel, userId } of of) pipeline.hget(keys.sessions(channelId(channel)), userId)
    })
    return replies.map((reply) => (reply === null ? null : decodeSessions(textOf(reply, 'sessions'))))
  }

  async owned(partition: number, node: string, limit = Infinity): Promise<{ readonly memberships: readonly Membership[]; readonly intact: boolean }> {
    const { redis } = this.access
    const key = this.access.keysAt(partition).owned(node)
    const memberships = new Map<string, Membership>()
    let intact = false
    for await (const found of pages((cursor) => this.access.call(redis.sscan(key, cursor, 'COUNT', SCAN_COUNT)))) {
      for (const text of found) {
        if (text === '') intact = true
        else memberships.set(text, parseMembership(text))
      }
      if (memberships.size >= limit) break
    }
    return { memberships: [...memberships.values()], intact }
  }

  async *unvouched(partition: number): AsyncIterable<readonly Membership[]> {
    const keys = this.access.keysAt(partition)
    const nodes = new Set(await this.access.call(this.access.redis.zrange(keys.leases, '0', '-1')))
    for await (const found of this.access.keysLike(keys.pattern)) {
      for (const key of found) if (key.startsWith(keys.sessions(''))) yield* this.#unvouchedIn(key, parseChannelId(key.slice(keys.sessions('').length)), nodes)
      const members = found.filter((key) => key.startsWith(keys.members('')))
      yield (await Promise.all(members.map((key) => this.#withoutSessions(keys, key)))).flat()
    }
  }

  /** Members of a channel whose sessions are lost: who vouches for whom is not known any more. */
  async #withoutSessions(keys: Keys, key: string): Promise<readonly Membership[]> {
    const { redis } = this.access
    const id = key.slice(keys.members('').length)
    if ((await this.access.call(redis.exists(keys.sessions(id)))) === 1) return []
    const members = await this.access.call(redis.hkeys(key))
    return members.flatMap((userId) => (userId === '' ? [] : [{ channel: parseChannelId(id), userId, session: '?' }]))
  }

  async *#unvouchedIn(key: string, channel: Channel, nodes: ReadonlySet<string>): AsyncIterable<readonly Membership[]> {
    const { redis } = this.access
    for await (const found of pages((cursor) => this.access.call(redis.hscan(key, cursor, 'COUNT', SCAN_COUNT)))) {
      const rows = found.flatMap((userId, i) => (i % 2 === 0 && userId !== '' ? [{ userId, entries: decodeSessions(found[i + 1] ?? '') }] : []))
      yield rows.flatMap(({ userId, entries }) => entries.flatMap(({ session, node }) => (node === null || !nodes.has(node) ? [{ channel, userId, session }] : [])))
    }
  }
}
