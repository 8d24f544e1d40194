import { busy, busyInterval } from './busy.js'
import { idle } from './idle.js'
import { storm } from './storm.js'
import type { Scenario } from './types.js'
import { watchers } from './watchers.js'
import { whoNow } from './who-now.js'

/** In the order of the table of targets. */
export const SCENARIOS: readonly Scenario[] = [storm, whoNow, watchers, busy, busyInterval, idle]
