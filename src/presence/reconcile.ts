import type { LocalMembership } from './memberships.js'
import type { Membership, Op, SessionEntry } from './types.js'

/** What the node found in the store about one of its memberships. */
export interface Found {
  /** The session's entry, or null where there is none. */
  readonly entry: SessionEntry | null
  /** `owned:<node>` lists it. */
  readonly listed: boolean
}

export interface Circumstances {
  readonly node: string
  /** The store may have lost data without anybody having ended it: another life, or a list of ours without its mark. */
  readonly lossy: boolean
  /** Ids of channels whose data is damaged, evicted or of another life than the members know. */
  readonly damaged: ReadonlySet<string>
}

/** What follows for one membership. */
export type Verdict =
  | { readonly kind: 'fine' | 'forget' }
  /** The session is over for this node: a newer attach has it, or it ended elsewhere. */
  | { readonly kind: 'superseded' | 'ended' }
  | { readonly kind: 'repair'; readonly ops: readonly Op[] }

/**
 * Compares one membership of this node with the store; both ways it is decided here, without a clock and without I/O.
 *
 * What the store lacks was lost if `owned` still lists it, or `owned` itself or the whole life is gone; otherwise it was
 * ended elsewhere (a deadline, a kick) while this node could not know, and stays ended.
 */
export function judge(mine: LocalMembership, found: Found, circumstances: Circumstances, channel: string): Verdict {
  const { entry } = found
  if (entry !== null && entry.attach > mine.attach) return { kind: 'superseded' }
  const lost = circumstances.damaged.has(channel) || (entry === null && (circumstances.lossy || found.listed))
  const inOurName = entry !== null && entry.attach === mine.attach && entry.node === circumstances.node
  switch (mine.desired) {
    case 'present':
      if (!mine.confirmed) return { kind: 'fine' }
      if (lost) return { kind: 'repair', ops: [assertOp(mine)] }
      if (entry === null) return { kind: 'ended' }
      return inOurName ? { kind: 'fine' } : { kind: 'repair', ops: [{ ...identity(mine), kind: 'resume', attach: mine.attach, timeoutMs: mine.timeoutMs }] }
    case 'suspended':
      if (lost && mine.confirmed) return { kind: 'repair', ops: [assertOp(mine), suspendOp(mine)] }
      return inOurName ? { kind: 'repair', ops: [suspendOp(mine)] } : { kind: 'forget' }
    case 'gone':
      // What is left of a damaged channel takes no leave: it is made whole first.
      if (circumstances.damaged.has(channel) && mine.confirmed) return { kind: 'repair', ops: [assertOp(mine), leaveOp(mine)] }
      return entry === null ? { kind: 'forget' } : { kind: 'repair', ops: [leaveOp(mine)] }
  }
}

/**
 * What the store lists under this node's lease and the node lacks is given up, as if its connection had been lost: a
 * client that is still on its way finds it. Where another node has it by now, only the list is put right.
 */
export function withdraw(membership: Membership, entry: SessionEntry | null): Op {
  return { ...identity(membership), kind: 'suspend', attach: entry?.attach ?? 0, timeoutMs: entry?.timeoutMs ?? 0 }
}

function identity(membership: Membership): Membership {
  return { channel: membership.channel, userId: membership.userId, session: membership.session }
}

function assertOp(mine: LocalMembership): Op {
  return { ...identity(mine), kind: 'assert', attach: mine.attach, timeoutMs: mine.timeoutMs, ...(mine.known === undefined ? {} : { known: mine.known }) }
}

function leaveOp(mine: LocalMembership): Op {
  return { ...identity(mine), kind: 'leave', attach: mine.attach }
}

function suspendOp(mine: LocalMembership): Op {
  return { ...identity(mine), kind: 'suspend', attach: mine.attach, timeoutMs: mine.timeoutMs }
}
