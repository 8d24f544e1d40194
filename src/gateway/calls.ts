import type { Mail } from '../feeds/mail.js'
import type { Peers } from '../feeds/peer-statuses.js'
import type { Logger } from '../log.js'
import { postedInvitation, shown, type InvitationRecord } from '../presence/invitation.js'
import type { Invitations, Party } from '../presence/invitations.js'
import { MultiMap } from '../presence/multi-map.js'
import { chunksOf } from '../protocol/chunks.js'
import { RollcallError } from '../protocol/errors.js'
import { isOpen, type Invitation, type InvitationRef, type InviteRequest } from '../protocol/invitations.js'
import type { Limits } from '../protocol/limits.js'
import { Callers } from './callers.js'
import type { Connection } from './connection.js'
import { persist } from './persist.js'
import { SlowReaders } from './slow-readers.js'
import type { Users } from './users.js'

/** Users whose invitations are read in one go. */
const READ_MAX = 500
/** A client that has not answered so many times whether it has what it was sent is asked again after so many milliseconds. */
const ASKED_MAX = 100
const ASK_PAUSE_MS = 10_000

/** An open invitation of users who are connected here. */
interface OpenCall {
  readonly id: string
  readonly caller: string
  readonly callee: string
  /** The caller's session that has sent it. */
  readonly session: string
  revision: number
}

/** What was heard while something was read: by name, the revision. It is newer than what was read. */
type Heard = ReadonlyMap<string, number>

export interface CallsDeps {
  readonly users: Users
  readonly mail: Pick<Mail, 'on' | 'onMissed'>
  readonly invitations: Invitations
  readonly peers: Peers
  readonly limits: Pick<Limits, 'backlogBytes' | 'invitations'>
  readonly metrics: Readonly<Record<'skipped', { inc(): void }>>
  readonly log: Logger
}

/**
 * Brings invitations to the clients of both users, as post or, where that was missed or came too early, from Redis. It knows those that
 * are open and concern somebody here: what a session has sent is cancelled when that logs out, and what a user here was sent ends when the caller is gone.
 */
export class Calls {
  readonly #open = new Map<string, OpenCall>()
  /** By caller and by callee. */
  readonly #byUser = new MultiMap<OpenCall>()
  readonly #readings = new Set<Map<string, number>>()
  readonly #left = new WeakSet<Connection>()
  /** Of connections that were asked whether they have an invitation and have not answered since: how often, and when last. */
  readonly #asked = new WeakMap<Connection, { readonly times: number; readonly at: number }>()
  readonly #callers: Callers<OpenCall>
  readonly #slow: SlowReaders<InvitationRecord>

