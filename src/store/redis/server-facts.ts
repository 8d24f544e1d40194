import type { Redis } from 'ioredis'

/** What a Redis server says of itself. `null`: it does not say. */
export interface ServerFacts {
  /** Where it is, as this client reached it. */
  readonly address: string
  readonly product: 'Redis' | 'Valkey'
  /** As the product counts, for people. */
  readonly version: string | null
  /** The Redis version that it is compatible with. */
  readonly redisVersion: string | null
  readonly evictionPolicy: string | null
  readonly maxMemoryBytes: number | null
  readonly usedMemoryBytes: number | null
}

/**
 * Reads INFO, which managed services allow where they forbid CONFIG.
 *
 * @throws Error where it is forbidden all the same: no node could run there, for our scripts call it
 */
export async function readFacts(server: Redis): Promise<ServerFacts> {
  const info = await server.info().catch((error: unknown) => {
    if (!isForbidden(error)) throw error
    throw new Error(`INFO is forbidden at ${addressOf(server)}, and Rollcall's scripts need it: allow it to the Redis user (ACL SETUSER … +info)`, { cause: error })
  })
  const field = (name: string): string | null => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? null
  const number = (name: string): number | null => {
    const text = field(name)
    return text === null || !/^\d+$/.test(text) ? null : Number(text)
  }
  const valkey = field('valkey_version')
  return {
    address: addressOf(server),
    product: valkey === null ? 'Redis' : 'Valkey',
    version: valkey ?? field('redis_version'),
    redisVersion: field('redis_version'),
    evictionPolicy: field('maxmemory_policy'),
    maxMemoryBytes: number('maxmemory'),
    usedMemoryBytes: number('used_memory'),
  }
}

export function addressOf(server: Redis): string {
  const { host, port, path } = server.options
  return path ?? `${host ?? '127.0.0.1'}:${String(port ?? 6379)}`
}

/** This user may not run the command, or the service has removed it. */
export function isForbidden(error: unknown): boolean {
  return error instanceof Error && /^(NOPERM|ERR unknown command|ERR unknown subcommand)/.test(error.message)
}

/** Sharded pub/sub and flags of scripts came with 7.0. An unknown version gets the benefit of the doubt. */
export function isTooOld({ redisVersion }: Pick<ServerFacts, 'redisVersion'>): boolean {
  return redisVersion !== null && Number.parseInt(redisVersion, 10) < 7
}

/**
 * What the eviction policy means for presence: `safe` keeps everything, `expiring` may drop keys with a lifetime (all of
 * ours but one) and `any` drops what it likes.
 */
export function evictionOf(policy: string): 'safe' | 'expiring' | 'any' {
  if (policy === 'noeviction') return 'safe'
  return policy.startsWith('volatile-') ? 'expiring' : 'any'
}
