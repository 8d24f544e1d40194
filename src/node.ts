import { randomBytes } from 'node:crypto'
import type { Server as HttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAuth } from './auth/index.js'
import { resolveConfig, type Config, type NodeOptions } from './config.js'
import { Auditor } from './feeds/auditor.js'
import { ChannelFeeds } from './feeds/channel-feeds.js'
import { Mail } from './feeds/mail.js'
import { PeerStatuses } from './feeds/peer-statuses.js'
import { clusterAdapter, createGateway, Takeovers, type Gateway } from './gateway/index.js'
import { createLogger } from './log.js'
import { createMetrics } from './metrics/index.js'
import { Broadcasts } from './presence/broadcasts.js'
import type { Lane } from './presence/lane.js'
import { Invitations } from './presence/invitations.js'
import { Messages } from './presence/messages.js'
import { UserMetadata } from './presence/metadata.js'
import { NodePresence } from './presence/node-presence.js'
import { Roster } from './presence/roster.js'
import { userChannel, type Timer } from './presence/types.js'
import type { Receiver } from './protocol/webhooks.js'
import { createApp, createHttpServer, Functions } from './rest/index.js'
import { createStore, placeOf } from './store/index.js'
import { Sweeper } from './sweeper/sweeper.js'
import { Webhooks } from './webhooks/index.js'

/** One server process of the cluster, or one of several in a process. */
export interface Node {
  /** Connects to Redis, takes its leases and listens. Rejects when Redis cannot be reached or the port is taken, or after `close`. Idempotent. */
  listen(): Promise<{ readonly port: number }>
  /** Sends its clients elsewhere (within `drainMs`), gives up its leases and closes all that it opened. Idempotent. */
  close(): Promise<void>
  /** Where it listens; 0 before. */
  readonly port: number
  /** This life of the node. Another start has another id. */
  readonly nodeId: string
  /** The HTTP side. With a `server` of your own that has a request handler already, mount it there. */
  readonly app: ReturnType<typeof createApp>
  readonly io: Gateway['io']
  /** The application's own functions, served at `/1.1/functions/{name}`. */
  readonly functions: Functions
  /**
   * Has a function told what happens, as the servers of `webhookUrls` are: each event once in the cluster, on a node that has it.
   *
   * @throws Error once the node listens, TypeError for what is no receiver or has a name that is taken.
   */
  receive(receiver: Receiver): void
}

/** Lower case letters and digits, so that no separator of ours and no special character of a URL is among them. */
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789'
const ID_LENGTH = 16

/**
 * Builds a node: in order, each part from those below it; it is closed in reverse.
 *
 * @throws ConfigError when an option is not valid.
 */
