import type { Worker } from 'node:cluster'

/** What the primary and its workers say to each other, beside what the balancer does. */
export type ToPrimary =
  | { readonly type: 'rollcall:ready' }
  /** An Engine.IO session is about to begin here. */
  | { readonly type: 'rollcall:session'; readonly session: string }
  /** A worker was asked for the metrics of all. */
  | { readonly type: 'rollcall:collect'; readonly id: number }
  | { readonly type: 'rollcall:reading'; readonly id: number; readonly reading: unknown }

export type ToWorker =
  /** Its requests will come to this worker. */
  | { readonly type: 'rollcall:known'; readonly session: string }
  /** What are your metrics? */
  | { readonly type: 'rollcall:read'; readonly id: number }
  | { readonly type: 'rollcall:collected'; readonly id: number; readonly text: string }

/** Messages come from our own processes, through a channel that others use too: the type tells them apart. */
export function isOurs<T extends ToPrimary | ToWorker>(message: unknown): message is T {
  return typeof message === 'object' && message !== null && 'type' in message && typeof message.type === 'string' && message.type.startsWith('rollcall:')
}

export function tell(worker: Worker, message: ToWorker): void {
  // One that has just died is not told.
  if (worker.isConnected()) worker.process.send(message, undefined, {}, () => undefined)
}
