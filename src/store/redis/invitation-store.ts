import { unpacked, packed, type InvitationRecord } from '../../presence/invitation.js'
import type { InvitationOutcome, InvitationRules, InvitationStep, InvitationStore, KeptInvitation } from '../../presence/invitations.js'
import { userChannel, type Timer } from '../../presence/types.js'
import { chunksOf } from '../../protocol/chunks.js'
import { isOpen, type InvitationRef } from '../../protocol/invitations.js'
import type { RedisAccess } from './access.js'
import { numberOf, replyOf, ReplyShapeError, textOf } from './codec.js'
import { ownerOfInvitations, timerText } from './keys.js'
import * as scripts from './scripts.js'

/** How much longer than its next timer a user's list of invitations is kept, in seconds: only if no node is left to end them. */
const MARGIN_S = 900
/** Lists that are read at once. */
const READ_MAX = 100
/** What `timer.lua` takes for a timer that is not there. */
const UNSET = '-1'

/** Invitations on Redis: one hash a callee, in the partition of the callee's channel. */
export class RedisInvitations implements InvitationStore {
  constructor(private readonly access: RedisAccess) {}

  async read(app: string, of: readonly InvitationRef[]): Promise<readonly (InvitationRecord | null)[]> {
    const { redis } = this.access
    const found = await Promise.all(of.map(({ userId, id }) => this.access.call(redis.hget(this.access.keysOfUser(app, userId).invitations(app, userId), id))))
    return found.map((text) => (text === null ? null : decodeRecord(text)))
  }

  async sentTo(app: string, userIds: readonly string[]): Promise<readonly InvitationRecord[]> {
    const { redis } = this.access
    const records: InvitationRecord[] = []
    for (const some of chunksOf(userIds, READ_MAX)) {
      const lists = some.map((userId) => this.access.call(redis.hgetall(this.access.keysOfUser(app, userId).invitations(app, userId))))
      for (const list of await Promise.all(lists)) for (const [id, text] of Object.entries(list)) if (id !== '') records.push(decodeRecord(text))
    }
    return records
  }

  async step(app: string, { from, to, wasOpen, timerMs, due, until }: InvitationStep, rules: InvitationRules): Promise<InvitationOutcome> {
    const opens = Number(isOpen(to)) - Number(wasOpen)
    const args = [
      ...[to.id, String(from), String(to.revision), packed(to), String(opens), String(rules.open), String(rules.all), from === 0 ? to.caller : ''],
      ...this.#timerArgs(app, { userId: to.callee, id: to.id }, due, timerMs, rules),
      ['invitation', app, '2', to.callee, to.caller].join('\0'),
      until === undefined ? '' : String(until),
    ]
    return decodeOutcome(await this.#run(opens > 0 ? scripts.invitationGrowing : scripts.invitationShrinking, app, to.callee, args))
  }

  async forget(app: string, ref: InvitationRef, revision: number, due: Timer, rules: InvitationRules): Promise<void> {
    const args = [ref.id, String(revision), '0', '', '0', '0', '0', '', ...this.#timerArgs(app, ref, due, 0, rules), '', '']
    decodeOutcome(await this.#run(scripts.invitationShrinking, app, ref.userId, args))
  }

  async *kept(partition: number): AsyncIterable<readonly KeptInvitation[]> {
    for await (const keys of this.access.keysLike(this.access.keysAt(partition).everybodysInvitations)) {
      for (const { app, userId } of keys.map(ownerOfInvitations)) yield (await this.sentTo(app, [userId])).map((record) => ({ app, record }))
    }
  }

  async rearm(app: string, { userId, id }: InvitationRef, at: number): Promise<void> {
    await this.access.run(scripts.timer, [this.access.keysOfUser(app, userId).timers], [timerOf(app, userId, id), UNSET, String(Math.ceil(at))])
  }

  #timerArgs(app: string, { userId, id }: InvitationRef, due: Timer | undefined, timerMs: number, { periodMs }: InvitationRules): string[] {
    const timer = timerOf(app, userId, id)
    const lifetime = Math.ceil(timerMs / 1000) + MARGIN_S
    return [timer, due === undefined ? '' : String(due.at), String(timerMs * 1000), String(periodMs * 1000), String(lifetime)]
  }

  async #run(script: scripts.Script, app: string, userId: string, args: readonly string[]): Promise<readonly unknown[]> {
    const keys = this.access.keysOfUser(app, userId)
    return replyOf(await this.access.run(script, [keys.clock, keys.invitations(app, userId), keys.timers, keys.post, keys.roster(app, userId)], args), 'invitation')
  }
}

function timerOf(app: string, userId: string, id: string): string {
  return timerText({ kind: 'invitation', channel: userChannel(app, userId), id })
}

function decodeOutcome(reply: readonly unknown[]): InvitationOutcome {
  const [outcome, detail] = reply
  switch (outcome) {
    case 'done':
      return { outcome, timestamp: numberOf(detail, 'invitation') }
    case 'conflict':
      return { outcome, found: detail === '' ? null : decodeRecord(textOf(detail, 'invitation')) }
    case 'early':
    case 'late':
    case 'blocked':
    case 'full':
      return { outcome }
    default:
      throw new ReplyShapeError('invitation', reply)
  }
}

/** `revision time text`. */
function decodeRecord(stored: string): InvitationRecord {
  const match = /^(\d+) (\d+) (.*)$/s.exec(stored)
  if (match === null) throw new ReplyShapeError('invitation', stored)
  return unpacked(Number(match[1]), Number(match[2]), match[3] ?? '')
}
