import { MultiMap } from './multi-map.js'
import { channelId, type Attach, type Channel, type MemberRecord, type Membership } from './types.js'

/**
 * What this node wants of one membership: there, due, or gone. It is kept until the store has said that it is so; what
 * a fault left open, reconcile brings about.
 */
export type Desired = 'present' | 'suspended' | 'gone'

export interface LocalMembership extends Membership {
  /** The user, also in a USER channel (where `userId` is the session). */
  readonly owner: string
  readonly attach: Attach
  timeoutMs: number
  desired: Desired
  /** The store has acknowledged it under this attach. */
  confirmed: boolean
  /** As far as this node knows, the store lists it under the node's lease. */
  listed: boolean
  /** The member as this session last saw it: what is asserted after a loss. */
  known: MemberRecord | undefined
  /** The channel's own life when it was confirmed: another one means that the channel was lost meanwhile. */
  channelLife: string
  /** A stay that began here, and whose client has not put its states into it yet. */
  unstated: boolean
  /** Changes of this member's states by this session, one after the other. */
  tail: Promise<unknown>
}

/** What the store acknowledged of a membership of ours. */
export function confirm(membership: LocalMembership, result: { readonly member?: MemberRecord; readonly channelLife: string }): void {
  membership.confirmed = true
  membership.listed = true
  membership.channelLife = result.channelLife
  if (result.member !== undefined && result.member.revision >= (membership.known?.revision ?? 0)) membership.known = result.member
}

/** The memberships of this node in one partition, by channel and by key. */
export class Memberships {
  readonly #byKey = new Map<string, LocalMembership>()
  readonly #byChannel = new MultiMap<LocalMembership>()

  get size(): number {
    return this.#byKey.size
  }

  get(membership: Membership): LocalMembership | undefined {
    return this.#byKey.get(keyOf(membership))
  }

  /** Takes the place of the same session's membership under an older attach. */
  put(membership: LocalMembership): void {
    const key = keyOf(membership)
    const older = this.#byKey.get(key)
    if (older !== undefined) this.delete(older)
    this.#byKey.set(key, membership)
    this.#byChannel.add(channelId(membership.channel), membership)
  }

  /** Only this very one: a newer attach of the same session stays. */
  delete(membership: LocalMembership): void {
    const key = keyOf(membership)
    if (this.#byKey.get(key) !== membership) return
    this.#byKey.delete(key)
    this.#byChannel.delete(channelId(membership.channel), membership)
  }

  all(): Iterable<LocalMembership> {
    return this.#byKey.values()
  }

  channelIds(): Iterable<string> {
    return this.#byChannel.keys()
  }

  in(channel: Channel): Iterable<LocalMembership> {
    return this.#byChannel.of(channelId(channel))
  }

  get listed(): number {
    let count = 0
    for (const membership of this.#byKey.values()) if (membership.listed) count += 1
    return count
  }
}

/** One string a membership, for maps. Joined, because a template's value keeps its parts beside the whole for as long as it is a key. */
export function keyOf({ channel, userId, session }: Membership): string {
  return [channelId(channel), userId, session].join('\0')
}