export function createNode(options: NodeOptions = {}): Node {
  const config = resolveConfig(options)
  const nodeId = newId()
  const log = createLogger(config.logLevel, { node: nodeId })
  const metrics = createMetrics(nodeId)
  const auth = createAuth(config)
  const { store, adapter } = createStore({
    target: { place: placeOf(config), username: config.redisUsername, password: config.redisPassword, tls: config.redisTls, name: `rollcall:${nodeId}` },
    partitions: config.partitions,
    node: nodeId,
    log,
    onCall: (command) => metrics.redisCalls.inc({ command }),
  })
  const presence: NodePresence = new NodePresence(
    store,
    { nodeId, app: config.appId, heartbeatMs: config.heartbeatMs, leaseMs: config.heartbeatTtlMs, limits: config.limits, login: { mode: config.login, most: config.maxSessions ?? 0 }, newId },
    {
      onBeat: (lane, beat) => {
        sweeper.consider(lane, beat)
        peers.beat(lane.partition, beat.life, beat.statusVersion)
        mail.beat(lane.partition, beat.posts)
        webhooks.beat(lane.partition)
      },
      onDeadline: (partition, inMs) => sweeper.deadline(partition, inMs),
      onLife: (partition, life) => {
        feeds.rebase(partition, life)
        peers.rebase(partition, life)
        mail.rebase(partition)
      },
      onSuperseded: (node, session) => takeovers.tell(node, session),
      onRemoved: (userId, removed, removal) => takeovers.tellRemoved(userId, removed, removal),
    },
    metrics,
    log,
  )
  const metadata = new UserMetadata(store.metadata, config.appId, config.limits)
  const roster = new Roster(store.roster, config.appId, config.limits)
  const messages = new Messages(store.messages, {
    app: config.appId,
    limits: config.limits,
    heartbeatMs: config.heartbeatMs,
    blocks: (owner, peer) => roster.blocks(owner, peer),
    newToken: newId,
    onDropped: (count) => metrics.messagesDropped.inc(count),
  })
  const broadcasts = new Broadcasts(store, store.roster, store.roster, config.appId, newId)
  const invitations = new Invitations({
    store: store.invitations,
    roster: store.roster,
    statuses: store,
    app: config.appId,
    limits: config.limits,
    heartbeatMs: config.heartbeatMs,
    metrics,
    onTimer: (app, userId, inMs) => sweeper.deadline(store.partitionOf(userChannel(app, userId)), inMs),
  })
  const ring = (lane: Lane, timer: Timer): Promise<void> => {
    switch (timer.kind) {
      case 'farewell':
        return broadcasts.farewell(lane.partition, timer, lane.clockNow)
      case 'invitation':
        return invitations.ring(timer)
    }
  }
  const sweeper = new Sweeper(presence.lanes, store, nodeId, config.heartbeatMs, metrics, log, { ring, rearm: (lane) => invitations.rearm(lane) })
  const mail = new Mail(store, config.appId, metrics)
  const feeds = new ChannelFeeds(presence, config.heartbeatTtlMs + config.presenceTimeoutMs, metrics, log)
  const peers = new PeerStatuses(presence, config.heartbeatMs, metrics, log)
  const webhooks = new Webhooks({ store, config, receivers: options.receivers ?? [], nodeId, metrics, log })
  const auditor = new Auditor(presence, feeds, config.heartbeatMs, log)

  let draining = false
  const functions = new Functions()
  const app = createApp({
    config,
    auth,
    presence,
    feeds,
    store,
    functions,
    failedWebhooks: webhooks.failed,
    metrics,
    log,
    disconnectUser: (userId, reason) => presence.evict(userId, reason),
    draining: () => draining,
    ready: () => Promise.resolve(presence.inService() && auditor.probeAge < PROBES_MISSED * config.heartbeatMs),
    renderMetrics: options.shareMetrics?.(() => metrics.json()),
  })
  const server = httpServer(options.server, app)
  const gateway = createGateway({ server, config, auth, presence, metadata, messages, roster, broadcasts, invitations, feeds, peers, mail, office: store, metrics, log })
  const takeovers = new Takeovers({
    io: gateway.io,
    nodeId,
    onTaken: (userId, session, attach) => presence.supersededElsewhere(userId, session, attach),
    onRemoved: (userId, session, attach, removal) => {
      presence.removedElsewhere(userId, session, attach, removal)
      gateway.removed(userId, session)
    },
  })
  // A node that cannot reach Redis keeps its clients for a while, for Redis may be back at once; then another may do better.
  let evacuation: NodeJS.Timeout | undefined
  presence.onService((inService) => {
    log.warn({ inService }, inService ? 'in service' : 'out of service: Redis does not answer heartbeats')
    clearTimeout(evacuation)
    if (!inService && !draining) evacuation = setTimeout(() => void gateway.evacuate(config.drainMs), Math.max(PATIENCE_MS, PATIENCE_LEASES * config.heartbeatTtlMs)).unref()
  })
  metrics.onCollect(() => {
    metrics.sessions.set(presence.sessionCount)
    metrics.memberships.set(presence.members.memberships.reduce((sum, { size }) => sum + size, 0))
    metrics.feeds.set(feeds.size)
    metrics.inService.set(presence.inService() ? 1 : 0)
  })

  let port = 0
  let opening: Promise<{ readonly port: number }> | null = null
  let closing: Promise<void> | null = null
  const open = async (): Promise<{ readonly port: number }> => {
    await store.open()
    gateway.io.adapter(clusterAdapter(adapter, config.appId))
    webhooks.keep()
    if (config.offlineBlock) store.blockFarewells(config.appId)
    await presence.start()
    await webhooks.start()
    await mail.start()
    auditor.start()
    gateway.start()
    if (options.server === undefined) await listenOn(server, config)
    const address = server.address() as AddressInfo | null
    port = address?.port ?? 0
    log.info({ port }, 'listening')
    return { port }
  }
  const close = async (): Promise<void> => {
    draining = true
    // What is opened after it was closed would stay open.
    await opening?.catch(() => undefined)
    clearTimeout(evacuation)
    await gateway.drain(config.drainMs)
    await auditor.stop()
    await presence.stop()
    sweeper.close()
    await webhooks.stop()
    await gateway.close()
    feeds.close()
    peers.close()
    mail.close()
    messages.close()
    if (options.server === undefined && server.listening) await closeServer(server)
    await store.close()
  }

  return {
    nodeId,
    app,
    io: gateway.io,
    functions,
    receive: (receiver) => webhooks.add(receiver),
    get port() {
      return port
    },
    listen: () => (closing === null ? (opening ??= open()) : Promise.reject(new Error('this node has been closed'))),
    close: () => (closing ??= close()),
  }
}

/** Probes of the subscriber that may be missed before the node is unready. */
const PROBES_MISSED = 3
/** How long a node that is out of service keeps its clients: this long, in milliseconds, and this many lease lengths. */
const PATIENCE_MS = 30_000
const PATIENCE_LEASES = 4

function newId(): string {
  // 36 does not divide 256: bytes past the last whole multiple would make some letters likelier, so they are left out.
  let id = ''
  while (id.length < ID_LENGTH) for (const byte of randomBytes(ID_LENGTH)) if (byte < 252 && id.length < ID_LENGTH) id += ALPHABET[byte % 36]
  return id
}

/** The server that was given serves the node's pages too, unless it has a handler of its own. */
function httpServer(given: HttpServer | undefined, app: ReturnType<typeof createApp>): HttpServer {
  if (given === undefined) return createHttpServer(app)
  if (given.listenerCount('request') === 0) given.on('request', app)
  return given
}

async function listenOn(server: HttpServer, { port, host }: Config): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.removeListener('error', reject)
      resolve()
    })
  })
}

async function closeServer(server: HttpServer): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
