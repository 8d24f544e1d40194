import { setTimeout as pause } from 'node:timers/promises'

import { remembering } from '../lib/decoder.js'
import type { RedisServer } from '../lib/redis.js'
import { answers, ServerNode } from '../lib/server-node.js'
import { SocketIoClient } from '../lib/socket-io-client.js'
import { nameOf, NO_NEWS, numberOf, RETRY_MS, type News, type MessagePeer, type Peer, type RosterClient, type RosterPeer, type Settings } from './types.js'

interface Event {
  readonly eventType: string
  readonly publisher: string
  readonly snapshot: readonly { readonly userId: string }[] | null
  readonly interval: {
    readonly join: { readonly users: readonly string[] }
    readonly leave: { readonly users: readonly string[] }
    readonly timeout: { readonly users: readonly string[] }
    readonly userStateList: readonly { readonly userId: string }[]
  } | null
}

/** A span of a `presence` packet, see docs/protocol.md. */
export interface Span {
  readonly channelName: string
  readonly life: string
  readonly previous: number
  readonly version: number
}

export interface Presence extends News {
  /** Changes of states, by whose. */
  readonly changed: readonly number[]
  readonly snapshots: number
  readonly span: Span
}

export type Reply = { readonly ok: true; readonly [more: string]: unknown } | { readonly ok: false; readonly error: { readonly code: string } }

const PRESENCE = '["presence",'

/** What a `presence` event says; null for any other event. */
export const readPresence = remembering((text: string): Presence | null => {
  if (!text.startsWith(PRESENCE)) return null
  const [, events, span] = JSON.parse(text) as [string, readonly Event[], Span]
  const roster: number[] = []
  const joined: number[] = []
  const left: number[] = []
  const changed: number[] = []
  let snapshots = 0
  for (const { eventType, publisher, snapshot, interval } of events) {
    if (eventType === 'REMOTE_JOIN') joined.push(numberOf(publisher))
    else if (eventType === 'REMOTE_STATE_CHANGED') changed.push(numberOf(publisher))
    else if (eventType === 'REMOTE_LEAVE' || eventType === 'REMOTE_TIMEOUT') left.push(numberOf(publisher))
    if (snapshot !== null) snapshots++
    roster.push(...(snapshot ?? []).map(({ userId }) => numberOf(userId)))
    if (interval === null) continue
    joined.push(...interval.join.users.map(numberOf))
    left.push(...[...interval.leave.users, ...interval.timeout.users].map(numberOf))
    changed.push(...interval.userStateList.map(({ userId }) => numberOf(userId)))
  }
  return { roster, joined, left, changed, snapshots, span }
})

/** A logged-in connection to a Rollcall node. */
export class RollcallClient {
  errors = 0
  onPresence: (presence: Presence) => void = () => undefined
  onMessage: (text: string) => void = () => undefined
  #sessionId = ''
  #socket!: SocketIoClient

  static async connect(node: Pick<ServerNode, 'port'>, user: number, auth: Readonly<Record<string, unknown>> = {}): Promise<RollcallClient> {
    const client = new RollcallClient()
    const ready = new Promise<string>((resolve) => {
      client.#onReady = resolve
    })
    client.#socket = await SocketIoClient.connect(node.port, { appId: 'dev', userId: nameOf(user), ...auth }, (text) => client.#take(text))
    client.#sessionId = await ready
    return client
  }

  #onReady: (sessionId: string) => void = () => undefined

  get sessionId(): string {
    return this.#sessionId
  }

  get frames(): number {
    return this.#socket.frames
  }

  get bytes(): number {
    return this.#socket.bytes
  }

  set onClose(act: () => void) {
    this.#socket.onClose = act
  }

  /** A request that must succeed. */
  async ask(event: string, request: unknown): Promise<Readonly<Record<string, unknown>>> {
    const reply = await this.tell(event, request)
    if (!reply.ok) throw new Error(`${event}: ${reply.error.code}`)
    return reply
  }

  /** A request whose refusal is counted. */
  async tell(event: string, request: unknown): Promise<Reply> {
    const reply = (await this.#socket.ask(event, request)) as Reply
    if (!reply.ok) this.errors++
    return reply
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #take(text: string): void {
    const presence = readPresence(text)
    if (presence !== null) this.onPresence(presence)
    else if (text.startsWith('["message",')) this.onMessage((JSON.parse(text) as [string, { readonly text: string }])[1].text)
    else if (text.startsWith('["ready",')) {
      const [, { sessionId }] = JSON.parse(text) as [string, { readonly sessionId: string }]
      this.#onReady(sessionId)
    }
  }
}

/** Rollcall's nodes, at their defaults or not. */
export function isRollcall({ name }: Peer): boolean {
  return name.startsWith('rollcall')
}

/** Two or more nodes as `node dist/main.js` runs them, at their defaults. */
export const rollcall: RosterPeer & MessagePeer = {
  name: 'rollcall',

  start(redis: RedisServer, settings: Settings): Promise<ServerNode> {
    return ServerNode.start(
      'rollcall',
      ['dist/main.js'],
      (port) => ({ PORT: String(port), HOST: '127.0.0.1', REDIS_URL: redis.url, ROLLCALL_LOG_LEVEL: 'warn', ...settings }),
      (port) => answers(port, '/readyz'),
    )
  },

  async enter(node, user, onNews): Promise<RosterClient> {
    const client = await RollcallClient.connect(node, user)
    client.onPresence = onNews
    return {
      get bytes() {
        return client.bytes
      },
      get frames() {
        return client.frames
      },
      get errors() {
        return client.errors
      },
      async join(channelName) {
        while (!(await client.tell('subscribe', { channelName })).ok) await pause(RETRY_MS)
        // Nobody is told of what it did itself.
        onNews({ ...NO_NEWS, joined: [user] })
      },
      async leave(channelName) {
        await client.ask('unsubscribe', { channelName })
      },
      destroy: () => client.destroy(),
    }
  },

  async talk(node, user, onMessage) {
    const client = await RollcallClient.connect(node, user)
    client.onMessage = onMessage
    return { send: async (to, text) => (await client.ask('sendMessage', { userId: nameOf(to), text })).received === true }
  },
}

/** The same, with frames written past Socket.IO (`ROLLCALL_DIRECT_FRAMES`). */
export const rollcallDirect: RosterPeer = {
  ...rollcall,
  name: 'rollcall-direct',
  start: (redis, settings) => rollcall.start(redis, { ...settings, ROLLCALL_DIRECT_FRAMES: 'true' }),
}
