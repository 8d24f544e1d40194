import { evictionOf, isTooOld, KEY_TTL_S, type Inspector, type ServerFacts } from '../../store/index.js'
import { fail, messageOf, ok, skip, warn, type Check } from './check.js'

const MB = 1024 * 1024
/** What `docker-compose.yml` sets; and what a single batch with large states can reach. */
const ENOUGH = { hard: 256 * MB, soft: 64 * MB }
const TOO_LITTLE = { hard: 8 * MB, soft: 2 * MB }
/** From here on there is little time left before joins are refused. */
const NEARLY_FULL = 0.9
const KEYS_LOOKED_AT = 20_000
const KEYS_NAMED = 3

/** Everything that is asked of Redis itself, in the order of the report. */
export const REDIS_CHECKS = ['version', 'eviction', 'memory', 'output-buffer', 'clocks', 'partitions', 'subscriber', 'lifetimes'] as const

export function version(servers: readonly ServerFacts[]): Check {
  const name = 'version'
  const old = servers.find(isTooOld)
  if (old !== undefined) return fail(name, `${old.product} ${old.version ?? ''} at ${old.address} is too old`, 'Rollcall needs Redis 7.0 or newer (or Valkey): sharded pub/sub came with it.')
  return ok(name, each(servers, ({ product, version: found }) => `${product} ${found ?? 'of an unknown version'}`))
}

export function eviction(servers: readonly ServerFacts[]): Check {
  const name = 'eviction'
  const policies = servers.map(({ evictionPolicy }) => evictionPolicy ?? 'unknown')
  const kinds = policies.map((policy) => (policy === 'unknown' ? 'safe' : evictionOf(policy)))
  const detail = `maxmemory-policy is ${each(servers, ({ evictionPolicy }) => evictionPolicy ?? 'unknown')}`
  const advice = 'Set maxmemory-policy to noeviction, in the server\'s configuration or the service\'s console: a full Redis then says so instead of forgetting members.'
  if (kinds.includes('any')) return fail(name, `${detail}: no node starts on it`, advice)
  if (kinds.includes('expiring')) return warn(name, `${detail}: members may vanish when memory runs short, and come back late`, advice)
  return policies.includes('unknown') ? skip(name, 'Redis does not say its maxmemory-policy', 'It should be noeviction.') : ok(name, detail)
}

export function memory(servers: readonly ServerFacts[]): Check {
  const name = 'memory'
  const shares = servers.map(({ maxMemoryBytes, usedMemoryBytes }) => (maxMemoryBytes === null || maxMemoryBytes === 0 ? 0 : (usedMemoryBytes ?? 0) / maxMemoryBytes))
  const detail = each(servers, ({ maxMemoryBytes, usedMemoryBytes }) => `${inMb(usedMemoryBytes ?? 0)} used, ${maxMemoryBytes === null || maxMemoryBytes === 0 ? 'no limit' : `of ${inMb(maxMemoryBytes)}`}`)
  const advice = 'Raise maxmemory, or move what else is in this Redis elsewhere.'
  if (shares.some((share) => share >= 1)) return fail(name, `${detail}: joins and states are refused`, advice)
  return shares.some((share) => share >= NEARLY_FULL) ? warn(name, `${detail}: nearly full`, advice) : ok(name, detail)
}

export async function outputBuffer(inspector: Inspector): Promise<Check> {
  const name = 'output-buffer'
  const advice = 'Set client-output-buffer-limit to "pubsub 256mb 64mb 60": a node that does not read for a moment in a busy second is cut off otherwise, and reads all its channels again.'
  const limits = await inspector.outputLimits()
  if (limits === null) return skip(name, 'CONFIG is forbidden here, so the limit for subscribers cannot be seen', advice)
  const detail = `limit for subscribers: ${each(limits, ({ hardBytes, softBytes, softSeconds }) => (hardBytes === 0 && softBytes === 0 ? 'none' : `${inMb(hardBytes)}, or ${inMb(softBytes)} for ${softSeconds} s`))}`
  const below = (least: { readonly hard: number; readonly soft: number }): boolean =>
    limits.some(({ hardBytes, softBytes }) => (hardBytes !== 0 && hardBytes < least.hard) || (softBytes !== 0 && softBytes < least.soft))
  if (below(TOO_LITTLE)) return fail(name, `${detail}: a few large states at once cut a node off`, advice)
  return below(ENOUGH) ? warn(name, `${detail}: enough in quiet hours`, advice) : ok(name, detail)
}

/** For information: no clock of a node decides anything about presence; tokens are held against the nodes' clocks. */
export async function clocks(inspector: Inspector): Promise<Check> {
  const offsets = await inspector.clockOffsets()
  return ok('clocks', `Redis's clock against this machine's: ${each(offsets, ({ aheadMs }) => `${aheadMs >= 0 ? '+' : ''}${aheadMs} ms`)}; nothing about presence depends on it`)
}

export async function partitions(inspector: Inspector, configured: number): Promise<Check> {
  const name = 'partitions'
  const found = await inspector.partitionCount()
  if (found === null) return ok(name, `no node has used this Redis yet; the first one sets it up with ${configured}`)
  if (found === configured) return ok(name, `${found}, as in this environment`)
  return fail(
    name,
    `this Redis was set up with ${found}, and ROLLCALL_PARTITIONS is ${configured} here: no node starts`,
    `Set ROLLCALL_PARTITIONS=${found}. To change it, end all nodes, delete rollcall:partitions and start them with the new number.`,
  )
}

export const SUBSCRIBER_ADVICE =
  'Allow SSUBSCRIBE, SPUBLISH and the channels rollcall:* to the Redis user (ACL SETUSER … &rollcall:*). What stands between nodes and Redis must pass on sharded pub/sub.'

export async function subscriber(inspector: Inspector): Promise<Check> {
  const began = performance.now()
  try {
    await inspector.hears()
  } catch (error) {
    throw new Error(`sharded pub/sub does not work: ${messageOf(error)}`, { cause: error })
  }
  return ok('subscriber', `a message through sharded pub/sub came back after ${Math.ceil(performance.now() - began)} ms`)
}

export async function lifetimes(inspector: Inspector): Promise<Check> {
  const name = 'lifetimes'
  const { looked, keys } = await inspector.withoutLifetime(KEYS_LOOKED_AT)
  const those = looked === 1 ? 'the one key' : `${looked} keys`
  if (keys.length === 0) return ok(name, `${those} of Rollcall: each that should expire does, ${KEY_TTL_S / 3_600} hours after the last node`)
  const named = keys.slice(0, KEYS_NAMED).map((key) => JSON.stringify(key)).join(', ')
  return fail(
    name,
    `${keys.length} of ${those} would stay for ever: ${named}${keys.length > KEYS_NAMED ? ', …' : ''}`,
    'Something else wrote or persisted them. Nodes renew what they use within minutes; delete what is left after that.',
  )
}

/** One answer for all servers when they agree, else one for each. */
function each<T extends { readonly address: string }>(all: readonly T[], text: (one: T) => string): string {
  const texts = all.map(text)
  const [first] = texts
  if (first !== undefined && texts.every((other) => other === first)) return all.length === 1 ? first : `${first} (${all.length} servers)`
  return all.map((one, index) => `${texts[index] ?? ''} at ${one.address}`).join(', ')
}

function inMb(bytes: number): string {
  return `${(bytes / MB).toFixed(bytes < 10 * MB ? 1 : 0)} MB`
}
