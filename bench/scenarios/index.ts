import { storm } from './storm.js'
import type { Scenario } from './types.js'

export const SCENARIOS: readonly Scenario[] = [storm]
