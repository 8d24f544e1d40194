import { Actor } from '../model/actor.js'
import type { Breach } from '../model/evidence.js'
import { sendHeirs } from '../model/heirs.js'
import type { PlainActor } from '../model/plain-actor.js'
import type { Random } from '../model/random.js'
import { TalkLog } from '../model/talk-log.js'
import { newNotes, Talker, type Fate } from '../model/talker.js'
import type { TalkEvidence } from '../model/talk.js'
import { elapse, eventually } from '../support/wait.js'
import { DETECTION_MS, TIMEOUTS_MS, type World } from './world.js'

/** Somebody says something about every so often, all of them together. */
const TALK_MS = 80
/** They go on for so long when the fault is over. */
const TAIL_MS = 400
/** When the one who leaves early does so, counted from the beginning. */
const LEAVES_MS = [800, 2_500] as const
/** Longer than anybody is without a connection who is to come back. */
const PATIENCE_MS = 15_000
/** How far away, in the circle of all users, those are whom one writes to. */
const PARTNERS = [1, 4, 9] as const
const FATES = ['accept', 'refuse', 'cancel', 'ring'] as const satisfies readonly Fate[]
/** Awkward things to say. */
const WORDS = ['', 'words', '\0 and \n and \t', 'ünï 🙂', '"quoted" \\ {}', 'w'.repeat(3_000)] as const

/**
 * What users tell each other while a fault goes on: messages, statuses, invitations. The crowd does it, and three visitors, who are in
 * no channel: one who stays and leaves at the end, one who leaves before, and one who comes and goes. Plain clients listen.
 */
export class Talk {
  readonly #notes = newNotes()
  readonly #hearers: TalkLog[]
  readonly #crowd: readonly Talker[]
  readonly #plain: readonly PlainActor[]
  readonly #visitors: readonly [stays: Talker, leaves: Talker, strays: Talker]
  /** In the order of the circle. */
  readonly #users: readonly string[]
  readonly #comings = new Set<Promise<void>>()
  #loop: Promise<void> = Promise.resolve()
  #turns: Promise<void> = Promise.resolve()
  #endsAt = Infinity

  /** @param random of its own: what the crowd does in its channels stays what it is for a seed */
  private constructor(
    private readonly world: World,
    private readonly random: Random,
  ) {
    this.#crowd = world.crowd.map(({ actor }) => new Talker(actor, this.#notes))
    this.#plain = world.plain.filter(({ isMember }) => isMember)
    this.#visitors = [this.#visitor(0), this.#visitor(1), this.#visitor(2)]
    this.#hearers = [...this.#talkers.map(({ log }) => log), ...this.#plain.map(({ client, name }) => TalkLog.ofPlain(client, name))]
    this.#users = [...new Set(this.#hearers.map(({ user }) => user))]
  }

