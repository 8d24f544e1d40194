import { afterAll, afterEach } from '@jest/globals'

import { within } from './wait.js'

type Release = () => Promise<unknown> | void

/** No release may take longer: what hangs on closing is a defect as much as what leaks. */
const RELEASE_MS = 25_000

/**
 * What a test opens, it opens in a scope: each resource registers its release, closing runs them in reverse, all of
 * them, and fails when one of them fails.
 */
export class Scope {
  #releases: { readonly what: string; readonly release: Release }[] = []

  defer(what: string, release: Release): void {
    this.#releases.push({ what, release })
  }

  async close(): Promise<void> {
    const errors: Error[] = []
    for (let last = this.#releases.pop(); last !== undefined; last = this.#releases.pop()) {
      const { what, release } = last
      try {
        await within(Promise.resolve(release()), RELEASE_MS, `closing ${what}`)
      } catch (error) {
        errors.push(new Error(`${what} was not closed cleanly: ${String(error)}`, { cause: error }))
      }
    }
    if (errors.length > 0) throw new AggregateError(errors, errors.map((error) => error.message).join('; '))
  }
}

/** A scope for each test of the file, closed after it. Ask for it before anything whose hooks must run later. */
export function useTestScope(): Scope {
  const scope = new Scope()
  afterEach(() => scope.close())
  return scope
}

/** A scope for the whole file. */
export function useFileScope(): Scope {
  const scope = new Scope()
  afterAll(() => scope.close())
  return scope
}
