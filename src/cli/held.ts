import type { Worker } from 'node:cluster'
import { Socket } from 'node:net'

/** For so long, in ms, a connection that was handed over counts at most, should the worker not say that a client is in. */
const HANDED_OVER_MS = 1_000

/**
 * Makes a worker that has just been forked one that can be handed connections: what is sent to it before its node can
 * serve is kept, and the balancer prefers others meanwhile.
 *
 * Without this such connections would be lost, and their clients would wait for ever: a worker's channel is open before
 * its first line runs, and a message that nobody listens for is dropped.
 *
 * @returns what to call when the node can serve. A worker that ends before lets those go that wait for it.
 */
export function holdUntilReady(worker: Worker): () => void {
  const held: unknown[][] = []
  const send = worker.send.bind(worker) as (...args: unknown[]) => boolean
  worker.send = (...args: unknown[]) => {
    held.push(args)
    return true
  }
  setClients(worker, Infinity)
  worker.once('exit', () => {
    const ended = new Error('the worker ended before it could serve')
    for (const args of held.splice(0)) {
      const callback = args.at(-1)
      if (typeof callback === 'function') (callback as (error: Error) => void)(ended)
    }
  })
  return () => {
    setClients(worker, 0)
    const handOver = countOnItsWay(worker)
    worker.send = (...args: unknown[]) => {
      if (args[1] instanceof Socket) handOver()
      return send(...args)
    }
    for (const args of held.splice(0)) worker.send(...(args as Parameters<Worker['send']>))
  }
}

/**
 * The balancer hears of a client when it is in: of many that come at once, the worker that had the fewest would get all.
 * So each counts from its hand-over on, until the worker's word counts it in its place.
 *
 * @returns what to call at each hand-over
 */
function countOnItsWay(worker: Worker & { clientsCount?: number }): () => void {
  const onTheirWay: NodeJS.Timeout[] = []
  const count = (by: number): void => setClients(worker, (worker.clientsCount ?? 0) + by)
  const arrive = (): void => {
    if (onTheirWay.length === 0) return
    clearTimeout(onTheirWay.shift())
    count(-1)
  }
  worker.on('message', (message: { type?: unknown }) => {
    if (message.type === 'sticky:connection') arrive()
  })
  return () => {
    count(1)
    // All wait equally long, so whose time is over is the first.
    onTheirWay.push(setTimeout(arrive, HANDED_OVER_MS).unref())
  }
}

/** Where the balancer counts a worker's clients to find who has the fewest. */
function setClients(worker: Worker, clientsCount: number): void {
  Object.assign(worker, { clientsCount })
}
