import { beforeAll, beforeEach } from '@jest/globals'
import { useFileScope, useTestScope, type Scope } from '../support/scope.js'
import type { RunningSetup, Setup } from './setups.js'

/** Starts a Redis of this kind for the tests of a suite; each begins with an empty one, and has a scope of its own. */
export function useSetup(setup: Setup): { readonly scope: Scope; readonly running: RunningSetup } {
  const fileScope = useFileScope()
  const scope = useTestScope()
  let running: RunningSetup | undefined
  beforeAll(async () => {
    running = await setup.start(fileScope)
  }, 60_000)
  const started = (): RunningSetup => {
    if (running === undefined) throw new Error(`${setup.name} is used before it has started`)
    return running
  }
  beforeEach(() => started().flush())
  return {
    scope,
    get running() {
      return started()
    },
  }
}
