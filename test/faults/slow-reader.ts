import { RawWebSocket } from '../hostile/support/raw-websocket.js'
import type { PacketSpan } from '../../src/protocol/events.js'
import { EventLog, type SeenEvent } from '../support/event-log.js'
import { http } from '../support/http.js'
import type { PlainClient } from '../support/plain.js'
import { checkStays } from '../support/stays.js'
import { eventually } from '../support/wait.js'
import type { Fault } from './fault.js'
import { CHANNEL, joinLoud, patiently, speak, WORDS, type Said } from './loud.js'
import type { Place, World } from './world.js'

/** What may wait for a client, in bytes: little, so that it is reached soon, but more than a busy reader is behind. */
const BACKLOG_BYTES = 262_144
/** The slow one's network answers pings by itself: it is the program that does not read. */
const PONG_MS = 200
/** Everything that was said is expected at the watchers within this; what comes later counts as so late. */
const LAST_MS = 10_000

/** One client of a busy channel reads nothing, until its node has had enough; the others' delays are measured (I11). */
export const SLOW_READER: Fault = {
  name: 'slow-reader',
  what: 'a client of a busy channel reads nothing until its backlog is full, and then goes on reading',
  lastsMs: 2_000,
  limits: { backlogBytes: BACKLOG_BYTES },
  apply: async (world) => {
    const place = world.random.pick(world.alive())
    const others = world.alive()
    const watchers = await joinLoud(world, others, 'watcher')
    const speakers = await joinLoud(world, others, 'speaker')
    const slow = await patiently('the slow reader is in the loud channel', () => SlowReader.open(world, place))
    const said = await speak(speakers, () => slow.overLimit(), WORDS)
    slow.read()
    // What is said now reaches it again, unless it has been dropped.
    said.push(...(await speak(speakers, () => Promise.resolve(true), '')))
    const last = new Map(said.map(({ user, count }) => [user, count]))
    await Promise.all(watchers.map((watcher) => hears(watcher, last).catch(() => undefined)))
    for (const watcher of watchers) world.delays.push(...delaysOf(watcher, said))
    await slow.check(last)
    for (const { socket } of [...watchers, ...speakers]) socket.disconnect()
    slow.end()
  },
}

/** When each change arrived, counted from its acknowledgement. Whoever lost its own connection says nothing. */
function delaysOf(watcher: PlainClient, said: readonly Said[]): readonly { readonly watcher: string; readonly ms: number }[] {
  if (!watcher.socket.connected) return []
  const { entries } = watcher.watcher(CHANNEL.channelName).log
  return said.map(({ user, count, ackedAt }) => {
    const arrival = entries.find(({ event }) => countOf(event, user) >= count)
    return { watcher: watcher.user, ms: Math.max(0, (arrival?.at ?? Date.now()) - ackedAt) }
  })
}

async function hears(watcher: PlainClient, last: ReadonlyMap<string, number>): Promise<void> {
  const { log } = watcher.watcher(CHANNEL.channelName)
  await log.until('the last of all', () => (heardAll(log, last) || !watcher.socket.connected ? true : undefined), LAST_MS)
}

function heardAll({ events }: EventLog, last: ReadonlyMap<string, number>): boolean {
  return [...last].every(([user, count]) => events.some((event) => countOf(event, user) >= count))
}

/** How far an event says that somebody has counted. */
function countOf({ publisher, stateChanged, snapshot, interval }: SeenEvent, user: string): number {
  const lists = [...(snapshot ?? []), ...(interval?.userStateList ?? [])].filter(({ userId }) => userId === user)
  const states = publisher === user ? stateChanged : lists.at(-1)?.states
  return Number(states?.count ?? 0)
}

/** A WebSocket whose owner does not read, and whose network is well: pings are answered. */
class SlowReader {
  readonly #log = new EventLog('the slow reader')
  readonly #pongs: NodeJS.Timeout

  private constructor(
    private readonly world: World,
    private readonly place: Place,
    private readonly raw: RawWebSocket,
    private readonly skippedBefore: number,
  ) {
    this.#pongs = setInterval(() => raw.text('3'), PONG_MS)
    world.scope.defer('the pongs of the slow reader', () => clearInterval(this.#pongs))
  }

  /** It is in the channel, and has read all until now. */
  static async open(world: World, place: Place): Promise<SlowReader> {
    const raw = await RawWebSocket.open(world.scope, { port: place.port, url: '' })
    await raw.login('slow')
    raw.text(`421["subscribe",${JSON.stringify({ ...CHANNEL, withPresence: true, beQuiet: true })}]`)
    const answer = await raw.until((message) => message.startsWith('431['))
    if (answer?.includes('"ok":true') !== true) throw new Error(`the slow reader was refused: ${String(answer)}`)
    raw.socket.pause()
    return new SlowReader(world, place, raw, await skipped(place))
  }

  /** Whether its node has left something out for it, or has dropped it, or is gone. */
  async overLimit(): Promise<boolean> {
    if (this.raw.closed || !this.place.alive) return true
    return (await skipped(this.place).catch(() => 0)) > this.skippedBefore
  }

  read(): void {
    this.raw.socket.resume()
  }

  /** It was dropped, or it has been told everything, in order and without a gap, and knows what all others know. */
  async check(last: ReadonlyMap<string, number>): Promise<void> {
    try {
      await eventually('the slow reader knows all, or is gone', () => this.raw.closed || heardAll(this.#taken(), last), { withinMs: LAST_MS })
      if (!this.raw.closed) checkStays(this.#taken())
      const snapshots = this.#log.events.filter(({ eventType }) => eventType === 'SNAPSHOT').length
      this.world.notes.push(this.raw.closed ? 'the slow reader was dropped' : `the slow reader got ${this.#log.packets.length} packets, ${snapshots} of them a SNAPSHOT`)
    } catch (error) {
      this.world.breaches.push({ invariant: 'I11', where: 'loud, as the slow reader sees it', what: String(error).slice(0, 2_000) })
    }
  }

  end(): void {
    clearInterval(this.#pongs)
    this.raw.end()
  }

  /** What it has read so far. */
  #taken(): EventLog {
    for (const message of this.raw.messages.splice(0)) {
      if (!message.startsWith('42["presence"')) continue
      const [, events, span] = JSON.parse(message.slice(2)) as [string, readonly SeenEvent[], PacketSpan]
      this.#log.add(events, span)
    }
    return this.#log
  }
}

/** How often this node has left a packet out for a slow client. */
async function skipped({ port }: Place): Promise<number> {
  const { text } = await http(port, '/metrics')
  return Number(/^rollcall_skipped\S* (\d+)$/m.exec(text)?.[1] ?? 0)
}
