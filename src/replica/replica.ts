import type { States } from '../protocol/channel.js'
import { recordOf } from '../protocol/record.js'

/** A member as every replica of a channel keeps it. */
export interface Member {
  readonly userId: string
  readonly states: States
  /** Milliseconds since the epoch, by Redis's clock. */
  readonly joinedAt: number
}

/**
 * One change of a channel. `assert` says that a member is there (a repair): a replica that lacks the member takes it as
 * a join, one that has it takes over what differs.
 */
export type Change = { readonly version: number; readonly userId: string; readonly at: number } & (
  | { readonly kind: 'join'; readonly joinedAt: number; readonly states: States }
  | { readonly kind: 'assert'; readonly joinedAt: number; readonly states: States }
  | { readonly kind: 'state'; readonly states: States; readonly session: string }
  | { readonly kind: 'leave' | 'timeout' }
)

/** An ordered list of changes of one channel, and the version that the first of them follows on. */
export interface ChangeBatch {
  readonly life: string
  readonly previous: number
  readonly changes: readonly Change[]
  /** The version after the last change; a batch may be empty for its receiver and still move it. */
  readonly version: number
}

/** What a replica holds. `members` is never written to from outside the reducer. */
export interface Replica {
  readonly life: string
  readonly version: number
  readonly members: ReadonlyMap<string, Member>
}

/** What happened, for whoever announces it. A repair that changes nothing yields nothing. */
export type Effect =
  | { readonly kind: 'join'; readonly member: Member; readonly version: number; readonly at: number }
  | { readonly kind: 'leave' | 'timeout'; readonly member: Member; readonly version: number; readonly at: number }
  | {
      readonly kind: 'state'
      readonly member: Member
      /** The member's states until then: what a net over several changes compares with. */
      readonly before: States
      readonly session: string
      readonly version: number
      readonly at: number
    }

export type Applied = { readonly outcome: 'applied'; readonly effects: readonly Effect[] } | { readonly outcome: 'old' } | { readonly outcome: 'gap' }

/**
 * The one reducer, used by the nodes' feeds and by the SDK. It owns its map: a snapshot replaces it, a batch moves it.
 *
 * - Another life, or a batch that begins after where the replica stands: `gap`, nothing is changed, the caller fetches.
 * - Nothing newer than the replica: `old`.
 * - A batch that begins before and ends after where the replica stands is applied from there on: within one life every
 *   position of a channel is one of its versions, so a replica that stands inside a batch has seen its first part.
 */
export class ChannelReplica implements Replica {
  #life: string
  #version: number
  #members: Map<string, Member>

  constructor(start: Replica) {
    this.#life = start.life
    this.#version = start.version
    this.#members = new Map(start.members)
  }

  get life(): string {
    return this.#life
  }

  get version(): number {
    return this.#version
  }

  get members(): ReadonlyMap<string, Member> {
    return this.#members
  }

  /** Takes over a snapshot whole; whatever was known before is forgotten. */
  replace(snapshot: Replica): void {
    this.#life = snapshot.life
    this.#version = snapshot.version
    this.#members = new Map(snapshot.members)
  }

  apply(batch: ChangeBatch): Applied {
    if (batch.life !== this.#life) return { outcome: 'gap' }
    if (batch.version <= this.#version) return { outcome: 'old' }
    if (batch.previous > this.#version) return { outcome: 'gap' }
    const effects: Effect[] = []
    for (const change of batch.changes) {
      if (change.version <= this.#version) continue
      const effect = this.#reduce(change)
      if (effect !== null) effects.push(effect)
    }
    this.#version = batch.version
    return { outcome: 'applied', effects }
  }

  #reduce(change: Change): Effect | null {
    const { userId, version, at } = change
    const known = this.#members.get(userId)
    switch (change.kind) {
      case 'join':
      case 'assert': {
        const member: Member = { userId, states: change.states, joinedAt: change.joinedAt }
        this.#members.set(userId, member)
        if (known === undefined) return { kind: 'join', member, version, at }
        return sameStates(known.states, change.states) ? null : { kind: 'state', member, before: known.states, session: '', version, at }
      }
      case 'state': {
        if (known === undefined) return null
        const member: Member = { ...known, states: change.states }
        this.#members.set(userId, member)
        return { kind: 'state', member, before: known.states, session: change.session, version, at }
      }
      case 'leave':
      case 'timeout':
        if (known === undefined) return null
        this.#members.delete(userId)
        return { kind: change.kind, member: known, version, at }
    }
  }
}

export function sameStates(a: States, b: States): boolean {
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && a[key] === b[key])
}

/** A map of states; most members of most channels have none, and share this one. */
export function recordOfStates(entries: readonly (readonly [string, string])[]): States {
  return entries.length === 0 ? NO_STATES : recordOf(entries)
}

const NO_STATES: States = Object.freeze(recordOf<string>([]))
