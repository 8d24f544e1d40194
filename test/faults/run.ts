import { check, checkDelays, checkTalk, print } from '../model/checker.js'
import type { Breach } from '../model/evidence.js'
import { Random } from '../model/random.js'
import type { TalkRules } from '../model/talk.js'
import { Scope } from '../support/scope.js'
import { elapse, eventually } from '../support/wait.js'
import type { Fault } from './fault.js'
import { FAILOVER_MS, type SetupName } from './setups.js'
import { Talk } from './talk.js'
import { TALK_LIMITS, World } from './world.js'

/**
 * Within this after the end of a fault everybody has to agree, in milliseconds: the time limit of a command (2 s) and the
 * longest pause before a reconnect (1 s), the detection of a lost client (1 s) and the longest presenceTimeout (6 s) after
 * the lease of its node (1 s), two sweeps (0.5 s), two rounds of the audit (2 s); the rest is for a busy machine. Where a
 * replica can take over, any fault may end in that. It counts from the moment at which the last of what went wrong is put
 * right, when nothing holds up any step of this any more: so a pair of faults has the same.
 */
export const BOUND_MS: Readonly<Record<SetupName, number>> = {
  single: 20_000,
  cluster: 20_000 + FAILOVER_MS.cluster,
  sentinel: 20_000 + FAILOVER_MS.sentinel,
}
/** News may be under way as long as a fault holds it up. */
export const LAG_MS = 5_000
const BEFORE_MS = 1_000
/** What waited for a user comes within this after a login. */
const FETCH_MS = 5_000
/** A client acts about every so often, all of them together. */
const ACT_MS = 40

export interface Outcome {
  readonly setup: SetupName
  readonly fault: string
  readonly seed: number
  readonly events: number
  /** From the end of the fault until everything agreed, in milliseconds. */
  readonly recoveryMs: number
  readonly breaches: readonly Breach[]
  /** What else was measured. */
  readonly notes?: readonly string[]
}

/** One run of a fault: a crowd under load, the fault, its end, and what everybody then has to agree on. */
export async function runFault(fault: Fault, seed: number, setup: SetupName = 'single'): Promise<Outcome> {
  const scope = new Scope()
  let outcome: Outcome | undefined
  try {
    const random = new Random(seed)
    const world = await World.open(scope, random, setup, fault)
    const talk = await Talk.open(world, new Random(seed + 1))
    outcome = await inWorld(world, talk, fault, seed)
  } finally {
    // A process that the fault killed has nothing to say any more.
    await scope.close().catch((error: unknown) => {
      if (outcome?.breaches.length === 0) throw error
    })
  }
  return outcome
}

