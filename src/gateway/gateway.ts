import type { Presence } from '../presence/service.js'
import type { Waiting } from '../presence/types.js'
import type { ReadyEvent } from '../protocol/events.js'
import { toldLimits } from '../protocol/limits.js'
import type { Config } from '../config.js'
import { Calls } from './calls.js'
import type { Connection } from './connection.js'
import { Connections } from './connections.js'
import { directFramesRefused } from './direct-frames.js'
import { drain } from './drain.js'
import { Fanout } from './fanout.js'
import { createHandlers } from './handlers/index.js'
import { installLogin } from './login.js'
import { Mailroom } from './mailroom.js'
import { MissedFarewells } from './missed-farewells.js'
import { Notices } from './notices.js'
import { PeerFanout } from './peer-fanout.js'
import { createDirectOutlet, createOutlet } from './outlet.js'
import { Requests } from './requests.js'
import { createServer, trackUpgrades } from './server.js'
import type { GatewayDeps, GatewayServer } from './types.js'
import { Users } from './users.js'
import type { Outlet } from './watchers.js'

export interface Gateway {
  readonly io: GatewayServer
  /** Begins to take clients; until then every one is turned away. */
  start(): void
  /** Sends all clients elsewhere within about `ms`, and goes on taking new ones. */
  evacuate(ms: number): Promise<void>
  /** Takes no more clients and sends those that are here elsewhere within about `ms`; resolves when they are gone. */
  drain(ms: number): Promise<void>
  /** A session was ended for good, whatever node had its connection, if any had. */
  removed(userId: string, session: string): void
  /** Drops everybody and everything but the HTTP server. */
  close(): Promise<void>
}

/** Everything that speaks Socket.IO: sessions, requests, and the fan-out of what feeds have to say. */
export function createGateway(deps: GatewayDeps): Gateway {
  const { config, presence, metadata, invitations, messages, roster, broadcasts, feeds, auth, metrics, log } = deps
  let accepting = false
  const io = createServer(deps, () => accepting)
  const cutUpgrades = trackUpgrades(deps.server, io)
  const connections = new Connections()
  const users = new Users()
  const { flushMs, announceMax, intervalMs, limits } = config
  const fanout = new Fanout({ outlet: outletOf(io, deps), flushMs, announceMax, intervalMs, backlogBytes: limits.backlogBytes, metrics })
  const peers = new PeerFanout({
    peers: deps.peers,
    // Every socket has a room of its own, named by its id.
    tell: (ids, changes) => void io.local.to([...ids]).emit('peers', changes),
    flushMs,
    backlogBytes: limits.backlogBytes,
    metrics,
  })
  const notices = new Notices({
    users,
    tellStatus: (ids, notice) => void io.local.to([...ids]).emit('status', notice),
    tellRoster: (ids, notice) => void io.local.to([...ids]).emit('roster', notice),
    offlineBlock: config.offlineBlock,
    backlogBytes: limits.backlogBytes,
    metrics,
  })
  deps.mail.on('status', notices.status)
  const farewells = new MissedFarewells({ office: deps.office, presence, tell: notices.status, log })
  deps.mail.onMissed((_, gap) => gap !== null && void farewells.catchUp(gap))
  deps.mail.on('roster', notices.roster)
  const mailroom = new Mailroom({ users, messages, backlogBytes: limits.backlogBytes, metrics, log })
  users.onWelcome((connection, waiting) => mailroom.welcome(connection, waiting))
  deps.mail.on('message', (post) => mailroom.post(post))
  deps.mail.on('received', (post) => messages.received(post))
  deps.mail.onMissed((concerns) => mailroom.missed(concerns))
  const calls = new Calls({ users, mail: deps.mail, invitations, peers: deps.peers, limits, metrics, log })
  const requests = new Requests({ handlers: createHandlers({ presence, metadata, messages, invitations, calls, roster, broadcasts, feeds, peers, auth, limits: config.limits, metrics }, log), limits: config.limits, metrics, log })

  const onConnected = (connection: Connection, waiting: Waiting): void => {
    const { socket } = connection
    socket.on('disconnect', (reason) => {
      const logout = reason === 'client namespace disconnect'
      connections.remove(connection, connection.end(logout ? 'logout' : 'lost'))
      users.remove(connection)
      // Client libraries end the transport too. One that nobody is logged in on may not stay.
      if (logout) socket.conn.close()
    })
    socket.onAny((event: unknown, ...args: unknown[]) => {
      if (connection.alive) requests.accept(connection, event, args)
    })
    socket.emit('ready', readyEvent(connection, presence, config))
    connection.armClock()
    if (connection.alive) users.add(connection, waiting)
  }

  installLogin(io, { config, auth, presence, metrics, log, connections, users, connection: { presence, feeds, fanout, peers, calls, metrics }, accepting: () => accepting }, onConnected)
  feeds.listen(fanout)
  presence.onService((inService) => fanout.onService(inService))
  metrics.onCollect(() => {
    metrics.sockets.set(io.engine.clientsCount)
    metrics.watchers.set(fanout.watchers)
    metrics.peers.set(deps.peers.size)
    metrics.peerSubscriptions.set(peers.pairs)
  })

  return {
    io,
    start() {
      accepting = true
    },
    evacuate: (ms) => drain(connections, ms),
    async drain(ms) {
      accepting = false
      await drain(connections, ms)
    },
    removed: (userId, session) => calls.removed(userId, session),
    async close() {
      accepting = false
      // Not io.close(), which would close the HTTP server too.
      io.engine.close()
      await connections.settled()
      fanout.close()
      peers.close()
      calls.close()
      mailroom.close()
      farewells.close()
      cutUpgrades()
      await io.of('/').adapter.close()
    },
  }
}

function outletOf(io: GatewayServer, { config, log }: GatewayDeps): Outlet {
  if (!config.directFrames) return createOutlet(io)
  const refused = directFramesRefused(io)
  if (refused === null) return createDirectOutlet(io)
  log.warn({ reason: refused }, 'frames are not sent directly')
  return createOutlet(io)
}

function readyEvent({ session }: Connection, presence: Presence, { limits }: Config): ReadyEvent {
  return {
    sessionId: session.id,
    attach: session.attach,
    nodeId: presence.nodeId,
    resumed: session.resumed,
    presenceTimeout: session.timeoutMs,
    timestamp: presence.timeNow(session.userId),
    limits: toldLimits(limits),
  }
}
