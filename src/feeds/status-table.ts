import type { Position } from '../protocol/events.js'
import { isNews } from '../protocol/peers.js'
import type { PeerStatus, StatusEvent, StatusReading, UserStatus } from '../presence/status.js'

/** What is told of one peer whose status has changed. */
export interface PeerNews extends UserStatus {
  readonly userId: string
}

/** Users whose status is read in one call. */
export interface Take {
  readonly userIds: readonly string[]
  /** With it begins a reading of all: what it sees is as new as what any other row will be read at. */
  readonly first: boolean
  /** How many events of other lives had come by then. */
  readonly ahead: number
}

/** One watched user. There are as many as there are distinct peers, so it has nothing that can be worked out. */
interface Row {
  readonly userId: string
  /** Null until it was read for the first time. */
  status: PeerStatus | null
  lastSeen: number | null
  /** Of the partition's statuses, in the table's life: where this row stands. */
  version: number
  /** Who holds it. */
  refs: number
}

const RANK: Readonly<Record<PeerStatus, number>> = { OFFLINE: 0, UNREACHABLE: 1, ONLINE: 2 }
/** Events of a life that the table is not in, kept until a reading tells which one it is. More of them, and it is read once more. */
const AHEAD_MAX = 256

/**
 * The statuses of the watched users of one partition, and what is known of their order. It decides and does nothing: what is
 * to be read it says ({@link take}), and whoever reads tells it ({@link adopt}). Times are `performance.now()`.
 *
 * A row takes what is newer than itself, whoever says it, so readings and events may come in any order. The table takes
 * events in theirs: where one does not follow on the last, something was missed, and all rows are to be read anew.
 */
export class StatusTable {
  readonly #rows = new Map<string, Row>()
  #life = ''
  #version = 0
  /** To be read; `#whole`: all of them, because something was missed. */
  #wanted = new Set<string>()
  #whole = false
  #ahead: StatusEvent[] = []
  /** Until then a loss is being repaired, and who is said to have gone may only be missing still. */
  #settlesAt = 0
  readonly #doubted = new Set<string>()
  /** What the last heartbeat named, if no event had brought it by then. */
  #named: Position | null = null

  /**
   * @param leastSettlingMs for so long nobody is believed to have gone in a life that begins, whatever a reading says
   * @param onMissed called when it notices that something was missed
   */
  constructor(
    private readonly app: string,
    private readonly leastSettlingMs: number,
    private readonly onMissed: () => void = () => undefined,
  ) {}

  get size(): number {
    return this.#rows.size
  }

  get life(): string {
    return this.#life
  }

  /** What is known of a user; null while nothing is. */
  get(userId: string): UserStatus | null {
    const row = this.#rows.get(userId)
    return row === undefined || row.status === null ? null : { status: row.status, lastSeen: row.lastSeen }
  }

  /** Somebody watches the user from here on. It is read when nothing is known of it. */
  hold(userId: string): void {
    const row = this.#rows.get(userId)
    if (row !== undefined) {
      row.refs += 1
      return
    }
    this.#rows.set(userId, { userId, status: null, lastSeen: null, version: 0, refs: 1 })
    this.#wanted.add(userId)
  }

  letGo(userId: string): void {
    const row = this.#rows.get(userId)
    if (row === undefined || (row.refs -= 1) > 0) return
    this.#rows.delete(userId)
    this.#wanted.delete(userId)
    this.#doubted.delete(userId)
  }

  /** Events may have been missed: all rows are to be read anew. */
  doubt(): void {
    this.#wanted = new Set(this.#rows.keys())
    this.#whole = true
  }

  /** Whether there is something to be read. */
  get wants(): boolean {
    return this.#wanted.size > 0
  }

