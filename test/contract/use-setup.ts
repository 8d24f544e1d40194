import { beforeAll, beforeEach } from '@jest/globals'
import { useFileScope, useTestScope, type Scope } from '../support/scope.js'
import { within } from '../support/wait.js'
import type { RunningSetup, Setup } from './setups.js'

/** How long a Redis may take until it is ready, in milliseconds: then another one is tried. */
const START_MS = 25_000

/** One Redis of this kind for all suites of a file. */
export function shared(setup: Setup): Setup {
  const scope = useFileScope()
  let running: Promise<RunningSetup> | undefined
  const start = (): Promise<RunningSetup> => within(setup.start(scope), START_MS, `${setup.name} is ready`)
  return { name: setup.name, start: () => (running ??= start().catch(start)) }
}

/** Starts a Redis of this kind for the tests of a suite; each begins with an empty one, and has a scope of its own. */
export function useSetup(setup: Setup): { readonly scope: Scope; readonly running: RunningSetup } {
  const fileScope = useFileScope()
  const scope = useTestScope()
  let running: RunningSetup | undefined
  beforeAll(async () => {
    running = await setup.start(fileScope)
  })
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
