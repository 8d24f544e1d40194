import { chunksOf } from '../protocol/chunks.js'
import { channelId, type Membership, type Op, type OpResult, type SessionEntry } from './types.js'
import type { ReconcileContext } from './lane-hooks.js'
import type { LocalSession } from './local-session.js'
import { confirm, keyOf, type LocalMembership } from './memberships.js'
import type { NodePresence } from './node-presence.js'
import { judge, withdraw, type Circumstances, type Found, type Verdict } from './reconcile.js'

/** Reads that go out together. */
const READ_CHUNK = 1_000

/** What is to be done about a membership. */
interface Judged {
  readonly membership: LocalMembership
  readonly verdict: Verdict
}

/**
 * Compares what this node has in one partition with what the store has, both ways, and puts right what differs. The
 * lane's queue is held meanwhile. Sessions come first: one that moved or ended elsewhere asserts nothing any more.
 */
export async function reconcilePartition(presence: NodePresence, partition: number, context: ReconcileContext): Promise<void> {
  const memberships = presence.members.memberships[partition]
  if (memberships === undefined) return
  const listed = await presence.store.ownership.owned(partition, presence.nodeId)
  const damaged = new Set(presence.members.damaged[partition])
  const circumstances: Circumstances = {
    node: presence.nodeId,
    lossy: context.reasons.has('life') || !listed.intact,
    damaged,
  }
  await endStaleSessions(presence, partition, memberships.all())

  const listedKeys = new Set(listed.memberships.map(keyOf))
  const mine = [...memberships.all()]
  const entries = await readEntries(presence, partition, mine)
  const judged = (of: (membership: LocalMembership) => boolean): readonly Judged[] =>
    mine.flatMap((membership, i) => {
      if (!of(membership)) return []
      const found: Found = { entry: entries[i] ?? null, listed: listedKeys.has(keyOf(membership)) }
      membership.listed = found.listed
      return [{ membership, verdict: judge(membership, found, circumstances, channelId(membership.channel)) }]
    })
  await carryOut(presence, judged(isHome), context.commit)
  await carryOut(presence, judged((membership) => !isHome(membership)), context.commit)

  const unknown = listed.memberships.filter((membership) => memberships.get(membership) === undefined)
  const theirs = await readEntries(presence, partition, unknown)
  if (unknown.length > 0) await context.commit(unknown.map((membership, i) => withdraw(membership, theirs[i] ?? null)))
  for (const id of damaged) presence.members.damaged[partition]?.delete(id)
}

/** By the USER channels, wherever they are: is each session with something in this partition still this node's? */
async function endStaleSessions(presence: NodePresence, partition: number, memberships: Iterable<LocalMembership>): Promise<void> {
  const byHome = new Map<number, Set<LocalSession>>()
  for (const membership of memberships) {
    const session = presence.session(membership.owner, membership.session)
    if (session === undefined || isHome(membership)) continue
    const home = presence.store.partitionOf(session.home)
    // Its own lane judges it, with more knowledge, and after this reading if it is in doubt as well.
    if (home === partition) continue
    byHome.set(home, (byHome.get(home) ?? new Set()).add(session))
  }
  await Promise.all(
    [...byHome].map(async ([home, sessions]) => {
      const list = [...sessions]
      const entries = await readEntries(presence, home, list.map(homeOf))
      const missing = list.some((_, i) => entries[i] === null)
      const owned = missing ? await presence.store.ownership.owned(home, presence.nodeId) : { memberships: [], intact: false }
      const listedKeys = new Set(owned.memberships.map(keyOf))
      list.forEach((session, i) => {
        const entry = entries[i] ?? null
        const lost = !owned.intact || listedKeys.has(keyOf(homeOf(session)))
        if (entry !== null && entry.attach > session.attach) presence.end(session, 'superseded')
        else if (entry === null && !lost) presence.end(session, 'ended')
      })
    }),
  )
}

async function readEntries(presence: NodePresence, partition: number, of: readonly Membership[]): Promise<readonly (SessionEntry | null)[]> {
  const found: (SessionEntry | null)[] = []
  for (const chunk of chunksOf(of, READ_CHUNK)) {
    const sessions = await presence.store.ownership.sessions(partition, chunk)
    chunk.forEach((membership, i) => found.push(sessions[i]?.find((entry) => entry.session === membership.session) ?? null))
  }
  return found
}

async function carryOut(presence: NodePresence, judged: readonly Judged[], commit: ReconcileContext['commit']): Promise<void> {
  const ops: Op[] = []
  const of: LocalMembership[] = []
  for (const { membership, verdict } of judged) {
    switch (verdict.kind) {
      case 'fine':
        break
      case 'forget':
        forget(presence, membership)
        break
      case 'superseded':
      case 'ended':
        over(presence, membership, verdict.kind)
        break
      case 'repair':
        for (const op of verdict.ops) {
          ops.push(op)
          of.push(membership)
        }
    }
  }
  if (ops.length === 0) return
  const results = await commit(ops)
  results.forEach((result, i) => {
    const op = ops[i]
    const membership = of[i]
    if (op !== undefined && membership !== undefined) settle(presence, membership, op, result)
  })
}

function settle(presence: NodePresence, membership: LocalMembership, op: Op, result: OpResult): void {
  if (op.kind === 'suspend' || op.kind === 'leave') forget(presence, membership)
  // One of the channel's two keys is gone: it is asserted by another reconcile.
  else if (result.status === 'lost') presence.members.reportDamaged(membership.channel)
  else if (result.status === 'ok' || result.status === 'same') confirm(membership, result)
  else over(presence, membership, result.status === 'stale' ? 'superseded' : 'ended')
}

/** The whole session is over here: its client starts again, or is elsewhere already. */
function over(presence: NodePresence, membership: LocalMembership, reason: 'superseded' | 'ended'): void {
  forget(presence, membership)
  const session = presence.session(membership.owner, membership.session)
  if (session?.attach === membership.attach) presence.end(session, reason)
}

function forget(presence: NodePresence, membership: LocalMembership): void {
  presence.members.memberships[presence.store.partitionOf(membership.channel)]?.delete(membership)
}

/** A session's own membership, by which it stands or falls with all its others. */
function homeOf({ home, id }: LocalSession): Membership {
  return { channel: home, userId: id, session: id }
}

function isHome({ channel }: LocalMembership): boolean {
  return channel.type === 'USER'
}