  /** What is to be read next, of at most so many users; null for nothing. */
  take(most: number): Take | null {
    const userIds: string[] = []
    for (const userId of this.#wanted) {
      if (userIds.length === most) break
      userIds.push(userId)
    }
    if (userIds.length === 0) return null
    for (const userId of userIds) this.#wanted.delete(userId)
    const first = this.#whole
    this.#whole = false
    return { userIds, first, ahead: this.#ahead.length }
  }

  /** It could not be read: once more. */
  giveBack({ userIds, first }: Take): void {
    for (const userId of userIds) if (this.#rows.has(userId)) this.#wanted.add(userId)
    this.#whole ||= first
  }

  /** Takes over what was read; answers what of it is news. */
  adopt({ userIds, first, ahead: old }: Take, reading: StatusReading, now: number): readonly PeerNews[] {
    const begins = reading.life !== this.#life
    if (begins) this.#begin(reading, now)
    else if (first) {
      this.#version = Math.max(this.#version, reading.version)
      // They were of lives that are over.
      this.#ahead.splice(0, old)
    }
    if (reading.settlesInMs > 0) this.#settlesAt = Math.max(this.#settlesAt, now + reading.settlesInMs)
    const news: PeerNews[] = []
    userIds.forEach((userId, i) => {
      const row = this.#rows.get(userId)
      const read = reading.rows[i]
      // One as new as the row is taken too: what it says may have been doubted.
      if (row === undefined || read === undefined || reading.version < row.version) return
      row.version = reading.version
      push(news, this.#turn(row, read, now))
    })
    if (!begins) return news
    for (const userId of userIds) this.#wanted.delete(userId)
    const ahead = this.#ahead
    this.#ahead = []
    for (const event of ahead) if (event.life === this.#life) news.push(...this.receive(event, now))
    // The last word was of yet another life: either an old one's that came late, or there is a newer one.
    if (ahead.at(-1) !== undefined && ahead.at(-1)?.life !== this.#life) this.doubt()
    return news
  }

  /** Applies an event; answers what of it is news. */
  receive(event: StatusEvent, now: number): readonly PeerNews[] {
    const last = event.changes.at(-1)
    if (last === undefined) return []
    if (event.life !== this.#life) {
      if (this.#life !== '') this.doubt()
      if (this.#ahead.length === AHEAD_MAX) this.#ahead.shift()
      this.#ahead.push(event)
      return []
    }
    const news: PeerNews[] = []
    for (const change of event.changes) {
      const row = change.app === this.app ? this.#rows.get(change.userId) : undefined
      if (row === undefined || change.version <= row.version) continue
      row.version = change.version
      push(news, this.#turn(row, change, now))
    }
    if (last.version <= this.#version) return news
    if (event.previous !== this.#version) this.#miss()
    this.#version = last.version
    return news
  }

  /** A heartbeat names the life, and the version of the statuses. An event may be on its way: what lacks still at the next one was missed. */
  beat(life: string, version: number): void {
    if (this.#life === '') return
    const lacks = (named: Position): boolean => named.life !== this.#life || named.version > this.#version
    const missed = this.#named !== null && lacks(this.#named)
    this.#named = !missed && lacks({ life, version }) ? { life, version } : null
    if (missed) this.#miss()
  }

  /** When those who are said to have gone are to be looked at again; null when there are none. */
  get settlesAt(): number | null {
    return this.#doubted.size > 0 ? this.#settlesAt : null
  }

  /** The time is over: those are read once more, and then believed. */
  settle(): void {
    for (const userId of this.#doubted) this.#wanted.add(userId)
    this.#doubted.clear()
  }

  #miss(): void {
    this.onMissed()
    this.doubt()
  }

  #begin({ life, version, settlesInMs }: StatusReading, now: number): void {
    const known = this.#life !== ''
    this.#life = life
    // Every row is read at this version or a later one, so what came before it cannot be missed.
    this.#version = version
    this.#named = null
    this.#settlesAt = now + (known ? Math.max(settlesInMs, this.leastSettlingMs) : settlesInMs)
    for (const row of this.#rows.values()) row.version = 0
    this.#wanted = new Set(this.#rows.keys())
    this.#whole = false
  }

  /** Moves a row; answers whether that is news. */
  #turn(row: Row, { status, lastSeen }: UserStatus, now: number): PeerNews | null {
    const { status: before, lastSeen: seen } = row
    if (before !== null && RANK[status] < RANK[before] && now < this.#settlesAt) {
      this.#doubted.add(row.userId)
      return null
    }
    this.#doubted.delete(row.userId)
    row.status = status
    // A loss takes it from Redis, and not from us.
    row.lastSeen = status === 'OFFLINE' && before === 'OFFLINE' ? (lastSeen ?? seen) : lastSeen
    return before === null || !isNews({ status: before, lastSeen: seen }, row as UserStatus) ? null : { userId: row.userId, status, lastSeen: row.lastSeen }
  }
}

function push<T>(list: T[], item: T | null): void {
  if (item !== null) list.push(item)
}
