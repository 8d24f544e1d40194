import { io } from 'socket.io-client'

import { fail, ok, skip, warn, type Check } from './check.js'
import { LoginRefusedError, PollingOffError, PollingSession, StrayRequestError } from './polling-session.js'

/** How many calls the polling session makes: two balanced nodes would answer all of them alike once in 4,096 times. */
const CALLS = 6
const CONNECT_MS = 5_000
const UPGRADE_MS = 5_000

const STICKY =
  'Make the balancer send all requests of a session to one node. deploy/haproxy.cfg does it by the first characters of ?sid=…, which name the node; by the client\'s address or by a cookie is possible too.'
export const POLLING_ADVICE = 'See the balancer\'s and the nodes\' logs.'
const UPGRADES =
  'Let the balancer pass on WebSocket upgrades: HTTP/1.1 to the nodes, the headers Upgrade and Connection as they came, and a time limit for silent connections above 30 s.'

/** Where to connect and as whom. */
export interface Entrance {
  /** Without a slash at the end. */
  readonly url: string
  /** A login that the node should accept; each call gives another user. */
  readonly auth: () => Promise<object>
}

/** What the connections so far have shown, for those that follow. */
export interface Experience {
  polling: 'works' | 'with-cookie' | 'off' | 'broken' | 'unknown'
  websocket: 'works' | 'off' | 'broken' | 'unknown'
  /** Why a node refused a login, if one did. */
  refused: LoginRefusedError | null
}

/** A session over polling alone, of several requests: whether they all reach its node. */
export async function polling(entrance: Entrance, experience: Experience): Promise<Check> {
  const name = 'polling'
  try {
    const session = await pollingSession(entrance, experience, false)
    experience.polling = 'works'
    return ok(name, `a session of ${session.requests} requests stayed with its node`)
  } catch (error) {
    if (error instanceof PollingOffError) {
      experience.polling = 'off'
      return skip(name, 'the nodes have polling off (ROLLCALL_TRANSPORTS)')
    }
    if (error instanceof LoginRefusedError) return refused(name, error, experience)
    experience.polling = 'broken'
    if (!(error instanceof StrayRequestError)) throw error
    if (error.cookieOffered && (await pollingSession(entrance, experience, true).then(() => true, () => false))) {
      experience.polling = 'with-cookie'
      return warn(name, `sticky by cookie only: without the cookie ${error.message}`, 'Browsers keep cookies; most other clients do not, unless they use WebSockets alone. deploy/haproxy.cfg needs none.')
    }
    return fail(name, `not sticky: ${error.message}`, STICKY)
  }
}

/** A session that is a WebSocket from the start. */
export async function websocket(entrance: Entrance, experience: Experience): Promise<Check> {
  const name = 'websocket'
  if (experience.websocket === 'off') return skip(name, 'the nodes have WebSockets off (ROLLCALL_TRANSPORTS)')
  const result = await connect(entrance, ['websocket'])
  if (result.refused !== null) return refused(name, result.refused, experience)
  experience.websocket = result.failure === null ? 'works' : 'broken'
  if (result.failure === null) return ok(name, 'a session can be a WebSocket from the start')
  return fail(name, `no WebSocket can be opened (${result.failure}): something on the way drops the upgrade`, UPGRADES)
}

/** What clients do by default: polling first, then the change to a WebSocket. */
export async function upgrade(entrance: Entrance, experience: Experience): Promise<Check> {
  const name = 'upgrade'
  if (experience.polling === 'off' || experience.websocket === 'off') return skip(name, 'the nodes have only one transport on (ROLLCALL_TRANSPORTS)')
  const keepCookies = experience.polling === 'with-cookie'
  const result = await connect(entrance, ['polling', 'websocket'], keepCookies)
  if (result.refused !== null) return refused(name, result.refused, experience)
  if (result.failure === null && result.transport === 'websocket') return ok(name, `a session begins with polling and changes to a WebSocket${keepCookies ? ', with the cookie' : ''}`)
  const advice = experience.websocket === 'broken' ? UPGRADES : STICKY
  if (result.failure !== null) return fail(name, `clients with default options cannot connect: ${result.failure}`, experience.polling === 'broken' ? STICKY : advice)
  const cause = experience.websocket === 'broken' ? 'the upgrade is dropped' : 'the upgrade reaches another node, or is dropped'
  return fail(name, `sessions stay with polling: ${cause}`, advice)
}

async function pollingSession({ url, auth }: Entrance, experience: Experience, keepCookies: boolean): Promise<PollingSession> {
  const session = new PollingSession(url, keepCookies)
  await session.login(await auth())
  if (!session.upgrades.includes('websocket')) experience.websocket = 'off'
  for (let call = 1; call <= CALLS; call += 1) await session.call(call, 'whoNow', { channelName: 'rollcall-doctor' })
  await session.logout()
  return session
}

interface Connected {
  /** The transport at the end. */
  readonly transport: string
  readonly failure: string | null
  readonly refused: LoginRefusedError | null
}

async function connect({ url, auth }: Entrance, transports: ('polling' | 'websocket')[], withCredentials = false): Promise<Connected> {
  const { origin, pathname } = new URL(url)
  const socket = io(origin, { path: `${pathname.replace(/\/+$/, '')}/socket.io`, auth: await auth(), transports, withCredentials, forceNew: true, reconnection: false, timeout: CONNECT_MS })
  const { engine } = socket.io
  // It may fail before the session is ready.
  const change = new Promise<void>((resolve) => engine.once('upgrade', () => resolve()).once('upgradeError', () => resolve()))
  try {
    const outcome = await new Promise<Omit<Connected, 'transport'>>((resolve) => {
      socket.once('ready', () => resolve({ failure: null, refused: null }))
      socket.once('connect_error', (error: Error & { data?: { code?: string; reason?: string } }) => {
        const { code, reason } = error.data ?? {}
        resolve(code === undefined ? { failure: error.message, refused: null } : { failure: null, refused: new LoginRefusedError(code, reason ?? '') })
      })
      socket.once('disconnect', (reason) => resolve({ failure: `the connection ended: ${reason}`, refused: null }))
      setTimeout(() => resolve({ failure: `no answer within ${CONNECT_MS / 1_000} s`, refused: null }), CONNECT_MS).unref()
    })
    if (outcome.failure !== null || outcome.refused !== null || transports.length === 1) return { ...outcome, transport: engine.transport.name }
    return await upgraded(engine, change)
  } finally {
    socket.disconnect()
  }
}

/** Waits for the change of transport, which follows the connection, to succeed or fail. */
async function upgraded(engine: ReturnType<typeof io>['io']['engine'], change: Promise<void>): Promise<Connected> {
  let failure: string | null = null
  if (engine.transport.name !== 'websocket') {
    let timer: NodeJS.Timeout | undefined
    const otherwise = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, UPGRADE_MS)
      engine.once('close', (reason) => {
        failure = `the connection ended: ${reason}`
        resolve()
      })
    })
    await Promise.race([change, otherwise])
    clearTimeout(timer)
  }
  return { transport: engine.transport.name, failure, refused: null }
}

function refused(name: string, error: LoginRefusedError, experience: Experience): Check {
  experience.refused = error
  return skip(name, 'the node refused the login')
}
