import { RollcallError } from '../protocol/errors.js'
import type { Position } from '../protocol/events.js'
import { ChannelReplica, type ChangeBatch, type Effect, type Member, type Replica } from '../replica/replica.js'
import type { PresenceStore } from '../presence/store.js'
import { parseChannelId, type AuditRow, type Channel, type ChannelEvent, type ChannelSnapshot } from '../presence/types.js'
import type { Feed, Missed } from './types.js'

/** Effects that are kept for clients that resume, and how long a reader waits for a version, in milliseconds. */
const HISTORY_MAX = 512
const CATCH_UP_MS = 5_000
const RETRY_MS = 100
const RETRY_MAX_MS = 2_000

interface Look {
  readonly snapshot: ChannelSnapshot
  /** How many of the waiting events the snapshot covers. */
  readonly covered: number
}

/** What a feed needs of the node. */
export interface FeedContext {
  readonly store: PresenceStore
  /**
   * Puts members back that the store lost; resolves when that is done or was seen to be needless, with the channel's life.
   * Rejects when somebody has ended there since `seen`, or the partition has begun another life: what is missing is to be
   * looked at again.
   */
  putBack(channel: Channel, members: readonly Member[], asOf: number, seen: Position): Promise<string>
  /** The channel's data was found damaged: what this node has in there is asserted. */
  onDamaged(channel: Channel): void
  /** Whether the partition's heartbeat is recent enough to vouch for the feed. */
  inService(partition: number): boolean
  onBatch(feed: ChannelFeed, batch: ChangeBatch, effects: readonly Effect[]): void
  onReplaced(feed: ChannelFeed): void
  onGap(): void
  onRebase(): void
  onTrouble(error: unknown, channel: Channel): void
}

/**
 * One channel's replica on this node. Events that arrive while it is being fetched wait; whatever does not fit leads to
 * one fetch, however many events ask for it.
 */
export class ChannelFeed implements Feed {
  readonly channel: Channel
  readonly partition: number
  readonly ready: Promise<void>
  refs = 0
  readonly #replica = new ChannelReplica({ life: '', version: 0, members: new Map() })
  /** The channel's own life, `''` while it is seen to be empty: whatever comes then is a beginning and no loss. */
  #channelLife = ''
  /** Events that wait for a fetch that is under way; null while the feed is in step. */
  #waiting: ChannelEvent[] | null = []
  /** Who ended, and did not begin again, in what waits or has waited for the fetch that is under way. */
  readonly #left = new Set<string>()
  /** Events may have been lost, so another life of the channel may be one that ended and began again in the meantime. */
  #behind = false
  #history: Missed[] = []
  #historySize = 0
  #sorted: readonly string[] | null = null
  #hydrated = false
  #settledAt = 0
  #closed = false
  #unsubscribe: (() => void) | null = null
  #suspicion = 0
  readonly #atLeast = new Set<{ readonly version: number; readonly resolve: () => void }>()

  constructor(
    id: string,
    private readonly context: FeedContext,
  ) {
    this.channel = parseChannelId(id)
    this.partition = context.store.partitionOf(this.channel)
    this.ready = this.#hydrate()
    this.ready.catch(() => undefined)
  }

  get replica(): Replica {
    return this.#replica
  }

  get fresh(): boolean {
    return this.#hydrated && !this.#closed && this.context.inService(this.partition)
  }

  get settled(): boolean {
    return performance.now() >= this.#settledAt
  }

  sortedUserIds(): readonly string[] {
    this.#sorted ??= [...this.#replica.members.keys()].sort()
    return this.#sorted
  }

