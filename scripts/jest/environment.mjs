import { setTimeout as delay } from 'node:timers/promises'

import { TestEnvironment } from 'jest-environment-node'

/**
 * What a test file must not leave open: each of these is a connection, a server, a child process or a timer that
 * somebody forgot to close. The worker's own channel to jest is there before the file starts and is not counted.
 */
const WATCHED = new Set(['TCPSocketWrap', 'TCPServerWrap', 'PipeWrap', 'PipeServerWrap', 'ProcessWrap', 'Timeout'])

/** A close that was asked for may need a few turns of the event loop; only what outlasts this is a leak. */
const GRACE_MS = 3_000

/** A Node environment that fails a test file which leaves resources open, instead of hanging or looking away. */
export default class LeakCheckingEnvironment extends TestEnvironment {
  #before = new Map()

  async setup() {
    await super.setup()
    this.#before = count()
  }

  /** Said beside the results of the tests, not in place of them: what a failed test left open is told with why it failed. */
  async handleTestEvent({ name }, { unhandledErrors }) {
    if (name !== 'run_finish') return
    const deadline = Date.now() + GRACE_MS
    // The pause below must not count as a leak itself: it has ended each time that the resources are read.
    let left = leaked(this.#before)
    while (left.length > 0 && Date.now() < deadline) {
      await delay(20)
      left = leaked(this.#before)
    }
    if (left.length > 0) unhandledErrors.push(new Error(`left open after the last test of this file: ${left.join(', ')}`))
  }
}

function count() {
  const counts = new Map()
  for (const type of process.getActiveResourcesInfo()) {
    if (WATCHED.has(type)) counts.set(type, (counts.get(type) ?? 0) + 1)
  }
  return counts
}

function leaked(before) {
  const left = []
  for (const [type, now] of count()) {
    const extra = now - (before.get(type) ?? 0)
    if (extra > 0) left.push(`${extra} × ${type}`)
  }
  return left
}
