/** What is read from: one server, or several that share the keys. */
export interface Readable {
  keys(pattern: string): Promise<string[]>
  hash(key: string): Promise<Record<string, string>>
  command(name: string, key: string, ...args: (string | number)[]): Promise<unknown>
}

/** What need not expire: the one key outside all partitions, and what users keep for good (metadata, friends). */
export const MAY_STAY = /^rollcall:(partitions$|\{\d+\}:(meta|roster|asked):)/

/** Who vouches for a session: a node's incarnation; `-` and `~` are sessions that are due, as timeout or as leave. */
const DUE = ['-', '~']

export interface StoredMember {
  readonly states: Readonly<Record<string, string>>
  /** The holders of the member's sessions; empty when the two hashes do not agree. */
  readonly holders: readonly string[]
}

/**
 * What Redis holds, read from its keys directly and not by any code of ours (`docs/architecture.md`, data in Redis).
 * The list of keys is read once; what is read through it is as new as each reading.
 */
export class RedisView {
  readonly #keys: ReadonlyMap<string, string>

  private constructor(
    private readonly redis: Readable,
    keys: readonly string[],
  ) {
    this.#keys = new Map(keys.map((key) => [key.replace(/^rollcall:\{\d+\}:/, ''), key]))
    this.keys = keys
  }

  readonly keys: readonly string[]

  static async of(redis: Readable): Promise<RedisView> {
    return new RedisView(redis, await redis.keys('rollcall:{*}:*'))
  }

  /** A channel's members, from its two hashes. */
  async channel(name: string, type = 'MESSAGE'): Promise<ReadonlyMap<string, StoredMember>> {
    const [members, sessions] = await Promise.all([this.#hash(`members:dev:${type}:${name}`), this.#hash(`sessions:dev:${type}:${name}`)])
    const found = new Map<string, StoredMember>()
    for (const user of new Set([...Object.keys(members), ...Object.keys(sessions)])) {
      if (user === '') continue
      const states = /^\d+ \d+ ([\s\S]*)$/.exec(members[user] ?? '')?.[1]
      const entries = (sessions[user] ?? '').split(';').map((entry) => entry.split(',')[3] ?? '')
      found.set(user, {
        states: states === undefined || states === '' ? {} : (JSON.parse(states) as Record<string, string>),
        holders: states === undefined ? [] : entries.filter((holder) => holder !== ''),
      })
    }
    return found
  }

  /** Users whom a node vouches for in a channel, in order. */
  async vouchedFor(name: string, type = 'MESSAGE'): Promise<readonly string[]> {
    const members = [...(await this.channel(name, type))]
    return members.flatMap(([user, { holders }]) => (holders.some((holder) => !DUE.includes(holder)) ? [user] : [])).sort()
  }

  /** Channels that `where:<user>` lists in all partitions, as `type:name`. */
  async where(user: string): Promise<readonly string[]> {
    const keys = this.keys.filter((key) => key.endsWith(`:where:dev:${user}`))
    const hashes = await Promise.all(keys.map((key) => this.redis.hash(key)))
    return hashes.flatMap((hash) => Object.keys(hash).map((id) => id.replace(/^dev:/, ''))).sort()
  }

  async #hash(name: string): Promise<Record<string, string>> {
    const key = this.#keys.get(name)
    return key === undefined ? {} : this.redis.hash(key)
  }
}

export async function vouchedFor(redis: Readable, name: string, type = 'MESSAGE'): Promise<readonly string[]> {
  return (await RedisView.of(redis)).vouchedFor(name, type)
}

/** Everybody who is in a channel, vouched for or due, in order. */
export async function usersInRedis(redis: Readable, name: string, type = 'MESSAGE'): Promise<readonly string[]> {
  return [...(await (await RedisView.of(redis)).channel(name, type)).keys()].sort()
}

/** How many sessions have lost their connection and wait for their deadline. */
export async function dueInRedis(redis: Readable): Promise<number> {
  const keys = await redis.keys('rollcall:{*}:due')
  const counts = await Promise.all(keys.map((key) => redis.command('ZCARD', key)))
  return counts.reduce((sum: number, count) => sum + Number(count), 0)
}
