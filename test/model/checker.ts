import type { Call } from '../support/redis-monitor.js'
import { MAY_STAY } from '../support/redis-view.js'
import type { Content } from '../support/redis.js'
import { checkInvitations } from './check-invitations.js'
import { checkLog, type LogRules } from './check-log.js'
import { checkMessages } from './check-messages.js'
import { checkRosters } from './check-rosters.js'
import { checkSpans } from './check-spans.js'
import { checkStatuses } from './check-statuses.js'
import { checkTimes } from './check-times.js'
import { checkPublished, checkWorld } from './check-world.js'
import type { Breach, Evidence } from './evidence.js'
import type { TalkEvidence, TalkRules } from './talk.js'

export interface Verdict {
  readonly breaches: readonly Breach[]
  /** How many events were looked at. */
  readonly events: number
}

/** Holds everything that was seen against the model. No breach means: I1 to I8 held, as far as this evidence goes. */
export function check(evidence: Evidence, rules: LogRules): Verdict {
  const logs = evidence.watched.map((watched) => [watched, checkLog(watched, evidence.model, rules)] as const)
  const views = new Map(logs.map(([watched, { view }]) => [watched, view]))
  return {
    breaches: [...logs.flatMap(([, { breaches }]) => breaches), ...checkWorld(evidence, views, rules.unjudged), ...checkPublished(evidence.published), ...checkSpans(evidence), ...checkTimes(evidence)],
    events: logs.reduce((sum, [, { events }]) => sum + events, 0) + evidence.published.reduce((sum, { changes }) => sum + changes.length, 0),
  }
}

/** Holds what users were told by each other against what they said. No breach means: M1 to M5, R1 to R4, B1, V1 and V2 held, as far as this evidence goes. */
export function checkTalk(evidence: TalkEvidence, rules: TalkRules): Verdict {
  const told = evidence.hearers.map(({ messages, statuses, invitations }) => messages.length + statuses.length + invitations.length)
  return {
    breaches: [...checkMessages(evidence, rules), ...checkStatuses(evidence, rules), ...checkRosters(evidence, rules), ...checkInvitations(evidence, rules)],
    events: told.reduce((sum, count) => sum + count, 0),
  }
}

/** I9: what an idle cluster says to Redis. `most` is in calls a second. */
export function checkIdle(calls: readonly Call[], ms: number, most: number): readonly Breach[] {
  const rate = calls.length / (ms / 1_000)
  if (rate <= most) return []
  const names = new Map<string, number>()
  for (const { name } of calls) names.set(name, (names.get(name) ?? 0) + 1)
  return [{ invariant: 'I9', where: 'Redis', what: `${rate.toFixed(1)} calls a second while nothing happens, ${most} at most: ${JSON.stringify([...names])}` }]
}

/** I10: keys without a lifetime, but those that may stay. */
export function checkLifetimes(keysThatStay: readonly string[]): readonly Breach[] {
  return keysThatStay.filter((key) => !MAY_STAY.test(key)).map((key) => ({ invariant: 'I10', where: 'Redis', what: `${key} would stay for ever` }))
}

/** I11: how late others heard of a change while somebody read slowly. Milliseconds. */
export function checkDelays(delays: readonly { readonly watcher: string; readonly ms: number }[], most: number): readonly Breach[] {
  return delays.filter(({ ms }) => ms > most).map(({ watcher, ms }) => ({ invariant: 'I11', where: `as ${watcher} sees it`, what: `a change came after ${ms} ms, ${most} at most` }))
}

/** I12: what Redis held before and after a bad request, and what its sender was told. */
export function checkRefusal(before: Readonly<Record<string, Content>>, after: Readonly<Record<string, Content>>, reply: unknown): readonly Breach[] {
  const breaches: Breach[] = []
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (JSON.stringify(before[key]) !== JSON.stringify(after[key])) breaches.push({ invariant: 'I12', where: 'Redis', what: `bad input changed ${key}` })
  }
  const error = (reply as { error?: { code?: unknown; errorCode?: unknown } } | null)?.error
  if (typeof error?.code !== 'string' || typeof error.errorCode !== 'number') breaches.push({ invariant: 'I12', where: 'the reply', what: `no error with a code: ${JSON.stringify(reply)}` })
  return breaches
}

/** Breaches as a message, each log once. */
export function print(breaches: readonly Breach[]): string {
  const rows = breaches.map(({ invariant, where, what }) => `${invariant} ${where}: ${what}`)
  const logs = new Set(breaches.flatMap(({ log }) => (log === undefined ? [] : [log])))
  return [...rows, ...logs].join('\n')
}