  constructor(private readonly deps: CallsDeps) {
    const { users, mail, peers, limits, metrics } = deps
    this.#callers = new Callers(peers, (call) => void this.#persist(() => deps.invitations.callerGone(refOf(call))))
    this.#slow = new SlowReaders({
      backlogBytes: limits.backlogBytes,
      most: 2 * limits.invitations,
      send: (connection, record) => this.#send(connection, record),
      onSkipped: () => metrics.skipped.inc(),
    })
    mail.on('invitation', ({ to, fields }) => {
      for (const userId of to) users.posted(userId, 'invitations')
      if (to.some((userId) => this.#isHere(userId))) this.#posted(postedInvitation(fields))
    })
    mail.onMissed((concerns) => {
      users.missed('invitations', concerns)
      void this.#persist(() => this.#readAll(concerns))
    })
    users.onWelcome((connection, waiting) => {
      if (waiting.invitations) void this.#persist(() => this.#welcome(connection))
    })
    users.onGone((connection) => this.#gone(connection.userId))
  }

  /** As the domain does; and what a session that has logged out meanwhile has sent is cancelled. */
  async invite(connection: Connection, request: Required<InviteRequest>): Promise<Invitation> {
    const { invitations } = this.deps
    return this.#reading(async (heard) => {
      const invitation = await invitations.invite(connection, request)
      if (isOpen(invitation) && !heard.has(keyOf(invitation))) this.#know({ ...invitation, session: connection.sessionId })
      if (!this.#left.has(connection)) return invitation
      await invitations.cancel(connection, request)
      throw new RollcallError('PRESENCE_REQUEST_CANCELLED', 'the session has ended')
    })
  }

  /** Those that are named, in order, if they concern this user; then all open ones that the user was sent. */
  async get(connection: Connection, named: readonly InvitationRef[]): Promise<readonly (Invitation | null)[]> {
    const { invitations } = this.deps
    const { userId } = connection
    return this.#reading(async (heard) => {
      const [found, open] = await Promise.all([invitations.read(named), invitations.openTo([userId])])
      const theirs = found.map((record) => (record !== null && (record.caller === userId || record.callee === userId) ? record : null))
      const all = [...theirs, ...open]
      for (const record of all) if (record !== null && isOpen(record) && !heard.has(keyOf(record)) && connection.alive) this.#know(record)
      return all.map((record) => (record === null ? null : shown(record)))
    })
  }

  /** The session is over for good: nobody is left to call. Its end waits for this. */
  leave(connection: Connection): void {
    this.#left.add(connection)
    for (const cancelled of this.#cancelAll(connection)) void connection.write(cancelled)
  }

  /** A session was ended for good. Where it had no connection, or its node is dead, nobody is there to say so but who knows of its calls. */
  removed(userId: string, sessionId: string): void {
    for (const cancelled of this.#cancelAll({ userId, sessionId })) void cancelled
  }

  close(): void {
    this.#slow.close()
    for (const call of [...this.#open.values()]) this.#forget(call)
  }

  /** What a session has sent. */
  #cancelAll({ userId, sessionId }: Party): readonly Promise<void>[] {
    const calls = [...this.#byUser.of(userId)].filter(({ caller, session }) => caller === userId && session === sessionId)
    return calls.map((call) => this.#persist(() => this.deps.invitations.cancel({ userId, sessionId }, refOf(call)), 2))
  }

  #posted(record: InvitationRecord): void {
    const key = keyOf(record)
    for (const heard of this.#readings) heard.set(key, record.revision)
    this.#know(record)
    this.#tell(record)
  }

  /** It is kept in mind while it is open and somebody here has to do with it. */
  #know(record: Pick<InvitationRecord, keyof OpenCall | 'state'>): void {
    const key = keyOf(record)
    const known = this.#open.get(key)
    const { id, caller, callee, session, revision } = record
    if (!isOpen(record) || !(this.#isHere(caller) || this.#isHere(callee))) {
      if (known !== undefined) this.#forget(known)
      return
    }
    const call = known ?? { id, caller, callee, session, revision }
    call.revision = Math.max(call.revision, revision)
    if (known === undefined) {
      this.#open.set(key, call)
      for (const userId of [caller, callee]) this.#byUser.add(userId, call)
    }
    if (this.#isHere(callee)) this.#callers.follow(call)
  }

  #forget(call: OpenCall): void {
    this.#open.delete(keyOf(call))
    for (const userId of [call.caller, call.callee]) this.#byUser.delete(userId, call)
    this.#callers.unfollow(call)
  }

  #gone(userId: string): void {
    if (this.#isHere(userId)) return
    for (const call of [...this.#byUser.of(userId)]) {
      if (call.callee === userId) this.#callers.unfollow(call)
      if (!this.#isHere(call.caller) && !this.#isHere(call.callee)) this.#forget(call)
    }
  }

  #isHere(userId: string): boolean {
    for (const _ of this.deps.users.of(userId)) return true
    return false
  }

  #tell(record: InvitationRecord): void {
    for (const userId of [record.callee, record.caller]) {
      for (const connection of this.deps.users.of(userId)) this.#slow.offer(connection, keyOf(record), record)
    }
  }

  #send(connection: Connection, record: InvitationRecord): void {
    const { socket, userId } = connection
    const { callee, id, revision, state } = record
    if (state !== 'SENT' || callee !== userId || !this.#mayAsk(connection)) {
      socket.emit('invitation', shown(record))
      return
    }
    socket.emit('invitation', shown(record), () => {
      this.#asked.delete(connection)
      // Several sessions say so, and the first is enough.
      if (this.#open.get(keyOf({ callee, id }))?.revision === revision) void this.#persist(() => this.deps.invitations.receive({ userId: callee, id }))
    })
  }

  /** What is not answered is remembered until the connection ends: one that answers nothing is asked now and then only. */
  #mayAsk(connection: Connection): boolean {
    const asked = this.#asked.get(connection) ?? { times: 0, at: 0 }
    const now = performance.now()
    if (asked.times >= ASKED_MAX && now - asked.at < ASK_PAUSE_MS) return false
    this.#asked.set(connection, { times: asked.times + 1, at: now })
    return true
  }

  /** A client has come: it is rung too. */
  async #welcome(connection: Connection): Promise<void> {
    await this.#reading(async (heard) => {
      for (const record of await this.deps.invitations.openTo([connection.userId])) {
        if (!connection.alive || heard.has(keyOf(record))) continue
        this.#know(record)
        this.#slow.offer(connection, keyOf(record), record)
      }
    })
  }

  /** Post was missed: what concerns users here, and has another revision than is known, is told. */
  async #readAll(concerns: (userId: string) => boolean): Promise<void> {
    const { users, invitations } = this.deps
    for (const userIds of chunksOf([...users.userIds()].filter(concerns), READ_MAX)) {
      await this.#reading(async (heard) => this.#catchUp(await invitations.openTo(userIds), heard))
    }
    for (const calls of chunksOf([...this.#open.values()].filter(({ callee }) => concerns(callee)), READ_MAX)) {
      await this.#reading(async (heard) => {
        const found = await invitations.read(calls.map(refOf))
        this.#catchUp(found, heard)
        calls.forEach((call, index) => {
          if (found[index] === null && !heard.has(keyOf(call))) this.#forget(call)
        })
      })
    }
  }

  #catchUp(records: readonly (InvitationRecord | null)[], heard: Heard): void {
    for (const record of records) {
      if (record === null || heard.has(keyOf(record)) || (this.#open.get(keyOf(record))?.revision ?? 0) >= record.revision) continue
      this.#know(record)
      this.#tell(record)
    }
  }

  async #reading<T>(read: (heard: Heard) => Promise<T>): Promise<T> {
    const heard = new Map<string, number>()
    this.#readings.add(heard)
    try {
      return await read(heard)
    } finally {
      this.#readings.delete(heard)
    }
  }

  /** Never rejects. */
  async #persist(work: () => Promise<unknown>, tries?: number): Promise<void> {
    try {
      await persist(work, { ...(tries !== undefined && { tries }), passes: mayPass })
    } catch (error) {
      // What has ended meanwhile is as it should be.
      if (mayPass(error) || !(error instanceof RollcallError)) this.deps.log.warn({ err: error }, 'an invitation could not be served')
    }
  }
}

function mayPass(error: unknown): boolean {
  return error instanceof RollcallError && error.retryable
}

function keyOf({ callee, id }: Pick<Invitation, 'callee' | 'id'>): string {
  return `${callee}\0${id}`
}

function refOf({ callee, id }: Pick<Invitation, 'callee' | 'id'>): InvitationRef {
  return { userId: callee, id }
}
