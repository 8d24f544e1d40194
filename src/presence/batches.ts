import { isShrinking, type Op } from './types.js'

/** Operations that go to the store as one batch at most. */
export const BATCH_MAX = 200

/** Cuts where the kind changes, for a kind decides whether a batch may be refused under memory pressure. */
export function batches(ops: readonly Op[]): readonly Op[][] {
  const cut: Op[][] = []
  let last: Op[] = []
  for (const op of ops) {
    const [head] = last
    if (head === undefined || last.length === BATCH_MAX || isShrinking(head) !== isShrinking(op)) cut.push((last = []))
    last.push(op)
  }
  return cut
}

/** The operation was not executed, and will not be. */
export class NotExecutedError extends Error {
  override readonly name = 'NotExecutedError'
}

/** Nobody waited for it any more when it could have been sent. */
export class UnwantedError extends NotExecutedError {}

/** Nobody knows whether the operation was executed; reconcile has the last word. */
export class OutcomeUnknownError extends Error {
  override readonly name = 'OutcomeUnknownError'
}
