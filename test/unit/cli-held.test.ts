import type { Worker } from 'node:cluster'
import { EventEmitter } from 'node:events'

import { expect, test } from '@jest/globals'

import { holdUntilReady } from '../../src/cli/held.js'

/** As much of a worker as the balancer touches. */
class FakeWorker extends EventEmitter {
  readonly sent: unknown[][] = []
  clientsCount = 0
  send(...args: unknown[]): boolean {
    this.sent.push(args)
    return true
  }
}

const fake = (): { worker: FakeWorker; asWorker: Worker } => {
  const worker = new FakeWorker()
  return { worker, asWorker: worker as unknown as Worker }
}

test('what comes early is handed over in order, and what comes later at once', () => {
  const { worker, asWorker } = fake()
  const serves = holdUntilReady(asWorker)
  expect(worker.clientsCount).toBe(Infinity)
  worker.send('first', 'a socket')
  worker.send('second')
  expect(worker.sent).toEqual([])
  serves()
  worker.send('third')
  expect(worker.sent).toEqual([['first', 'a socket'], ['second'], ['third']])
  expect(worker.clientsCount).toBe(0)
})

test('a worker that ends before it serves lets those go that wait for it', () => {
  const { worker, asWorker } = fake()
  holdUntilReady(asWorker)
  const failures: unknown[] = []
  worker.send('a connection', 'a socket', (error: unknown) => failures.push(error))
  worker.send('no one asked')
  worker.emit('exit', 1, null)
  expect(failures).toEqual([expect.objectContaining({ message: 'the worker ended before it could serve' })])
  expect(worker.sent).toEqual([])
})
