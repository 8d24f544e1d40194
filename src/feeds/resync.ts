import { chunksOf } from '../protocol/chunks.js'

/** What fetches at the same time after the subscriber was cut, and the pause before the next ones, in milliseconds. */
const AT_ONCE = 32
const PAUSE_MS = 20

/** Has all fetch what was published while the subscriber was cut: a few at a time, for Redis may just be coming back. */
export async function resyncAll<T>(all: Iterable<T>, resync: (one: T) => void): Promise<void> {
  for (const some of chunksOf([...all], AT_ONCE)) {
    for (const one of some) resync(one)
    await new Promise<void>((resolve) => setTimeout(resolve, PAUSE_MS).unref())
  }
}
