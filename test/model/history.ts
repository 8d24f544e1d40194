import type { Limits } from '../../src/protocol/limits.js'
import { startNode, type TestNode } from '../support/node.js'
import { Link } from '../support/link.js'
import { connectPlain } from '../support/plain.js'
import { RedisServer } from '../support/redis.js'
import { Scope } from '../support/scope.js'
import { SECRET, tokenFor } from '../support/tokens.js'
import { elapse } from '../support/wait.js'
import { Actor } from './actor.js'
import { check, checkTalk, print, type Verdict } from './checker.js'
import { collect } from './collect.js'
import { Conversation } from './conversation.js'
import { Ears } from './ears.js'
import type { Breach, Evidence, Watched } from './evidence.js'
import { CHANNELS, CLIENTS, NODES, type Plan, type PresenceStep, type Step } from './plan.js'
import { PresenceModel } from './presence-model.js'
import { Tokens } from './tokens.js'

const TIMEOUT_MS = 1_000
/** Within this after the last step everybody has to agree: detection, presenceTimeout, two sweeps, and a machine that is busy with others. */
export const QUIET_MS = 15_000
/** What a token has left that is to be renewed in time, and one that is to run out. */
const RENEWED_MS = 2_000
const EXPIRES_MS = 200
const RULES = { lagMs: 1_500, complete: true }
/** Short, so that what users tell each other comes to its end. Milliseconds. */
const TALK_LIMITS = { messageWaitMs: 1_000, invitationReceiptMs: 800, invitationAnswerMs: 800 } as const satisfies Partial<Limits>
const TALK_RULES = { lostUntil: -Infinity, friendsLost: false, complete: true, receiptMs: TALK_LIMITS.invitationReceiptMs, answerMs: TALK_LIMITS.invitationAnswerMs }

/** Nodes on a Redis of their own, on which many histories run, each with users and channels of its own. */
export interface Stage {
  readonly redis: RedisServer
  readonly nodes: readonly TestNode[]
}

export async function openStage(scope: Scope): Promise<Stage> {
  const redis = await RedisServer.start(scope)
  const options = { redisUrl: redis.url, secret: SECRET, heartbeatMs: 200, heartbeatTtlMs: 1_500, presenceTimeoutMs: TIMEOUT_MS, pingIntervalMs: 1_000, pingTimeoutMs: 4_000, limits: TALK_LIMITS }
  const nodes = await Promise.all(Array.from({ length: NODES }, () => startNode(scope, options)))
  return { redis, nodes }
}

/** Runs one history, waits until all is quiet, and holds what was seen against the model. `name` makes it one of its own. */
export async function runHistory(stage: Stage, plan: Plan, name: string): Promise<Verdict> {
  const scope = new Scope()
  try {
    return await new History(stage, scope, name).run(plan)
  } finally {
    await scope.close()
  }
}

class History {
  readonly #model = new PresenceModel()
  readonly #channels: readonly string[]
  readonly #running = new Set<Promise<unknown>>()
  readonly #breaches: Breach[] = []
  #links: readonly Link[] = []
  #actors: readonly Actor[] = []
  #conversation!: Conversation

  constructor(
    private readonly stage: Stage,
    private readonly scope: Scope,
    private readonly name: string,
  ) {
    this.#channels = CHANNELS.map((channel) => `${channel}-${name}`)
  }

