import type { StatusReach, Telling, ToldTo, Unreached } from '../../presence/broadcasts.js'
import type { Asking, Edge, EdgeBack, EdgeChange, EdgeKind, RosterStore, Tidings, Writer, Written } from '../../presence/roster.js'
import { channelId, userChannel, type Channel } from '../../presence/types.js'
import type { RedisAccess } from './access.js'
import { numberOf, replyOf, ReplyShapeError, textOf } from './codec.js'
import * as scripts from './scripts.js'

const KINDS = { friend: 'f', blocked: 'b', removed: '' } as const satisfies Record<EdgeChange, string>

/** How many keys `reach.lua` has of each user. */
const KEYS_OF = { friends: 2, anybody: 4, self: 1 } as const satisfies Record<ToldTo, number>

/** Rosters on Redis: of each user one hash of edges and one of those who have the user in theirs, in the partition of the user's channel. */
export class RedisRoster implements RosterStore, StatusReach {
  constructor(private readonly access: RedisAccess) {}

  partitionOf(channel: Channel): number {
    return this.access.partitionOf(channel)
  }

  async write(app: string, { userId, id, attach }: Writer, peer: string, change: EdgeChange, most: number): Promise<Written> {
    const keys = this.access.keysOfUser(app, userId)
    // Whoever wants to hear nothing of somebody does not have to wait for memory.
    const script = change === 'friend' ? scripts.rosterGrowing : scripts.rosterShrinking
    const named = [keys.clock, keys.sessions(channelId(userChannel(app, userId))), keys.roster(app, userId), keys.asked(app, userId)]
    const [outcome, generation] = await this.#run(script, named, [id, String(attach), peer, KINDS[change], String(most)])
    switch (outcome) {
      case 'done':
      case 'same':
        return { outcome, generation: numberOf(generation, 'roster') }
      case 'stale':
      case 'unvouched':
      case 'full':
        return { outcome }
      default:
        throw new ReplyShapeError('roster', outcome)
    }
  }

  async tell(app: string, userId: string, { from, change, generation, message }: Tidings, most: number): Promise<Edge | null> {
    const keys = this.access.keysOfUser(app, userId)
    const script = change === 'friend' ? scripts.tidingsGrowing : scripts.tidingsShrinking
    const named = [keys.clock, keys.post, keys.roster(app, userId), keys.asked(app, userId)]
    const [kind, own] = await this.#run(script, named, [app, userId, from, KINDS[change], String(generation), String(most), message])
    return kind === '' ? null : { kind: kindOf(kind), generation: numberOf(own, 'tidings') }
  }

  async edges(app: string, owner: string): Promise<ReadonlyMap<string, Edge>> {
    const { redis } = this.access
    const found = await this.access.call(redis.hgetall(this.access.keysOfUser(app, owner).roster(app, owner)))
    return new Map(Object.entries(found).map(([peer, text]) => [peer, decodeEdge(text)]))
  }

  async edgesTo(app: string, owner: string, peers: readonly string[]): Promise<readonly (Edge | null)[]> {
    if (peers.length === 0) return []
    const { redis } = this.access
    const found = await this.access.call(redis.hmget(this.access.keysOfUser(app, owner).roster(app, owner), ...peers))
    return found.map((text) => (text === null ? null : decodeEdge(text)))
  }

  async edgesBack(partition: number, app: string, owners: readonly string[], peer: string): Promise<readonly EdgeBack[]> {
    const keys = this.access.keysAt(partition)
    const replies = await this.access.pipeline((pipeline) => {
      for (const owner of owners) pipeline.hget(keys.roster(app, owner), peer).hget(keys.asked(app, owner), peer)
    })
    return owners.map((_, i) => {
      const [edge, asked] = [replies[2 * i], replies[2 * i + 1]]
      return { edge: edge === null ? null : decodeEdge(textOf(edge, 'roster')), told: asked === null ? 0 : decodeAsked(textOf(asked, 'asked')).generation }
    })
  }

  async asking(app: string, userId: string): Promise<readonly Asking[]> {
    const { redis } = this.access
    const found = Object.entries(await this.access.call(redis.hgetall(this.access.keysOfUser(app, userId).asked(app, userId))))
    return found.flatMap(([from, text]) => {
      const { kind, generation, message } = decodeAsked(text)
      return kind === 'friend' ? [{ from, generation, message }] : []
    })
  }

  async forget(app: string, userId: string, gone: readonly Asking[]): Promise<void> {
    const keys = this.access.keysOfUser(app, userId)
    await this.#run(scripts.forget, [keys.clock, keys.asked(app, userId)], gone.flatMap(({ from, generation }) => [from, String(generation)]))
  }

  async blocks(app: string, owner: string, peer: string): Promise<boolean> {
    const [edge] = await this.edgesTo(app, owner, [peer])
    return edge?.kind === 'blocked'
  }

  async reach(partition: number, app: string, userIds: readonly string[], to: ToldTo, telling: Telling): Promise<readonly Unreached[]> {
    const keys = this.access.keysAt(partition)
    const named = userIds.flatMap((userId) =>
      [keys.sessions(channelId(userChannel(app, userId))), keys.roster(app, userId), keys.seen(app, userId), keys.asked(app, userId)].slice(0, KEYS_OF[to]),
    )
    const { from, id, offline, fields } = telling
    const [, ...unreached] = await this.#run(scripts.reach, [keys.clock, keys.post, keys.farewells, ...named], [to, app, from, id, offline ? '1' : '', fields, ...userIds])
    return decodeUnreached(unreached, userIds)
  }

  async #run(script: scripts.Script, keys: readonly string[], args: readonly string[]): Promise<readonly unknown[]> {
    return replyOf(await this.access.run(script, keys, args), script.name)
  }
}

function kindOf(text: unknown): EdgeKind {
  if (text !== 'f' && text !== 'b') throw new ReplyShapeError('roster', text)
  return text === 'f' ? 'friend' : 'blocked'
}

/** `generation kind`, as `roster:<user>` holds it. */
function decodeEdge(text: string): Edge {
  const [generation, kind] = text.split(' ')
  return { kind: kindOf(kind), generation: numberOf(generation, 'roster') }
}

/** `generation kind told message`, as `asked:<user>` holds it. */
function decodeAsked(text: string): Edge & { readonly message: string } {
  const match = /^(\d+) ([fb]) \d+ ([\s\S]*)$/.exec(text)
  if (match === null) throw new ReplyShapeError('asked', text)
  return { kind: kindOf(match[2]), generation: Number(match[1]), message: match[3] ?? '' }
}

/** Of `reach.lua`: the number of a user, from 1, and `u` or `b`. */
function decodeUnreached(reply: readonly unknown[], userIds: readonly string[]): readonly Unreached[] {
  const unreached: Unreached[] = []
  for (let i = 0; i + 1 < reply.length; i += 2) {
    const userId = userIds[numberOf(reply[i], 'reach') - 1]
    if (userId === undefined || (reply[i + 1] !== 'u' && reply[i + 1] !== 'b')) throw new ReplyShapeError('reach', reply)
    unreached.push({ userId, why: reply[i + 1] === 'u' ? 'unknown' : 'blocked' })
  }
  return unreached
}
