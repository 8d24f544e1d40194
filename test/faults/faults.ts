import { elapse } from '../support/wait.js'
import { CLIENT_FAULTS } from './client-faults.js'
import { CLOCK_FAULTS } from './clock-faults.js'
import type { Fault } from './fault.js'
import { FAILOVERS } from './failovers.js'
import { NETWORK_FAULTS } from './network-faults.js'
import { NODE_FAULTS } from './node-faults.js'
import { REDIS_FAULTS } from './redis-faults.js'

export const NOTHING: Fault = {
  name: 'nothing',
  what: 'no fault: the crowd alone',
  lastsMs: 2_000,
  apply: () => elapse(2_000),
}

/** Every fault of the harness. */
export const FAULTS: readonly Fault[] = [NOTHING, ...NODE_FAULTS, ...REDIS_FAULTS, ...NETWORK_FAULTS, ...CLIENT_FAULTS, ...CLOCK_FAULTS, ...FAILOVERS]