  /** Everybody is there, and has their friends. */
  static async open(world: World, random: Random): Promise<Talk> {
    const talk = new Talk(world, random)
    await Promise.all(talk.#visitors.map(({ actor }) => actor.login()))
    await talk.#befriend()
    return talk
  }

  start(): void {
    const leavesMs = this.random.between(...LEAVES_MS)
    this.#loop = this.#run()
    this.#later(async () => {
      await elapse(leavesMs)
      await this.#leave(this.#visitors[1])
    })
  }

  /** They go on for a while, and stop. */
  end(): void {
    this.#endsAt = Date.now() + TAIL_MS
  }

  /** Resolves, after its end, when everything has been answered, or refused. */
  async over(): Promise<void> {
    await this.#loop
    const [stays, , strays] = this.#visitors
    await Promise.all([this.#leave(stays), ...this.#comings])
    await this.#come(strays)
    // Who is lost for good waits for a connection that does not come.
    await Promise.all(this.#talkers.filter((talker) => !this.#isLost(talker)).map((talker) => talker.over()))
  }

  /** What they found by themselves. */
  get breaches(): readonly Breach[] {
    return this.#notes.breaches
  }

  get visitors(): readonly Actor[] {
    return this.#visitors.map(({ actor }) => actor)
  }

  evidence(): TalkEvidence {
    return { ...this.#notes, at: Date.now(), hearers: this.#hearers, toldRosters: [], model: this.world.model }
  }

  /** Somebody logs in for each user who is away, and gets what waits for that user. */
  async fetch(): Promise<void> {
    const nodes = this.world.alive().map(({ node }) => node)
    await sendHeirs(this.world.scope, this.#users, this.#hearers, nodes)
  }

  get #talkers(): readonly Talker[] {
    return [...this.#crowd, ...this.#visitors]
  }

  #visitor(number: number): Talker {
    const { scope, model, places } = this.world
    const urls = [...places.slice(number), ...places.slice(0, number)].map(({ node }) => node)
    return new Talker(new Actor(scope, model, { user: `visitor-${number}`, tab: 0, urls, timeoutMs: TIMEOUTS_MS[0], detectionMs: DETECTION_MS }), this.#notes)
  }

  /** Neighbours in the crowd are friends, and visitors with each other and with some of all others. Some have asked, and got no answer. */
  async #befriend(): Promise<void> {
    const crowd = [...new Set(this.#crowd.map(({ user }) => user))]
    const at = (index: number): string => crowd[index % crowd.length] ?? ''
    const visitors = this.#visitors.map(({ user }) => user)
    const [first = ''] = visitors
    const pairs = [
      ...crowd.map((user, index) => [user, at(index + 1)] as const),
      ...visitors.flatMap((visitor, index) => [index, index + 3, index + 5].map((other) => [visitor, at(other)] as const)),
      ...visitors.map((visitor, index) => [visitor, visitors[(index + 1) % visitors.length] ?? ''] as const),
      ...this.#plain.map(({ user }) => [first, user] as const),
    ]
    const oneSided = crowd.map((user, index) => [user, at(index + 2)] as const)
    await Promise.all([...pairs, ...pairs.map(([one, other]) => [other, one] as const), ...oneSided].map(([one, other]) => this.#add(one, other)))
  }

  async #add(user: string, friend: string): Promise<void> {
    const talker = this.#talkers.find((each) => each.user === user)
    if (talker !== undefined) return talker.change('add', friend)
    const answer = this.#notes.rosters.asking('add', user, friend, Date.now())
    await this.#plain.find((each) => each.user === user)?.client.must('addFriend', { userId: friend })
    answer('done', Date.now())
  }

  async #run(): Promise<void> {
    while (Date.now() < this.#endsAt) {
      this.#act()
      await elapse(this.random.between(0, 2 * TALK_MS))
    }
  }

  #act(): void {
    const { random } = this
    const talker = random.pick(this.#talkers)
    const dice = random.next()
    const partner = this.#users[(this.#users.indexOf(talker.user) + random.pick(PARTNERS)) % this.#users.length] ?? ''
    const [offline, count, words, fate, ms] = [random.chance(0.5), random.between(2, 5), random.pick(WORDS), random.pick(FATES), random.between(0, 300)]
    if (dice >= 0.92) return this.#later(() => this.#turn())
    // Whoever has no connection says it when it has one; whoever is lost for good says nothing.
    if (!talker.actor.loggedIn || this.#isLost(talker)) return
    if (dice < 0.45) for (let n = 0; n < count; n += 1) void talker.send(partner, words, offline)
    else if (dice < 0.65) void talker.broadcast()
    else void talker.invite(partner, fate, ms)
  }

  /** The one who comes and goes does so, one after the other. */
  #turn(): Promise<void> {
    const [, , strays] = this.#visitors
    this.#turns = this.#turns.then(() => (strays.actor.loggedIn ? this.#leave(strays) : this.#come(strays)))
    return this.#turns
  }

  /** With a connection: its node is told, so that nobody waits for it. */
  async #leave(visitor: Talker): Promise<void> {
    const { actor } = visitor
    if (!actor.loggedIn) return
    await eventually(`${actor.name} is connected`, () => actor.online, { withinMs: PATIENCE_MS }).catch(() => undefined)
    await visitor.logout()
  }

  async #come({ actor }: Talker): Promise<void> {
    if (actor.loggedIn) return
    // It may be refused while the fault is on.
    await actor.login().catch(() => undefined)
  }

  #isLost({ actor }: Talker): boolean {
    return this.world.crowd.some((crowdling) => crowdling.dead && crowdling.actor === actor)
  }

  #later(act: () => Promise<void>): void {
    const done = act()
    this.#comings.add(done)
    void done.finally(() => this.#comings.delete(done))
  }
}