  atLeast(version: number): Promise<void> {
    if (this.#replica.version >= version) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const waiter = {
        version,
        resolve: () => {
          clearTimeout(timer)
          this.#atLeast.delete(waiter)
          resolve()
        },
      }
      const timer = setTimeout(() => {
        this.#atLeast.delete(waiter)
        reject(new RollcallError('PRESENCE_OPERATION_TIMEOUT', 'the channel\'s feed did not catch up in time'))
      }, CATCH_UP_MS)
      this.#atLeast.add(waiter)
    })
  }

  missedSince(since: Position): Missed | null {
    const { life, version } = this.#replica
    if (since.life !== life || since.version > version) return null
    if (since.version === version) return { previous: version, version, effects: [] }
    const first = this.#history[0]
    if (first === undefined || first.previous > since.version) return null
    const effects = this.#history.flatMap((missed) => missed.effects.filter((effect) => effect.version > since.version))
    return { previous: since.version, version, effects }
  }

  /** Events may have been lost: what is known here may be those who have gone. */
  mayHaveMissed(): void {
    this.#behind = true
  }

  /** Something may have been lost, or begun anew: fetch. One fetch at a time. */
  resync(options: { readonly behind: boolean }): void {
    if (options.behind) this.mayHaveMissed()
    if (this.#closed || this.#waiting !== null) return
    this.#waiting = []
    void this.#fetchUntilDone()
  }

  /** Compares with what the audit saw. A difference that lasts over two looks is one that no event will repair. */
  inspect(life: string, row: AuditRow): void {
    if (this.#closed || this.#waiting !== null) return
    const { members, version } = this.#replica
    if (row === 'damaged') return this.#suspect(true, { behind: false })
    const lostChannel = life === this.#replica.life && this.#channelLife !== '' && members.size > 0 && row?.channelLife !== this.#channelLife
    const differs = row === null ? members.size > 0 : row.version > version || (row.version === version && row.occupancy !== members.size)
    // A whole channel that vanished from a feed in step was lost and is put back; a lost event only has to be fetched.
    this.#suspect(life !== this.#replica.life || lostChannel || differs, { behind: !lostChannel })
  }

  #suspect(isWrong: boolean, options: { readonly behind: boolean }): void {
    this.#suspicion = isWrong ? this.#suspicion + 1 : 0
    if (this.#suspicion < 2) return
    this.#suspicion = 0
    this.resync(options)
  }

  close(): void {
    this.#closed = true
    this.#unsubscribe?.()
    for (const waiter of [...this.#atLeast]) waiter.resolve()
  }

  async #hydrate(): Promise<void> {
    const unsubscribe = await this.context.store.subscribe(this.channel, (event) => this.#receive(event))
    if (this.#closed) unsubscribe()
    else this.#unsubscribe = unsubscribe
    await this.#fetchUntilDone(CATCH_UP_MS)
  }

  /**
   * The channel as it is. Whatever came before it was asked for was published before it was read, so it is covered; one of
   * an earlier life, that came late, would fit no replica ever.
   */
  async #look(): Promise<Look> {
    const covered = this.#waiting?.length ?? 0
    return { snapshot: await this.context.store.snapshot(this.channel), covered }
  }

  #receive(event: ChannelEvent): void {
    if (this.#closed) return
    if (this.#waiting === null) this.#apply(event)
    else this.#wait(this.#waiting, event)
  }

  #wait(waiting: ChannelEvent[], event: ChannelEvent): void {
    waiting.push(event)
    for (const change of event.changes) {
      if (change.kind === 'leave' || change.kind === 'timeout') this.#left.add(change.userId)
      else this.#left.delete(change.userId)
    }
  }

  #apply(event: ChannelEvent): void {
    const last = event.changes.at(-1)
    if (last === undefined) return
    const sameLife = event.life === this.#replica.life
    if (sameLife && last.version <= this.#replica.version) return
    const begins = this.#channelLife === '' && event.previous === 0
    if (!sameLife || (event.channelLife !== this.#channelLife && !begins)) {
      this.#fetch(event)
      return
    }
    const previous = begins ? this.#replica.version : event.previous
    const batch: ChangeBatch = { life: event.life, previous, changes: event.changes, version: last.version }
    const applied = this.#replica.apply(batch)
    if (applied.outcome === 'gap') {
      this.#behind = true
      this.#fetch(event)
      return
    }
    if (applied.outcome === 'old') return
    this.#channelLife = this.#replica.members.size === 0 ? '' : event.channelLife
    this.#remember({ previous, version: last.version, effects: applied.effects })
    this.context.onBatch(this, batch, applied.effects)
    this.#wake()
  }

  #fetch(event: ChannelEvent): void {
    this.context.onGap()
    this.#wait((this.#waiting = []), event)
    void this.#fetchUntilDone()
  }

  /** @param patienceMs after which it rejects with what the last try did */
  async #fetchUntilDone(patienceMs = Infinity): Promise<void> {
    const since = performance.now()
    for (let pause = RETRY_MS; !this.#closed; pause = Math.min(pause * 2, RETRY_MAX_MS)) {
      try {
        await this.#fetchOnce()
        return
      } catch (error) {
        if (performance.now() - since + pause > patienceMs) throw error
        this.context.onTrouble(error, this.channel)
        await new Promise<void>((resolve) => setTimeout(resolve, pause * (0.5 + Math.random() / 2)).unref())
      }
    }
  }

  async #fetchOnce(): Promise<void> {
    const { snapshot, covered } = await this.#whole()
    this.#takeOver(snapshot)
    if (this.#hydrated) {
      this.context.onRebase()
      this.context.onReplaced(this)
    } else this.#settledAt = performance.now() + snapshot.settlesInMs
    this.#hydrated = true
    this.#drain(covered)
  }

  /** The channel as it is, after what the store lost of it was put back: from the replica, or from what is left. */
  async #whole(): Promise<Look> {
    const look = await this.#look()
    const { damaged, members, version } = look.snapshot
    if (!damaged && !this.#lostSince(look.snapshot)) return look
    this.context.onDamaged(this.channel)
    if (this.#hydrated) {
      // What was published before is here after this, or known to be missed: whoever left before the loss is not put back.
      await this.context.store.probe(this.partition)
      this.#settleOldEvents()
    }
    const known = this.#hydrated ? this.#replica : { members, version }
    const missing = this.#comesAfterRepair(look.snapshot) ? [] : [...known.members.values()].filter(({ userId }) => !this.#left.has(userId))
    const channelLife = await this.context.putBack(this.channel, missing, known.version, look.snapshot)
    const again = await this.#look()
    if (missing.length > 0 && again.snapshot.channelLife !== channelLife && again.snapshot.emptied <= look.snapshot.version) throw new Error('the channel was lost again while members were being put back')
    if (again.snapshot.damaged) throw new Error('the channel lacks data that nobody has put back yet')
    if (again.snapshot.life !== look.snapshot.life) throw new Error('the partition began another life while members were being put back')
    return again
  }

  /** The store lost the channel (or all) since the replica stood: views stay, what it lacks is put back. */
  #lostSince(snapshot: ChannelSnapshot): boolean {
    if (this.#replica.members.size === 0) return false
    // It comes late, and may have missed who went: what others have put back is all there is.
    if (snapshot.life !== this.#replica.life) return !snapshot.conclusive
    // A feed that may have missed events may have missed that all left; not where no channel has become empty since.
    const mayHaveEnded = this.#behind && snapshot.emptied > this.#replica.version
    return snapshot.channelLife !== this.#channelLife && !mayHaveEnded
  }

  /** Others have put the channel back while this feed may have missed events: what it has besides may be those who went before the loss. */
  #comesAfterRepair({ life, channelLife, damaged }: ChannelSnapshot): boolean {
    return this.#behind && !damaged && life === this.#replica.life && channelLife !== ''
  }

  /** Events of the life that the replica stands in, arrived while it waited: they are applied to the view first. */
  #settleOldEvents(): void {
    const waiting = this.#waiting ?? []
    this.#waiting = waiting.filter((event) => {
      if (event.life !== this.#replica.life || event.channelLife !== this.#channelLife) return true
      const last = event.changes.at(-1)
      if (last === undefined) return false
      const batch: ChangeBatch = { life: event.life, previous: event.previous, changes: event.changes, version: last.version }
      const applied = this.#replica.apply(batch)
      if (applied.outcome === 'applied') this.context.onBatch(this, batch, applied.effects)
      return applied.outcome === 'gap'
    })
  }

  #takeOver(snapshot: ChannelSnapshot): void {
    this.#replica.replace(snapshot)
    this.#channelLife = snapshot.channelLife
    this.#behind = false
    this.#suspicion = 0
    this.#history = []
    this.#historySize = 0
    this.#sorted = null
    this.#wake()
  }

  #drain(covered: number): void {
    const waiting = this.#waiting?.slice(covered) ?? []
    this.#waiting = null
    this.#left.clear()
    for (const event of waiting) this.#receive(event)
  }

  #remember(missed: Missed): void {
    if (missed.effects.some((effect) => effect.kind !== 'state')) this.#sorted = null
    this.#history.push(missed)
    this.#historySize += Math.max(1, missed.effects.length)
    while (this.#historySize > HISTORY_MAX) {
      const oldest = this.#history.shift()
      if (oldest === undefined) break
      this.#historySize -= Math.max(1, oldest.effects.length)
    }
  }

  #wake(): void {
    for (const waiter of [...this.#atLeast]) if (waiter.version <= this.#replica.version) waiter.resolve()
  }
}
