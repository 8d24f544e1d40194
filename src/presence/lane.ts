import type { Counters, Log } from './instruments.js'
import type { LaneHooks, LaneOptions, ReconcileReason } from './lane-hooks.js'
import { Allowance } from './allowance.js'
import { BATCH_MAX, batches, NotExecutedError, OutcomeUnknownError, UnwantedError } from './batches.js'
import { StoreRefusedError, UnknownOutcomeError, type PresenceStore } from './store.js'
import type { BeatReply, Op, OpResult } from './types.js'

/** How long an operation waits for the store before its caller is told that it failed, in milliseconds; and at the end. */
const OP_PATIENCE_MS = 5_000
const LAST_PATIENCE_MS = 1_000
/** The pause before another heartbeat is tried after a failed one; it doubles up to the heartbeat period. */
const RETRY_MS = 100

/**
 * What nobody is in a hurry for goes alone while there is little of it; when there is much of it, this many batches a second go
 * out, after so many at once. A thousand clients who return cost some dozens of batches instead of thousands.
 */
const CALM_PER_SECOND = 10
const CALM_AT_ONCE = 10

const ALWAYS = (): boolean => true

export interface Submission {
  /** Asked whenever the op is about to be sent: a client that has gone does not want its join any more. */
  readonly wanted?: () => boolean
  /** Nobody sees when exactly it is done (somebody returns, or is gone): it may wait some tenths of a second for company. */
  readonly calm?: boolean
}

/** A result, and whether an earlier try of the same op may have been executed as well. */
export type Settled = OpResult & { readonly uncertain: boolean }

interface Waiting extends Required<Submission> {
  readonly op: Op
  readonly since: number
  /** It was on the wire once and its outcome is not known: a batch with that number can no longer be executed. */
  uncertain: boolean
  readonly resolve: (result: Settled) => void
  readonly reject: (error: Error) => void
}

/**
 * One partition as this node talks to it: one thing on the wire at a time, so that the order in the queue is the order in
 * the store. While one batch is under way the next collects (group commit); heartbeats go the same way and share the
 * numbering. After anything doubtful the queue is held until a heartbeat has been answered and reconcile is done.
 */
export class Lane {
  #queue: Waiting[] = []
  #number = 0
  #life = ''
  #clock = 0
  #holdUntil = 0
  /** `performance.now()` when the last answered heartbeat was sent. */
  #beatAt = -Infinity
  #clockAt = 0
  #time = 0
  #timeAt = 0
  #beatWanted = true
  #doubts = new Set<ReconcileReason>()
  #mismatches = 0
  #sealWanted = true
  #running = false
  #closed = false
  #failures = 0
  /** Between two tries of a store that does not answer: what is submitted meanwhile waits with the rest. */
  #pausing = false
  #retiring = false
  #timer: NodeJS.Timeout | undefined
  readonly #calm = new Allowance(CALM_PER_SECOND, CALM_AT_ONCE)
  #calmTimer: NodeJS.Timeout | undefined
  #idle: (() => void)[] = []
  #onGood: { readonly since: number; readonly resolve: () => void }[] = []

  constructor(
    readonly partition: number,
    private readonly store: PresenceStore,
    private readonly options: LaneOptions,
    private readonly hooks: LaneHooks,
    private readonly metrics: Counters,
    private readonly log: Log,
  ) {}

  get life(): string {
    return this.#life
  }

  /** Milliseconds since the last good heartbeat was sent. */
  get beatAge(): number {
    return performance.now() - this.#beatAt
  }

  /** What the partition's clock shows by now, as far as this node can tell, in microseconds. */
  get clockNow(): number {
    return this.#clock + Math.max(0, performance.now() - this.#clockAt) * 1000
  }

  /** What Redis's own clock shows by now, at least, in milliseconds, for as long as it is the same server. */
  get timeNow(): number {
    return this.#time + performance.now() - this.#timeAt
  }

  /** No sweep acts before this clock. */
  get holdUntil(): number {
    return this.#holdUntil
  }

  /** The first heartbeat. `offset` spreads the lanes over the period. Resolves when the lane is open. */
  async start(offset: number): Promise<void> {
    const open = this.good(performance.now())
    this.#kick()
    await open
    this.#schedule(offset)
  }

