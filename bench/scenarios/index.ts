import { busy, busyInterval } from './busy.js'
import { due } from './due.js'
import { idleMemory } from './idle-memory.js'
import { idle } from './idle.js'
import { memberMemory } from './member-memory.js'
import { messages } from './messages.js'
import { nodeLost, nodeLostReturn } from './node-lost.js'
import { quietJoin } from './quiet-join.js'
import { storm } from './storm.js'
import type { Scenario } from './types.js'
import { watchers } from './watchers.js'
import { whoNow } from './who-now.js'

/** In the order of the table of targets. */
export const SCENARIOS: readonly Scenario[] = [storm, whoNow, watchers, busy, busyInterval, idle, quietJoin, idleMemory, due, nodeLost, nodeLostReturn, memberMemory, messages]