  async run(plan: Plan): Promise<Verdict> {
    const { redis, nodes } = this.stage
    const ears = await Ears.open(this.scope, [redis.port], this.#channels)
    const quiet = await this.#quietWatchers()
    this.#links = await Promise.all(CLIENTS.map((_, index) => Link.open(this.scope, at(nodes, index % NODES))))
    this.#actors = CLIENTS.map(
      ({ user, tab }, index) =>
        new Actor(this.scope, this.#model, { user: `${user}-${this.name}`, tab, alone: CLIENTS.filter((other) => other.user === user).length === 1, urls: [at(this.#links, index)], timeoutMs: TIMEOUT_MS, detectionMs: 0, tokens: new Tokens(`${user}-${this.name}`) }),
    )
    this.#conversation = new Conversation(this.#actors, this.#model, (user) => `${user}-${this.name}`)
    await Promise.all(this.#actors.map((actor) => actor.login()))
    await this.#conversation.open()
    for (const step of plan) {
      const done = this.#do(step)
      this.#running.add(done)
      void done.then(() => this.#running.delete(done))
      if (step.wait) await done
    }
    while (this.#running.size > 0) await Promise.all(this.#running)
    for (const actor of this.#actors) await actor.settle(QUIET_MS)
    await this.#conversation.over()
    const agreed = await this.#untilRight(async () => {
      const [{ breaches, events }, talked] = [check(await this.#evidence(ears, quiet), RULES), this.#talked()]
      return { breaches: [...breaches, ...talked.breaches, ...this.#breaches, ...this.#actors.flatMap((actor) => actor.breaches)], events: events + talked.events }
    })
    if (agreed.breaches.length > 0) return agreed
    // This is left for the end, for nobody would expect those who leave and come now.
    await this.#conversation.leave()
    const left = await this.#untilRight(async () => this.#talked())
    if (left.breaches.length > 0) return left
    await this.#conversation.fetch(this.scope, this.stage.nodes, (user) => ({ token: tokenFor(user) }))
    const fetched = await this.#untilRight(async () => this.#talked())
    return { ...agreed, breaches: fetched.breaches }
  }

  /** Plain clients who only watch, one for each channel: they see the wire as it is, with what each packet covers. */
  async #quietWatchers(): Promise<() => readonly Watched[]> {
    const watchers = await Promise.all(
      this.#channels.map(async (channel, index) => {
        const user = `plain-${channel}`
        const plain = await connectPlain(this.scope, user, at(this.stage.nodes, index % NODES), { transports: ['websocket'], auth: { token: tokenFor(user) } })
        const watcher = plain.watcher(channel)
        await plain.must('subscribe', { channelName: channel, channelType: 'MESSAGE', beQuiet: true })
        // On another connection it would have to subscribe again: what it has seen until then is all that it sees.
        const { id } = plain.socket
        return { plain, channel, watcher, isThere: () => plain.socket.id === id }
      }),
    )
    return () => watchers.map(({ plain, channel, watcher, isThere }) => ({ name: `the plain watcher of ${channel}`, user: plain.user, channel, log: watcher.log, current: isThere(), whole: isThere() }))
  }

  #do(step: Step): Promise<void> {
    return 'to' in step ? this.#conversation.do(step) : this.#doPresence(step)
  }

  async #doPresence({ do: what, who, channel: place, node, ms }: PresenceStep): Promise<void> {
    const [actor, link, channel] = [at(this.#actors, who), at(this.#links, who), at(this.#channels, place)]
    try {
      switch (what) {
        case 'join':
          return await actor.join(channel)
        case 'watchless':
          return await actor.join(channel, false)
        case 'leave':
          return await actor.leave(channel)
        case 'set':
          return await actor.set(channel)
        case 'remove':
          return await actor.remove(channel)
        case 'pair':
          await this.#pair(this.#actors.filter(({ user }) => user === actor.user), channel)
          return
        case 'cut':
          // Its goodbye may still be under way.
          if (!actor.loggedIn) return
          actor.cut(Date.now())
          link.cut()
          await elapse(ms)
          link.restore(at(this.stage.nodes, node))
          return
        case 'logout':
          return await this.#conversation.logout(actor)
        case 'login':
          return await actor.login()
        case 'renew':
          return await actor.renew(RENEWED_MS + ms)
        case 'expire':
        case 'expel':
          return await actor.expire(EXPIRES_MS + ms, what === 'expel')
      }
    } catch (error) {
      // A login while the wire is cut fails, and so it may; it is not logged in then.
      if (what !== 'login') this.#breaches.push({ invariant: 'I1', where: actor.name, what: `${what} failed: ${String(error)}` })
    }
  }

  /** All tabs of a user change its states at once. They have to be there for that. */
  async #pair(tabs: readonly Actor[], channel: string): Promise<void> {
    await Promise.all(tabs.filter(({ channels }) => !channels.includes(channel)).map((tab) => tab.join(channel)))
    await Promise.all(tabs.map((tab) => tab.set(channel)))
  }

  /** Looks again and again until no breach is left, or it has taken too long. */
  async #untilRight(look: () => Promise<Verdict>): Promise<Verdict> {
    const deadline = Date.now() + QUIET_MS
    for (;;) {
      const verdict = await look().catch(unanswered)
      if (verdict.breaches.length === 0 || Date.now() > deadline) return verdict
      await elapse(100)
    }
  }

  #talked(): Verdict {
    const { breaches, events } = checkTalk(this.#conversation.evidence(), TALK_RULES)
    return { breaches: [...breaches, ...this.#conversation.breaches], events }
  }

  async #evidence(ears: Ears, quiet: () => readonly Watched[]): Promise<Evidence> {
    const users = [...new Set(this.#actors.map(({ user }) => user))]
    const held = await collect(this.stage.redis, this.stage.nodes.map(({ port }) => port), this.#channels, users)
    return {
      ...held,
      at: Date.now(),
      model: this.#model,
      watched: [...this.#actors.flatMap((actor) => actor.watched()), ...quiet()],
      connected: this.#actors.flatMap((actor) => actor.connected()),
      published: ears.published,
    }
  }
}

/** A node that is not in step with its store says so, and is asked again. */
function unanswered(error: unknown): Verdict {
  return { breaches: [{ invariant: 'I1', where: 'everywhere', what: String(error) }], events: 0 }
}

/** For a failure: what broke, and how to run it again. */
export function failure(plan: Plan, breaches: readonly Breach[], seed: number | string): Error {
  return new Error(`${print(breaches)}\n\nseed ${seed}; to keep it, add to test/model/regressions.json:\n${JSON.stringify(plan)}`)
}

function at<T>(list: readonly T[], index: number): T {
  const item = list[index]
  if (item === undefined) throw new Error(`no item ${index}`)
  return item
}
