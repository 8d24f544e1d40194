import type { Occupant, PacketSpan, PresenceEvent } from '../../src/protocol/events.js'
import { Bell, PATIENCE_MS } from './wait.js'

/** What tests look at in an event. The SDK's events carry neither the life nor the previous version. */
export interface SeenEvent extends Omit<PresenceEvent, 'life' | 'previous' | 'snapshot'>, Partial<Pick<PresenceEvent, 'life' | 'previous'>> {
  readonly snapshot: readonly Occupant[] | null
}

export interface Packet {
  /** When it arrived here, by this process's clock. */
  readonly at: number
  readonly events: readonly SeenEvent[]
  readonly span: PacketSpan | undefined
}

export interface Entry {
  readonly at: number
  readonly event: SeenEvent
}

/** What one watcher was told about one channel, in the order in which it was told. */
export class EventLog {
  readonly packets: Packet[] = []
  readonly #entries: Entry[] = []
  readonly #read = new Set<Entry>()
  readonly #bell = new Bell()

  constructor(readonly name: string) {}

  add(events: readonly SeenEvent[], span?: PacketSpan): void {
    const at = Date.now()
    this.packets.push({ at, events, span })
    for (const event of events) this.#entries.push({ at, event })
    this.#bell.ring()
  }

  get entries(): readonly Entry[] {
    return this.#entries
  }

  get events(): readonly SeenEvent[] {
    return this.#entries.map((entry) => entry.event)
  }

  /** What no expectation has taken yet. */
  get unread(): readonly Entry[] {
    return this.#entries.filter((entry) => !this.#read.has(entry))
  }

  take(entry: Entry): SeenEvent {
    this.#read.add(entry)
    return entry.event
  }

  /** Forgets what was seen so far: expectations begin with what comes from now on. */
  takeAll(): void {
    for (const entry of this.#entries) this.#read.add(entry)
  }

  /** Waits until `find` answers; it is asked again at each arrival, and what it throws fails the wait. */
  async until<T>(what: string, find: () => T | undefined, ms = PATIENCE_MS): Promise<T> {
    const guarded = () => {
      try {
        return find()
      } catch (error) {
        throw new Error(`${String(error)}\n${this.print()}`, { cause: error })
      }
    }
    return this.#bell.until(guarded, ms, () => `${this.name} sees ${what}\n${this.print()}`)
  }

  print(): string {
    const start = this.#entries[0]?.at ?? 0
    const rows = this.#entries.map((entry) => {
      const mark = this.#read.has(entry) ? ' ' : '*'
      return `  ${mark} +${entry.at - start} ms ${describe(entry.event)}`
    })
    return [`what ${this.name} has seen (* not expected so far):`, ...rows].join('\n')
  }
}

export function describe(event: SeenEvent): string {
  const detail =
    event.snapshot !== null
      ? event.snapshot.map((entry) => `${entry.userId}${JSON.stringify(entry.states)}`).join(' ')
      : event.interval !== null
        ? JSON.stringify(event.interval)
        : `${event.publisher} ${JSON.stringify(event.stateChanged)}`
  return `${event.eventType} ${event.channelType}:${event.channelName} ${detail.slice(0, 400)} @${event.version}`
}