async function inWorld(world: World, talk: Talk, fault: Fault, seed: number): Promise<Outcome> {
  const setup = world.redis.name
  const boundMs = BOUND_MS[setup]
  const load = new Load(world)
  load.start()
  talk.start()
  try {
    await elapse(BEFORE_MS)
    // Somebody is lost for good: it must be gone in the end, and not before its time.
    world.lose(world.random.pick(world.crowd.slice(2)))
    await fault.apply(world)
  } finally {
    await fault.undo?.(world)
    load.end()
    talk.end()
  }
  const endedAt = Date.now()
  await Promise.all([load.over(), talk.over()])

  let trouble: Error | undefined
  let breaches: readonly Breach[] = []
  let events = 0
  let talkRules: TalkRules | undefined
  for (;;) {
    const left = boundMs - (Date.now() - endedAt)
    try {
      for (const { actor, dead } of world.crowd) if (!dead) await actor.settle(Math.max(left, 100))
      for (const actor of world.plain) await actor.settle(Math.max(left, 100))
      const strayed = await world.redis.strayed()
      const [loses, rolledBack] = [fault.loses === true || strayed, fault.rollsBack === true || strayed]
      const rules = { lagMs: (fault.lagMs ?? LAG_MS) + FAILOVER_MS[setup], complete: fault.name === 'nothing' && !strayed, rolledBack, ...(loses && { unjudged: world.twins }) }
      const verdict = check(await world.evidence(), rules)
      const clients = [...world.crowd.filter(({ dead }) => !dead).map(({ actor }) => actor), ...world.plain, ...talk.visitors].flatMap((actor) => actor.breaches)
      // A session that was away while Redis lost it begins anew; others see its member stay, and that is checked above.
      talkRules = talkRulesOf(fault, setup, strayed, endedAt)
      const talked = checkTalk(talk.evidence(), talkRules)
      breaches = [...verdict.breaches, ...talked.breaches, ...talk.breaches, ...checkDelays(world.delays, rules.lagMs), ...world.breaches, ...clients.filter(({ invariant }) => !loses || invariant !== 'I2')]
      events = verdict.events + talked.events
      trouble = undefined
      if (breaches.length === 0) break
    } catch (error) {
      trouble = error instanceof Error ? error : new Error(String(error))
    }
    if (Date.now() - endedAt > boundMs) break
    await elapse(100)
  }
  const recoveryMs = Date.now() - endedAt
  if (trouble === undefined && breaches.length === 0 && talkRules !== undefined) breaches = await fetchWaiting(talk, talkRules)
  if (trouble !== undefined) breaches = [...breaches, { invariant: 'I1', where: 'everywhere', what: `no agreement within ${boundMs} ms: ${trouble.message}` }]
  if (breaches.length > 0 && process.env.ROLLCALL_FAULTS_PUBLISHED !== undefined) console.error(world.ears.published.map((row) => JSON.stringify(row)).join('\n'))
  if (breaches.length > 0 && process.env.ROLLCALL_FAULTS_LOG !== undefined) for (const { node } of world.places) console.error(node.process.output)
  return { setup, fault: fault.name, seed, events, recoveryMs, breaches, notes: [...world.notes, ...((await world.redis.strayed()) ? ['a replica took over that no fault meant to'] : []), ...summary(world.delays)] }
}

/** What waits for users who are away is there: somebody logs in for them. This is left for the end, for in no channel anybody would expect them. */
async function fetchWaiting(talk: Talk, rules: TalkRules): Promise<readonly Breach[]> {
  await talk.fetch()
  let breaches: readonly Breach[] = []
  const isThere = (): boolean => {
    breaches = checkTalk(talk.evidence(), rules).breaches
    return breaches.length === 0
  }
  await eventually('what waited has come', isThere, { withinMs: FETCH_MS }).catch(() => undefined)
  return breaches
}

function talkRulesOf({ name, loses, spares, rollsBack }: Fault, setup: SetupName, strayed: boolean, endedAt: number): TalkRules {
  const friendsLost = loses === true && spares === undefined && rollsBack !== true
  const lost = friendsLost || rollsBack === true
  // A master that was replaced may take something for a moment when it goes on.
  const lostUntil = strayed ? Infinity : lost ? endedAt + FAILOVER_MS[setup] : -Infinity
  return { lostUntil, friendsLost, complete: name === 'nothing' && !strayed, receiptMs: TALK_LIMITS.invitationReceiptMs, answerMs: TALK_LIMITS.invitationAnswerMs }
}

function summary(delays: World['delays']): readonly string[] {
  const sorted = delays.map(({ ms }) => ms).sort((a, b) => a - b)
  const [median, worst] = [sorted[Math.floor(sorted.length / 2)], sorted.at(-1)]
  return median === undefined || worst === undefined ? [] : [`${sorted.length} delays, median ${median} ms, worst ${worst} ms`]
}

/** The crowd acting at random until it is told to stop. */
class Load {
  readonly #running = new Set<Promise<void>>()
  #loop: Promise<void> = Promise.resolve()
  #on = false

  constructor(private readonly world: World) {}

  start(): void {
    this.#on = true
    this.#loop = this.#run()
  }

  end(): void {
    this.#on = false
  }

  /** Resolves, after its end, when everything that was begun has been answered, or refused. */
  async over(): Promise<void> {
    await this.#loop
    await Promise.all(this.#running)
  }

  async #run(): Promise<void> {
    while (this.#on) {
      const act = this.world.act()
      this.#running.add(act)
      void act.finally(() => this.#running.delete(act))
      await elapse(this.world.random.between(0, 2 * ACT_MS))
    }
  }
}

export function failureOf({ setup, fault, seed, breaches }: Outcome): Error {
  return new Error(`${fault} on ${setup}, seed ${seed} (again: node scripts/faults.mjs --redis ${setup} --only ${fault} --seed ${seed}):\n${print(breaches)}`)
}
