import type { Worker } from 'node:cluster'
import { EventEmitter } from 'node:events'
import { Socket } from 'node:net'

import { expect, jest, test } from '@jest/globals'

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

test('a connection counts from its hand-over on, and not twice when the worker says that a client is in', () => {
  const { worker, asWorker } = fake()
  holdUntilReady(asWorker)()
  worker.send({ type: 'sticky:connection' }, new Socket())
  worker.send({ type: 'sticky:connection' }, new Socket())
  worker.send({ type: 'sticky:http-chunk-start' })
  expect(worker.clientsCount).toBe(2)
  worker.emit('message', { type: 'rollcall:session' })
  expect(worker.clientsCount).toBe(2)
  for (let told = 1; told <= 3; told += 1) worker.emit('message', { type: 'sticky:connection' })
  expect(worker.clientsCount).toBe(0)
})

test('a connection that is no client counts for a second', () => {
  jest.useFakeTimers()
  try {
    const { worker, asWorker } = fake()
    holdUntilReady(asWorker)()
    worker.send({ type: 'sticky:connection' }, new Socket())
    jest.advanceTimersByTime(999)
    expect(worker.clientsCount).toBe(1)
    jest.advanceTimersByTime(1)
    expect(worker.clientsCount).toBe(0)
    worker.emit('message', { type: 'sticky:connection' })
    expect(worker.clientsCount).toBe(0)
  } finally {
    jest.useRealTimers()
  }
})
