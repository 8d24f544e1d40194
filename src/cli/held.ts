import type { Worker } from 'node:cluster'

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
    worker.send = send
    setClients(worker, 0)
    for (const args of held.splice(0)) send(...args)
  }
}

/** Where the balancer counts a worker's clients to find who has the fewest. */
function setClients(worker: Worker, clientsCount: number): void {
  Object.assign(worker, { clientsCount })
}
