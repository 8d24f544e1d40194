import { io, type Socket } from 'socket.io-client'

import type { ChannelType } from '../../src/protocol/channel.js'
import type { ErrorBody } from '../../src/protocol/errors.js'
import type { KickedEvent, MovingEvent, PacketSpan, ReadyEvent, TokenEvent } from '../../src/protocol/events.js'
import { EventLog, type SeenEvent } from './event-log.js'
import type { NodeAddress } from './node.js'
import type { Scope } from './scope.js'
import { within } from './wait.js'
import type { Marker, Watcher } from './watcher.js'

/** A reply as it comes over the wire, before anybody believes its shape. */
export type WireReply = ({ readonly ok: true; readonly timestamp: number } & Readonly<Record<string, unknown>>) | { readonly ok: false; readonly error: ErrorBody }

export interface PlainOptions {
  readonly auth?: Readonly<Record<string, unknown>>
  /** For the few tests that are about a transport; all others take the library's defaults. */
  readonly transports?: readonly ('polling' | 'websocket')[]
  readonly reconnection?: boolean
}

/** A bare socket.io-client with the library's default options, that knows nothing but the wire. */
export class PlainClient {
  readonly #logs = new Map<string, EventLog>()
  readonly kicks: KickedEvent[] = []
  readonly moves: MovingEvent[] = []
  readonly tokens: string[] = []
  #ready: ReadyEvent | undefined

  private constructor(
    readonly user: string,
    readonly socket: Socket,
  ) {
    socket.on('ready', (event: ReadyEvent) => (this.#ready = event))
    socket.on('kicked', (event: KickedEvent) => this.kicks.push(event))
    socket.on('moving', (event: MovingEvent) => this.moves.push(event))
    socket.on('token', (event: TokenEvent) => this.tokens.push(event.eventType))
    socket.on('presence', (events: readonly SeenEvent[], span?: PacketSpan) => this.#presence(events, span))
  }

  /** Opens a socket; {@link connectPlain} also waits for its `ready`. */
  static open(scope: Scope, user: string, node: NodeAddress, { auth = {}, transports, reconnection }: PlainOptions = {}): PlainClient {
    const socket = io(node.url, {
      forceNew: true,
      auth: { appId: 'dev', userId: user, ...auth },
      ...(transports === undefined ? {} : { transports: [...transports] }),
      ...(reconnection === undefined ? {} : { reconnection }),
    })
    scope.defer(`the socket of ${user}`, () => {
      socket.disconnect()
    })
    return new PlainClient(user, socket)
  }

  /** The latest `ready`. */
  get ready(): ReadyEvent {
    if (this.#ready === undefined) throw new Error(`${this.user} is not ready`)
    return this.#ready
  }

  async untilReady(): Promise<ReadyEvent> {
    if (this.#ready !== undefined) return this.#ready
    return within(
      new Promise<ReadyEvent>((resolve, reject) => {
        this.socket.once('ready', resolve)
        this.socket.once('connect_error', reject)
      }),
      10_000,
      `${this.user} is ready`,
    )
  }

  /** The refusal of a connection: what `connect_error` carries as `data`. */
  async untilRefused(): Promise<unknown> {
    return within(
      new Promise<unknown>((resolve, reject) => {
        this.socket.once('connect_error', (error: Error & { data?: unknown }) => resolve(error.data))
        this.socket.once('ready', () => reject(new Error(`${this.user} was let in`)))
      }),
      10_000,
      `${this.user} is refused`,
    )
  }

  /** One request as the wire has it: an event with one object, and an ack. Any value may be sent. */
  async send(name: string, ...args: readonly unknown[]): Promise<WireReply> {
    return (await this.socket.timeout(10_000).emitWithAck(name, ...args)) as WireReply
  }

  /** A request that must succeed. */
  async must(name: string, request: Readonly<Record<string, unknown>>): Promise<Readonly<Record<string, unknown>>> {
    const reply = await this.send(name, request)
    if (!reply.ok) throw new Error(`${name} of ${this.user} was refused: ${JSON.stringify(reply.error)}`)
    return reply
  }

  watcher(channel: string, channelType: ChannelType = 'MESSAGE'): Watcher {
    const key = `${channelType}:${channel}`
    const log = this.#logs.get(key) ?? new EventLog(this.user)
    this.#logs.set(key, log)
    return { name: this.user, channel, log }
  }

  #presence(events: readonly SeenEvent[], span: PacketSpan | undefined): void {
    const first = events[0] ?? span
    if (first === undefined) return
    const { log } = this.watcher(first.channelName, first.channelType)
    log.add(events, span)
  }
}

export async function connectPlain(scope: Scope, user: string, node: NodeAddress, options: PlainOptions = {}): Promise<PlainClient> {
  const client = PlainClient.open(scope, user, node, options)
  await client.untilReady()
  return client
}

/** As `joinMarker`, for tests without the SDK. */
export async function joinPlainMarker(scope: Scope, node: NodeAddress, channelName: string): Promise<Marker> {
  const client = await connectPlain(scope, `marker-${channelName}`, node)
  const channel = { channelName, channelType: 'MESSAGE' }
  await client.must('subscribe', { ...channel, withPresence: false })
  let marks = 0
  return {
    userId: client.user,
    mark: async () => {
      const mark = `wire-${++marks}`
      await client.must('setState', { ...channel, states: { mark } })
      return mark
    },
  }
}
