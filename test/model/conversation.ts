import type { RollcallClient } from '../../src/client/index.js'
import type { ClientOptions } from '../support/client.js'
import type { NodeAddress } from '../support/node.js'
import type { Scope } from '../support/scope.js'
import { eventually } from '../support/wait.js'
import type { Actor } from './actor.js'
import type { Breach } from './evidence.js'
import { sendHeirs } from './heirs.js'
import { KIN, LEAVERS, USERS, type TalkStep } from './plan.js'
import type { PresenceModel } from './presence-model.js'
import type { TalkLog } from './talk-log.js'
import type { TalkEvidence, ToldRoster } from './talk.js'
import { newNotes, Talker } from './talker.js'

const CHANGES = { befriend: 'add', unfriend: 'remove', block: 'block' } as const
/** Awkward to say. */
const WORDS = '\0 and \n, ünï 🙂 "quoted" \\ {}'

/** What the users of a history tell each other. Each client is a talker, in the order of the plan's clients. */
export class Conversation {
  readonly #notes = newNotes()
  readonly #talkers: readonly Talker[]
  readonly #users: readonly string[]
  readonly #hearers: TalkLog[]
  #toldRosters: readonly ToldRoster[] = []

  constructor(
    actors: readonly Actor[],
    private readonly model: PresenceModel,
    /** What makes a user one of this history. */
    private readonly userOf: (user: string) => string,
  ) {
    this.#talkers = actors.map((actor) => new Talker(actor, this.#notes))
    this.#hearers = this.#talkers.map(({ log }) => log)
    this.#users = USERS.map(userOf)
  }

  get breaches(): readonly Breach[] {
    return this.#notes.breaches
  }

  /** Everybody is there: how it stands between them when it begins. */
  async open(): Promise<void> {
    await Promise.all(KIN.map(([user, what, peer]) => Promise.all(this.#talkersOf(user).slice(0, 1).map((talker) => talker.change(CHANGES[what], this.userOf(peer))))))
  }

  /** Resolves when it has been answered; what comes of an invitation comes later. */
  async do({ do: what, who, to, count, fate, ms }: TalkStep): Promise<void> {
    const [talker, peer] = [this.#talkers[who], this.#users[to]]
    if (talker === undefined || peer === undefined || !talker.actor.loggedIn) return
    if (what === 'send' || what === 'keep') {
      await Promise.all(Array.from({ length: count }, () => talker.send(peer, `${what} ${WORDS}`, what === 'keep')))
    } else if (what === 'tell') {
      await talker.broadcast()
    } else if (peer !== talker.user) {
      await (what === 'invite' ? talker.invite(peer, fate, ms) : talker.change(CHANGES[what], peer))
    }
  }

  async logout(actor: Actor): Promise<void> {
    await this.#talkers.find((talker) => talker.actor === actor)?.logout()
  }

  /** Resolves when everything that was asked for has been answered. */
  async over(): Promise<void> {
    await Promise.all(this.#talkers.map((talker) => talker.over()))
  }

  /** When nobody acts any more: some users leave, with all their clients. */
  async leave(): Promise<void> {
    await Promise.all(LEAVERS.flatMap((user) => this.#talkersOf(user)).map((talker) => talker.logout()))
  }

  /** After that: the others write to them, somebody logs in for each user who is away, and each user looks at the own roster. */
  async fetch(scope: Scope, nodes: readonly NodeAddress[], optionsOf: (user: string) => ClientOptions): Promise<void> {
    const stayed = this.#talkers.filter(({ actor }) => actor.online)
    await Promise.all(stayed.flatMap((talker) => LEAVERS.map((user) => talker.send(this.userOf(user), WORDS, true))))
    const heirs = await sendHeirs(scope, this.#users, this.#hearers, nodes, optionsOf)
    const clients = [...stayed.map(({ actor }) => actor.client), ...heirs]
    this.#toldRosters = await Promise.all(clients.map(rosterOf))
  }

  evidence(): TalkEvidence {
    return { ...this.#notes, at: Date.now(), hearers: this.#hearers, toldRosters: this.#toldRosters, model: this.model }
  }

  #talkersOf(user: string): readonly Talker[] {
    return this.#talkers.filter((talker) => talker.user === this.userOf(user))
  }
}

async function rosterOf(client: RollcallClient): Promise<ToldRoster> {
  const roster = await eventually(`${client.userId} is told its roster`, () => client.roster.list())
  return { ...roster, user: client.userId, at: Date.now() }
}
