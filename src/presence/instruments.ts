/** Where the domain says what it does: what of a log and of counters it needs. */
export interface Log {
  info(fields: Readonly<Record<string, unknown>>, message: string): void
  warn(fields: Readonly<Record<string, unknown>>, message: string): void
  error(fields: Readonly<Record<string, unknown>>, message: string): void
}

interface Count<L extends string> {
  inc(labels: Readonly<Record<L, string>>): void
}

export interface Counters {
  /** Heartbeats of partitions, by outcome. */
  readonly heartbeats: Count<'outcome'>
  /** Times that the node compared what it has with the store. */
  readonly reconciles: Count<'reason'>
  /** Batches that the store refused. */
  readonly refused: Count<'why'>
  /** Batches that were sent, and the operations in them. */
  readonly commits: { inc(): void }
  readonly ops: Count<'kind'>
  /** From sending a batch to its answer, in seconds. */
  readonly commitSeconds: { observe(seconds: number): void }
}
