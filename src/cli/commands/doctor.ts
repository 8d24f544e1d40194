import { randomBytes } from 'node:crypto'

import { createAuth, type Auth } from '../../auth/index.js'
import type { Config } from '../../config.js'
import { silentLogger } from '../../log.js'
import { Inspector, placeOf } from '../../store/index.js'
import { nodeUrl } from '../api.js'
import { textOption, type CommandLine } from '../args.js'
import { polling, POLLING_ADVICE, upgrade, websocket, type Experience } from '../doctor/balancer.js'
import { attempt, fail, messageOf, ok, skip, type Check } from '../doctor/check.js'
import { leases } from '../doctor/leases.js'
import { answering, apiKey, login, ready } from '../doctor/node.js'
import { clocks, eviction, lifetimes, memory, outputBuffer, partitions, REDIS_CHECKS, subscriber, SUBSCRIBER_ADVICE, version } from '../doctor/redis.js'
import { printReport } from '../doctor/report.js'
import { access, accessUnknown, settings } from '../doctor/settings.js'
import type { Terminal } from '../terminal.js'

/** No single check may take longer, in ms: connecting, two looks at the leases, a session of several requests. */
const CHECK_MS = 20_000
const HTTP_CHECKS = ['api-key', 'polling', 'websocket', 'upgrade', 'login'] as const
const TOKEN_TTL_S = 60
const PLACES = { single: 'the server', cluster: 'Redis Cluster', sentinel: 'the master behind the Sentinels' } as const

/**
 * Looks at everything that a cluster depends on, and says what to do where something is wrong: this environment, Redis
 * (from the environment, as a node finds it) and, with `--url`, a node or the balancer in front of several. It changes
 * nothing; for the length of a check three users log in.
 *
 * @returns the exit code: 1 when something is wrong, 0 otherwise, also where something could be better
 */
export async function doctor(line: CommandLine, terminal: Terminal): Promise<number> {
  const url = textOption(line, 'url') === undefined ? null : nodeUrl(line)
  const { check, config, whole } = settings(terminal.env)
  const node = url === null ? null : await answering(url)
  const checks = [
    check,
    whole && config !== null ? access(config) : accessUnknown,
    ...(config === null ? skipped(['redis', ...REDIS_CHECKS, 'leases'], 'the settings do not say where Redis is') : await redisChecks(config, node)),
    ...(url === null ? skipped(['ready', ...HTTP_CHECKS], 'no --url was given') : await httpChecks(url, textOption(line, 'api-key'), config, whole)),
  ]
  if (line.options.json === true) terminal.out(JSON.stringify({ ok: !checks.some(isWrong), checks }))
  else printReport(checks, terminal)
  return checks.some(isWrong) ? 1 : 0
}

async function redisChecks(config: Config, answeringNode: string | null): Promise<readonly Check[]> {
  const target = { place: placeOf(config), username: config.redisUsername, password: config.redisPassword, tls: config.redisTls, name: 'rollcall:doctor' }
  const inspector = new Inspector({ target, partitions: config.partitions, log: silentLogger })
  try {
    const reached = await attempt('redis', CHECK_MS, () =>
      inspector.open().then(
        () => ok('redis', `${PLACES[target.place.kind]} answers`),
        (error: unknown) => fail('redis', messageOf(error), 'Compare REDIS_URL (or REDIS_CLUSTER, REDIS_SENTINELS), user, password and TLS with where Redis is.'),
      ),
    )
    if (isWrong(reached)) return [reached, ...skipped([...REDIS_CHECKS, 'leases'], 'Redis cannot be reached')]
    return [reached, ...(await inspect(inspector, config, answeringNode))]
  } finally {
    inspector.close()
  }
}

async function inspect(inspector: Inspector, config: Config, answeringNode: string | null): Promise<readonly Check[]> {
  const [counted, ...rest] = await Promise.all([
    attempt('partitions', CHECK_MS, () => partitions(inspector, config.partitions)),
    attempt('version', CHECK_MS, async () => version(await inspector.servers())),
    attempt('eviction', CHECK_MS, async () => eviction(await inspector.servers())),
    attempt('memory', CHECK_MS, async () => memory(await inspector.servers())),
    attempt('output-buffer', CHECK_MS, () => outputBuffer(inspector)),
    attempt('clocks', CHECK_MS, () => clocks(inspector)),
    attempt('subscriber', CHECK_MS, () => subscriber(inspector), SUBSCRIBER_ADVICE),
    attempt('lifetimes', CHECK_MS, () => lifetimes(inspector)),
  ])
  const { heartbeatMs, heartbeatTtlMs } = config
  const held = isWrong(counted)
    ? skip('leases', 'the partition count is to be put right first')
    : await attempt('leases', CHECK_MS, () => leases(inspector, { partitions: config.partitions, heartbeatMs, heartbeatTtlMs, answering: answeringNode }))
  const found = [...rest, counted]
  return [...REDIS_CHECKS.flatMap((name) => found.filter((one) => one.name === name)), held]
}

async function httpChecks(url: string, keyOption: string | undefined, config: Config | null, whole: boolean): Promise<readonly Check[]> {
  const reached = await attempt('ready', CHECK_MS, () => ready(url))
  if (isWrong(reached)) return [reached, ...skipped(HTTP_CHECKS, 'no node there is ready')]
  const key = await attempt('api-key', CHECK_MS, () => apiKey(url, keyOption ?? config?.apiKey ?? null))
  if (config === null || !whole) return [reached, key, ...skipped(HTTP_CHECKS.slice(1), 'the settings are not valid')]
  const auth = createAuth(config)
  const entrance = { url, auth: () => loginOf(config, auth) }
  const experience: Experience = { polling: 'unknown', websocket: 'unknown', refused: null }
  return [
    reached,
    key,
    // One after the other: each builds on what the ones before have shown.
    await attempt('polling', CHECK_MS, () => polling(entrance, experience), POLLING_ADVICE),
    await attempt('websocket', CHECK_MS, () => websocket(entrance, experience)),
    await attempt('upgrade', CHECK_MS, () => upgrade(entrance, experience)),
    await attempt('login', CHECK_MS, () => login(url, { auth, appId: config.appId, experience })),
  ]
}

async function loginOf({ appId }: Config, auth: Auth): Promise<object> {
  const userId = `rollcall-doctor-${randomBytes(4).toString('hex')}`
  // A second is the shortest: nothing of the doctor stays behind, whatever happens to its connections.
  return { appId, userId, presenceTimeout: 1_000, ...(auth.required ? { token: await auth.sign(userId, { ttlSeconds: TOKEN_TTL_S }) } : {}) }
}

function skipped(names: readonly string[], why: string): readonly Check[] {
  return names.map((name) => skip(name, why))
}

function isWrong({ status }: Check): boolean {
  return status === 'fail'
}