  /** Resolves with what became of the op; rejects with {@link NotExecutedError} or {@link OutcomeUnknownError}. */
  submit(op: Op, { wanted = ALWAYS, calm = false }: Submission = {}): Promise<Settled> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(new NotExecutedError('the node is closed'))
        return
      }
      this.#queue.push({ op, wanted, calm, since: performance.now(), uncertain: false, resolve, reject })
      this.#kick()
    })
  }

  /** Something of this partition is doubtful: a heartbeat, then reconcile, before anything else. */
  doubt(reason: ReconcileReason): void {
    this.#doubts.add(reason)
    this.#beatWanted = true
    this.#kick()
  }

  /** Resolves once a heartbeat sent after `since` was answered and what it made necessary is done. */
  good(since: number): Promise<void> {
    if (this.#beatAt >= since && this.#doubts.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#onGood.push({ since, resolve })
      this.#beatWanted = true
      this.#kick()
    })
  }

  /**
   * The node is closing: what the store does not take soon is left to its own deadlines. From here on there is a heartbeat only where
   * something needs one: after the lease is given up it would take it again.
   */
  retire(): void {
    this.#retiring = true
    if (!this.#pausing) clearTimeout(this.#timer)
    this.#kick()
  }

  /** Stops the heartbeat and waits for what is queued, for as long as the store answers. */
  async close(): Promise<void> {
    if (this.#running || this.#queue.length > 0) await new Promise<void>((resolve) => this.#idle.push(resolve))
    this.#closed = true
    clearTimeout(this.#timer)
    clearTimeout(this.#calmTimer)
  }

  #schedule(ms: number): void {
    clearTimeout(this.#timer)
    if (this.#closed) return
    this.#timer = setTimeout(() => {
      this.#pausing = false
      this.#beatWanted = true
      this.#kick()
    }, ms)
  }

  #kick(): void {
    if (this.#running || this.#closed || this.#pausing) return
    this.#running = true
    // A tick later, so that whatever was submitted together goes together.
    queueMicrotask(() => void this.#run())
  }

  async #run(): Promise<void> {
    try {
      while (!this.#closed) {
        if (this.#beatWanted || this.#doubts.size > 0) {
          if (!(await this.#beat())) break
        } else if (this.#queue.length > 0) {
          if (this.#waitsForCompany()) break
          await this.#commitNext()
        } else {
          break
        }
      }
    } catch (error) {
      this.log.error({ err: error, partition: this.partition }, 'a lane failed; it goes on with a heartbeat')
      this.#doubts.add('unknown')
      this.#pausing = true
      this.#schedule(RETRY_MS)
    } finally {
      this.#running = false
      if (this.#queue.length === 0 || this.#failures > 0) for (const done of this.#idle.splice(0)) done()
    }
  }

  /** Nothing in the queue is in a hurry, and enough of that kind has gone out just now. */
  #waitsForCompany(): boolean {
    const full = this.#queue.length >= BATCH_MAX
    if (this.#retiring || full || this.#queue.some(({ calm }) => !calm)) return false
    const ms = this.#calm.waitMs()
    if (ms === 0) return false
    clearTimeout(this.#calmTimer)
    this.#calmTimer = setTimeout(() => this.#kick(), ms)
    return true
  }

  /** @returns false when the store did not answer: the queue stays held, and the next try is scheduled. */
  async #beat(): Promise<boolean> {
    const sentAt = performance.now()
    this.#beatWanted = false
    let beat: BeatReply
    try {
      beat = await this.store.heartbeat(this.partition, {
        node: this.options.node,
        number: (this.#number += 1),
        leaseMs: this.options.leaseMs,
        periodMs: this.options.heartbeatMs,
        knownLife: this.#life,
        newLife: this.options.newId(),
        clockSeen: this.#clock,
        seal: this.#sealWanted,
      })
    } catch (error) {
      return this.#failed(error)
    }
    if (beat.outcome === 'late') return this.#failed(new Error('a heartbeat came after a later one'))
    this.#sealWanted = false
    const first = this.#life === ''
    const otherLife = beat.life !== this.#life
    if (beat.outcome === 'taken' && !first) this.#doubts.add('lease')
    if (otherLife && !first) this.#doubts.add('life')
    this.#mismatches = beat.owned === this.hooks.ownedBelieved() ? 0 : this.#mismatches + 1
    // Once may be a session that is just moving to another node; twice is not.
    if (beat.owned === null || this.#mismatches >= 2) this.#doubts.add('owned')
    this.#life = beat.life
    this.#setClock(beat.clock)
    this.#time = beat.time
    this.#timeAt = performance.now()
    this.#holdUntil = beat.holdUntil
    if (this.#doubts.size > 0 && !(await this.#reconcile(beat))) return false
    this.#failures = 0
    this.#beatAt = sentAt
    this.metrics.heartbeats.inc({ outcome: beat.outcome })
    if (!this.#retiring) this.#schedule(Math.max(0, this.options.heartbeatMs - (performance.now() - sentAt)))
    if (otherLife && !first) this.hooks.onLife(beat.life)
    this.hooks.onBeat(beat)
    for (const waiter of this.#onGood.splice(0)) {
      if (waiter.since <= sentAt) waiter.resolve()
      else this.#onGood.push(waiter)
    }
    if (this.#onGood.length > 0) this.#beatWanted = true
    return true
  }

  async #reconcile(beat: BeatReply): Promise<boolean> {
    const reasons = this.#doubts
    this.#doubts = new Set()
    for (const reason of reasons) this.metrics.reconciles.inc({ reason })
    this.log.info({ partition: this.partition, reasons: [...reasons], life: beat.life }, 'reconcile')
    try {
      await this.hooks.reconcile({ reasons, commit: (ops) => this.#commitNow(ops) })
    } catch (error) {
      for (const reason of reasons) this.#doubts.add(reason)
      return this.#failed(error)
    }
    this.#mismatches = 0
    if (beat.owned === null) {
      this.#sealWanted = true
      this.#beatWanted = true
    }
    return true
  }

  #failed(error: unknown): false {
    this.metrics.heartbeats.inc({ outcome: 'failed' })
    this.#failures += 1
    if (this.#failures === 1) this.log.warn({ partition: this.partition, reason: reasonOf(error) }, 'no good heartbeat')
    this.#doubts.add('unknown')
    const pause = Math.min(RETRY_MS * 2 ** Math.min(this.#failures - 1, 6), this.options.heartbeatMs)
    this.#pausing = true
    this.#schedule(pause * (0.5 + Math.random() / 2))
    const now = performance.now()
    const patienceMs = this.#retiring ? LAST_PATIENCE_MS : OP_PATIENCE_MS
    const patient = (waiting: Waiting): boolean => now - waiting.since < patienceMs
    for (const waiting of this.#queue.filter((each) => !patient(each))) waiting.reject(this.#giveUp(waiting, error))
    this.#queue = this.#queue.filter(patient)
    return false
  }

  #giveUp(waiting: Waiting, cause: unknown): Error {
    return waiting.uncertain ? new OutcomeUnknownError(reasonOf(cause), { cause }) : new NotExecutedError(reasonOf(cause), { cause })
  }

  /** The first batch of the queue. */
  #take(): Waiting[] {
    const unwanted = this.#queue.filter(({ wanted }) => !wanted())
    for (const waiting of unwanted) waiting.reject(new UnwantedError('nobody waits for it any more'))
    if (unwanted.length > 0) this.#queue = this.#queue.filter((waiting) => !unwanted.includes(waiting))
    const [first = []] = batches(this.#queue.slice(0, BATCH_MAX).map((waiting) => waiting.op))
    return this.#queue.splice(0, first.length)
  }

  async #commitNext(): Promise<void> {
    const batch = this.#take()
    if (batch.length === 0) return
    this.#calm.spend()
    try {
      const reply = await this.#send(batch.map((waiting) => waiting.op))
      if (reply === null) {
        this.#queue.unshift(...batch)
        return
      }
      batch.forEach((waiting, i) => {
        const result = reply[i]
        if (result === undefined) waiting.reject(new OutcomeUnknownError('no result'))
        else waiting.resolve({ ...result, uncertain: waiting.uncertain })
      })
    } catch (error) {
      if (error instanceof StoreRefusedError) {
        this.#refused(batch, error)
        return
      }
      // With the next number given out, this batch can no longer be executed; after reconcile each op is decided anew.
      for (const waiting of batch) waiting.uncertain = true
      this.#queue.unshift(...batch)
      this.#doubts.add('unknown')
      if (!(error instanceof UnknownOutcomeError)) throw error
      this.log.warn({ partition: this.partition, reason: reasonOf(error), ops: batch.length }, 'a batch with an unknown outcome')
    }
  }

  /** Redis said no and changed nothing. What grows is refused to its caller; what shrinks has to get through, so it waits. */
  #refused(batch: Waiting[], error: StoreRefusedError): void {
    const outOfMemory = error.message.startsWith('OOM')
    this.metrics.refused.inc({ why: outOfMemory ? 'oom' : 'store' })
    if (outOfMemory) {
      for (const waiting of batch) waiting.reject(new NotExecutedError(error.message, { cause: error }))
    } else {
      this.#queue.unshift(...batch)
      this.#doubts.add('unknown')
    }
  }

  /** @returns null when the script refused the batch: a heartbeat, reconcile, and again. */
  async #send(ops: readonly Op[]): Promise<readonly OpResult[] | null> {
    this.metrics.commits.inc()
    for (const op of ops) this.metrics.ops.inc({ kind: op.kind })
    const sentAt = performance.now()
    const reply = await this.store.commit(this.partition, {
      node: this.options.node,
      number: (this.#number += 1),
      life: this.#life,
      periodMs: this.options.heartbeatMs,
      ops,
    })
    this.metrics.commitSeconds.observe((performance.now() - sentAt) / 1000)
    if (reply.outcome === 'refused') {
      this.metrics.refused.inc({ why: reply.why })
      this.#doubts.add(reply.why === 'number' ? 'unknown' : reply.why)
      return null
    }
    this.#setClock(reply.clock)
    return reply.results
  }

  /** For reconcile: at once, before the queue; any refusal fails the reconcile. */
  async #commitNow(ops: readonly Op[]): Promise<readonly OpResult[]> {
    const results: OpResult[] = []
    for (const batch of batches(ops)) {
      const reply = await this.#send(batch)
      if (reply === null) throw new Error('a repair was refused')
      results.push(...reply)
    }
    return results
  }

  #setClock(clock: number): void {
    this.#clock = Math.max(this.#clock, clock)
    this.#clockAt = performance.now()
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
